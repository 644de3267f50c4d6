import SwBPFPackets
import Testing

@testable import SwBPFTunnels

struct ECNTests {
  /// 46, expedited forwarding.
  private let dscp: UInt8 = 0xb8

  @Test(
    "T-085, T-086 the outer class has the inner DSCP; ECN is cleared, or with link1 copied", arguments: UInt8(0)...3)
  func ingress(_ bits: UInt8) {
    #expect(ECN.ingress(inner: dscp | bits, .cleared) == dscp)
    #expect(ECN.ingress(inner: dscp | bits, .passed) == dscp | bits)
  }

  @Test("T-085 on input the inner class stays, whatever the outer says", arguments: UInt8(0)...3)
  func egressCleared(_ inner: UInt8) {
    for outer in UInt8(0)...255 { #expect(ECN.egress(inner: dscp | inner, outer: outer, .cleared) == dscp | inner) }
  }

  /// Inner bits, and what becomes of them behind Not-ECT, ECT(1), ECT(0), CE; 9 is a drop. (RFC 6040, figure 4)
  @Test(
    "T-087 with link1 the inner bits follow RFC 6040",
    arguments: [(0, [0, 0, 0, 9]), (1, [1, 1, 1, 3]), (2, [2, 1, 2, 3]), (3, [3, 3, 3, 3])] as [(UInt8, [UInt8])])
  func egressPassed(_ inner: UInt8, _ expected: [UInt8]) {
    let results = (UInt8(0)...3).map { ECN.egress(inner: dscp | inner, outer: 0x28 | $0, .passed) }
    #expect(results == expected.map { $0 == 9 ? nil : dscp | $0 })
  }

  @Test("T-088 a changed class leaves an IPv4 header's checksum right", arguments: UInt8(0)...3)
  func rightChecksum(_ bits: UInt8) {
    for ttl in UInt8(0)...255 {
      var packet = HeldPacket(Inner.ipv4(trafficClass: dscp, ttl: ttl))
      packet.room.setTrafficClass(dscp | bits)
      #expect(packet.bytes == Inner.ipv4(trafficClass: dscp | bits, ttl: ttl))
    }
  }

  @Test("T-088 a wrong checksum stays wrong")
  func wrongChecksum() {
    var bytes = Inner.ipv4()
    bytes[11] ^= 1
    var packet = HeldPacket(bytes)
    packet.room.setTrafficClass(3)
    #expect(checksum(packet.bytes[..<20]) != 0)
  }

  @Test("the class of an IPv6 header changes alone", arguments: [0, 3, 0xb8, 0xff] as [UInt8])
  func ipv6(_ value: UInt8) {
    var bytes = Inner.ipv6(trafficClass: 0x5a)
    bytes[1] |= 0xf
    bytes[2] = 0xff
    var packet = HeldPacket(bytes)
    packet.room.setTrafficClass(value)
    #expect(packet.room.trafficClass == value)
    packet.room.setTrafficClass(0x5a)
    #expect(packet.bytes == bytes)
  }
}
