// IP addresses as numbers that compare quickly.
// Used by everything in this module, any thread.
import Glibc
import SwBPFPackets

/// An IPv4 or IPv6 address without zone.
package struct IPAddress: Hashable, Sendable {
  /// The first and the last eight bytes as numbers; an IPv4 address is the last four.
  package let high: UInt64
  package let low: UInt64
  package let isIPv6: Bool

  package init(ipv4: UInt32) {
    high = 0
    low = UInt64(ipv4)
    isIPv6 = false
  }

  package init(ipv6 high: UInt64, _ low: UInt64) {
    self.high = high
    self.low = low
    isIPv6 = true
  }

  /// A numeric address; nil for anything else.
  package init?(_ text: String) {
    var bytes: (UInt64, UInt64) = (0, 0)
    if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
      self.init(ipv4: UInt32(truncatingIfNeeded: bytes.0.bigEndian >> 32))
    } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
      self.init(ipv6: bytes.0.bigEndian, bytes.1.bigEndian)
    } else {
      return nil
    }
  }

  /// The address at an offset of a packet. Traps outside of it.
  package init(ipv4At offset: Int, of bytes: RawSpan) { self.init(ipv4: bytes.be32(at: offset)) }
  package init(ipv6At offset: Int, of bytes: RawSpan) {
    self.init(ipv6: bytes.be64(at: offset), bytes.be64(at: offset + 8))
  }

  package var family: CInt { isIPv6 ? AF_INET6 : AF_INET }

  /// An IPv4 address as a number; of an IPv6 address the last four bytes.
  package var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// 0.0.0.0 or ::
  package var isUnspecified: Bool { high == 0 && low == 0 }
  /// 224.0.0.0/4 or ff00::/8
  package var isMulticast: Bool { isIPv6 ? high >> 56 == 0xff : ipv4 >> 28 == 0xe }

  /// The address as it stands in a packet, 4 or 16 bytes in the front of these 16.
  var wire: (UInt64, UInt64) { isIPv6 ? (high.bigEndian, low.bigEndian) : ((low << 32).bigEndian, 0) }
}

extension IPAddress: CustomStringConvertible {
  package var description: String {
    var bytes = wire
    var text = [CChar](repeating: 0, count: 46)
    // SAFETY: the longest IPv6 address has 45 characters.
    guard unsafe inet_ntop(family, &bytes, &text, 46) != nil else { return "?" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
