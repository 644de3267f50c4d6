// Addresses as policies select by them. Values; any thread.
import SwBPFPackets

/// One side of a selector: `ADDRESS/PREFIX[PORT]`.
package struct AddressRange: Hashable, Sendable {
  package var address: IPAddress
  /// Bits that count; at most 32 or 128.
  package var prefix: UInt8
  /// Host order; 0 is any.
  package var port: UInt16

  @inlinable package init(_ address: IPAddress, prefix: UInt8? = nil, port: UInt16 = 0) {
    self.address = address
    self.prefix = min(prefix ?? address.family.bits, address.family.bits)
    self.port = port
  }

  @inlinable package var isExact: Bool { prefix == address.family.bits }

  @inlinable package func contains(_ endpoint: Endpoint) -> Bool {
    address.matches(endpoint.address, prefix: prefix) && (port == 0 || port == endpoint.port)
  }
}
