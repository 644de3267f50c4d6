import SwBPFPackets
import Testing

@testable import SwBPFTunnels

/// Single packets of ipsec interfaces.
struct IPsecPacketTests {
  @Test("T-141 UDP payloads: a byte 0xff, four zero bytes, too short for either, too short for ESP, ESP")
  func kinds() {
    func kind(_ bytes: [UInt8]) -> ESPInUDP { ESPInUDP.kind(of: bytes.span.bytes) }
    #expect(kind([0xff]) == .keepalive && kind([0xfe]) == .ike && kind([]) == .ike)
    #expect(kind([0xff, 0xff]) == .ike && kind([1, 2, 3, 4]) == .ike && kind([0, 0, 0, 0]) == .ike)
    #expect(kind([0, 0, 0, 0, 1, 2, 3, 4, 5, 6]) == .ike)
    for count in 5...8 { #expect(kind([UInt8](repeating: 1, count: count)) == .short) }
    #expect(kind([UInt8](repeating: 1, count: 9)) == .esp && kind([0, 0, 0, 1, 0, 0, 0, 0, 0]) == .esp)
  }

  @Test("T-143 what esp_frag says of a packet")
  func cut() {
    func cut(_ bytes: [UInt8], _ fragment: UInt16) -> InnerCut {
      HeldPacket(bytes).with { InnerCut($0, fragment: fragment) }
    }
    let (free, fixed) = (Inner.ipv4(count: 1000, flags: 0), Inner.ipv4(count: 1000))
    #expect(cut(free, 0) == .fits && cut(free, 65535) == .fits && cut(free, 1020) == .fits)
    #expect(cut(free, 1019) == .cut(999) && cut(fixed, 1019) == .tell(999) && cut(fixed, 30) == .tell(68))
    #expect(cut(free, 1) == .impossible && cut(free, 20) == .impossible && cut(free, 21) == .cut(1))
    #expect(cut(Inner.ipv6(count: 1280), 100) == .fits && cut(Inner.ipv6(count: 1281), 100) == .tell(1280))
    #expect(cut(Inner.ipv6(count: 1400), 1400) == .tell(1380))
  }

  private func fragments(_ bytes: [UInt8], _ limit: Int) -> [[UInt8]] {
    let packet = HeldPacket(bytes)
    guard var fragments = InnerFragments(of: packet.room, limit: limit) else { return [] }
    var all: [[UInt8]] = []
    var room = HeldPacket([])
    while fragments.next(of: packet.room, into: &room.room) { all.append(room.bytes) }
    return all
  }

  @Test("T-143 fragments carry the packet's bytes in order, at least 8 each; a fragment's fragments keep its place")
  func inner() {
    var bytes = Inner.ipv4(count: 300, flags: 0)
    for limit in [28, 29, 100, 299] {
      let all = fragments(bytes, limit)
      #expect(all.flatMap { $0[20...] } == Array(bytes[20...]))
      for (index, one) in all.enumerated() {
        #expect(
          checksum(one[..<20]) == 0 && one.count <= max(limit, 28)
            && (one.count - 20) % 8 == (index == all.count - 1 ? (280 % 8) : 0))
        #expect(one[6] & 0x20 != 0 || index == all.count - 1)
      }
    }
    #expect(fragments(bytes, 1).count == 35)
    // The middle of a packet: 80 bytes on, more to come.
    (bytes[6], bytes[7]) = (0x20, 10)
    let all = fragments(bytes, 180)
    #expect(all.map { Int($0[6] & 0x1f) << 8 | Int($0[7]) } == [10, 30] && all.allSatisfy { $0[6] & 0x20 != 0 })
  }

  @Test("T-143 options that are to be copied are in every fragment, others in the first")
  func options() {
    // NOP, then a copied one of 3 bytes, then one that is not.
    let plain = Inner.ipv4(count: 120, flags: 0)
    let bytes = [0x47, 0] + [0, 128] + plain[4..<20] + [1, 0x82, 3, 9, 7, 4, 5, 0] + plain[20...]
    let all = fragments(bytes, 60)
    #expect(all.first?[20..<28].elementsEqual([1, 0x82, 3, 9, 7, 4, 5, 0]) == true)
    #expect(all.dropFirst().allSatisfy { $0[0] == 0x46 && $0[20..<24].elementsEqual([0x82, 3, 9, 0]) })
    #expect(
      all.first.map { Array($0[28...]) }.map { $0 + all.dropFirst().flatMap { $0[24...] } } == Array(plain[20...]))
    for one in all { #expect(checksum(one[..<(Int(one[0] & 0xf) * 4)]) == 0) }
  }

  @Test("what is said of a packet that is too long is right to the checksum, and nothing is said of errors and to many")
  func tooBig() {
    var room = HeldPacket([])
    #expect(HeldPacket(Inner.ipv4()).with { TooBig.write(about: $0, mtu: 500, into: &room.room) })
    let four = room.bytes
    #expect(four.count == 56 && checksum(four[..<20]) == 0 && checksum(four[20...]) == 0)
    #expect(Array(four[12..<20]) == [172, 16, 2, 1, 172, 16, 1, 1] && Array(four[20..<22]) == [3, 4])
    #expect(Array(four[26..<28]) == [1, 244] && Array(four[28...]) == Array(Inner.ipv4()[..<28]))
    #expect(HeldPacket(Inner.ipv6(count: 1400)).with { TooBig.write(about: $0, mtu: 1280, into: &room.room) })
    let six = room.bytes
    #expect(six.count == 1280 && six[40] == 2 && Array(six[44..<48]) == [0, 0, 5, 0])
    var pseudo = Array(six[8..<40]) + [0, 0, UInt8((1280 - 40) >> 8), UInt8((1280 - 40) & 0xff), 0, 0, 0, 58]
    pseudo += six[40...]
    #expect(checksum(pseudo) == 0)
    var many = Inner.ipv4()
    many[16] = 224
    var later = Inner.ipv4()
    later[7] = 1
    var error = Inner.ipv4()
    (error[9], error[20]) = (1, 3)
    for bytes in [many, later, error, [], [0x45]] {
      #expect(!HeldPacket(bytes).with { TooBig.write(about: $0, mtu: 500, into: &room.room) })
    }
  }
}
