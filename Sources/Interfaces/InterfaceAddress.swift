// An address that an interface has. Values; any thread.
import SwBPFPackets

/// An inner address with its prefix, and the other end's address where there is one. (`in_aliasreq`, `in6_aliasreq`)
package struct InterfaceAddress: Hashable, Sendable {
  package let address: IPAddress
  /// Bits; at most 32 or 128.
  package let prefix: UInt8
  /// The other end; of the same family.
  package let destination: IPAddress?

  /// nil when the prefix is too long or the families differ.
  package init?(_ address: IPAddress, prefix: UInt8, destination: IPAddress? = nil) {
    guard prefix <= address.family.bits, destination.map({ $0.family == address.family }) != false else { return nil }
    self.address = address
    self.prefix = prefix
    self.destination = destination
  }
}

/// The two ends of a tunnel. (`if_laddrreq`)
package struct TunnelEnds: Hashable, Sendable {
  package let source: Endpoint
  package let destination: Endpoint

  /// nil when the families differ.
  package init?(source: Endpoint, destination: Endpoint) {
    guard source.address.family == destination.address.family else { return nil }
    self.source = source
    self.destination = destination
  }
}
