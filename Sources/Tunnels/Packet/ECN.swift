// Traffic class on the way in and out of a tunnel: DSCP and congestion notification. (RFC 6040; `ip_ecn.c`)
import SwBPFPackets

/// How the two bits of congestion notification pass a tunnel.
package enum ECNMode: Sendable {
  /// None leaves with the outer header, and the inner one stays as it is. The default.
  case cleared
  /// RFC 6040, normal mode. (link1)
  case passed
}

package enum ECN {
  /// The outer header's traffic class.
  @inline(__always)
  package static func ingress(inner: UInt8, _ mode: ECNMode) -> UInt8 {
    switch mode {
    case .cleared: inner & ~3
    case .passed: inner
    }
  }

  /// The inner header's traffic class behind the tunnel; nil when the packet must be dropped: it was marked on its way, and
  /// its ends would not understand.
  @inline(__always)
  package static func egress(inner: UInt8, outer: UInt8, _ mode: ECNMode) -> UInt8? {
    guard case .passed = mode else { return inner }
    let congested: UInt8 = 3
    switch (inner & 3, outer & 3) {
    case (0, congested): return nil
    case (0, _): return inner
    case (_, congested): return inner | congested
    case (2, 1): return inner & ~3 | 1
    default: return inner
    }
  }
}

extension PacketRoom {
  /// The traffic class of the IPv4 or IPv6 header at the front.
  @inline(__always)
  var trafficClass: UInt8 {
    bytes.u8(at: 0) >> 4 == 6 ? UInt8(truncatingIfNeeded: bytes.be16(at: 0) >> 4) : bytes.u8(at: 1)
  }

  /// Changes it; an IPv4 header's checksum stays right, or stays wrong. (RFC 1624)
  mutating func setTrafficClass(_ value: UInt8) {
    let word = bytes.be16(at: 0)
    if word >> 12 == 6 {
      store(be16: word & 0xf00f | UInt16(value) << 4, at: 0)
    } else {
      let new = word & 0xff00 | UInt16(value)
      let sum = UInt32(~bytes.be16(at: 10)) + UInt32(~word) + UInt32(new)
      let folded = (sum & 0xffff) + sum >> 16
      store(be16: ~UInt16(truncatingIfNeeded: (folded & 0xffff) + folded >> 16), at: 10)
      store(be16: new, at: 0)
    }
  }
}
