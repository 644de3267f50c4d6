import SwBPFPackets
import Testing

@testable import SwBPFTunnels

struct FragmentsTests {
  private func fragments(_ pair: TunnelPair, inner: Int, mtu: Int) -> [[UInt8]]? {
    var packet = HeldPacket(Inner.ipv4(count: inner))
    _ = GifPacket.encapsulate(&packet.room, .up(pair), by: .by(2), own: 9)
    guard var fragments = Fragments(of: packet.room, mtu: mtu, identification: 0x1234_5678) else { return nil }
    var all: [[UInt8]] = []
    var room = HeldPacket([], headroom: 0, size: mtu)
    while fragments.next(of: packet.room, into: &room.room) { all.append(room.bytes) }
    #expect(all.count == fragments.count)
    return all
  }

  @Test(
    "T-089 an outer IPv6 packet over 1280 bytes leaves as fragments of at most 1280",
    arguments: [1241, 1280, 2480, 8192])
  func ipv6(_ inner: Int) throws {
    let all = try #require(fragments(.ipv6, inner: inner, mtu: 1280))
    #expect(all.allSatisfy { $0.count <= 1280 && $0[6] == 44 && $0[40] == 4 } as Bool)
    #expect(all.dropLast().allSatisfy { $0.count == 1280 } as Bool)
    #expect(all.flatMap { $0[48...] } == Inner.ipv4(count: inner))
  }

  @Test("T-089 what fits in 1280 bytes stays whole")
  func whole() {
    #expect(fragments(.ipv6, inner: 1240, mtu: 1280) == nil)
    #expect(fragments(.ipv4, inner: 1480, mtu: 1500) == nil)
  }

  @Test(
    "an outer IPv4 packet over the path's MTU leaves as fragments",
    arguments: [(1481, 1500), (8192, 1500), (1280, 576), (600, 68)])
  func ipv4(_ inner: Int, _ mtu: Int) throws {
    let all = try #require(fragments(.ipv4, inner: inner, mtu: mtu))
    #expect(all.allSatisfy { $0.count <= mtu && checksum($0[..<20]) == 0 } as Bool)
    #expect(all.flatMap { $0[20...] } == Inner.ipv4(count: inner))
  }
}
