// Addresses as the system's calls take them. Values; any thread.
import Glibc
import SwBPFPackets

extension IPAddress {
  /// Linux's number, not BSD's.
  var systemFamily: CInt { isIPv6 ? AF_INET6 : AF_INET }

  /// The address as it stands in a packet, 4 or 16 bytes in the front of these 16.
  var wire: (UInt64, UInt64) { isIPv6 ? (high.bigEndian, low.bigEndian) : ((low << 32).bigEndian, 0) }

  /// A link-local address with the link that it was seen on; others as they are.
  func scoped(to link: UInt32) -> IPAddress { isLinkLocal ? IPAddress(v6: high, low, scope: link) : self }

  /// As an end of a tunnel: only a link-local address has a scope.
  var asEnd: IPAddress { isLinkLocal ? self : unscoped }

  /// Without the scope: as it stands in a packet.
  var unscoped: IPAddress { isIPv6 ? IPAddress(v6: high, low) : self }

  /// - Parameter wire: as ``wire``.
  init(wire: (UInt64, UInt64), isIPv6: Bool) {
    if isIPv6 {
      self.init(v6: wire.0.bigEndian, wire.1.bigEndian)
    } else {
      self.init(v4: UInt32(truncatingIfNeeded: wire.0.bigEndian >> 32))
    }
  }
}
