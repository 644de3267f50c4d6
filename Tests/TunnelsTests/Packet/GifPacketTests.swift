import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFTunnels

struct GifPacketTests {
  private let route = RouteAnswer.by(2)

  private func outer(_ pair: TunnelPair, _ transport: UInt8, trafficClass: UInt8 = 0, interface: UInt32 = 2)
    -> OuterInfo
  {
    OuterInfo(
      source: pair.destination, destination: pair.source, transport: transport, trafficClass: trafficClass,
      interface: interface)
  }

  private func decapsulate(_ packet: inout HeldPacket, _ outer: OuterInfo, _ settings: GifSettings) -> TunnelDrop? {
    GifPacket.decapsulate(&packet.room, outer, settings, broadcasts: [0x0a00_00ff], back: route)
  }

  @Test("T-080 what is down or without tunnel refuses with ENETDOWN")
  func refusals() {
    #expect(GifPacket.refusal(.up(.ipv4)) == nil)
    var settings = GifSettings.up(.ipv4)
    settings.isUp = false
    #expect(GifPacket.refusal(settings) == .down)
    settings = GifSettings()
    settings.isUp = true
    #expect(GifPacket.refusal(settings) == .unconfigured)
    #expect([TunnelDrop.down, .unconfigured].allSatisfy { $0.errno == ENETDOWN } as Bool)
  }

  @Test("T-081, T-084 each family goes into each, with the protocol of the inner one, which stays as it is")
  func families() {
    for (pair, length, place) in [(TunnelPair.ipv4, 20, 9), (.ipv6, 40, 6)] {
      for (inner, transport) in [(Inner.ipv4(), 4), (Inner.ipv6(), 41)] as [([UInt8], UInt8)] {
        var packet = HeldPacket(inner)
        #expect(GifPacket.encapsulate(&packet.room, .up(pair), by: route, own: 9) == nil)
        #expect(packet.bytes.count == length + inner.count)
        #expect(packet.bytes[place] == transport)
        #expect(Array(packet.bytes[length...]) == inner)
      }
    }
  }

  @Test("T-082 TTL and hop limit are 30, and what they are set to")
  func hops() {
    for hops in [30, 7] as [UInt8] {
      for (pair, place) in [(TunnelPair.ipv4, 8), (.ipv6, 7)] {
        var settings = GifSettings.up(pair)
        if hops != 30 { (settings.ttl, settings.hopLimit) = (hops, hops) }
        var packet = HeldPacket(Inner.ipv4())
        #expect(GifPacket.encapsulate(&packet.room, settings, by: route, own: 9) == nil)
        #expect(packet.bytes[place] == hops)
      }
    }
  }

  @Test("T-083 the outer DF is clear although the inner is set, and the system is left to number the packet")
  func fragmentBits() {
    var packet = HeldPacket(Inner.ipv4(flags: 0x4000))
    #expect(GifPacket.encapsulate(&packet.room, .up(.ipv4), by: route, own: 9) == nil)
    #expect(Array(packet.bytes[4..<8]) == [0, 0, 0, 0])
  }

  @Test("T-090, T-091 no far end, no way there, or a way into itself: ENETUNREACH, and the packet is as it was")
  func unreachable() throws {
    var noRoute = RouteAnswer()
    noRoute.errno = ENETUNREACH
    let nowhere4 = try #require(
      TunnelPair(source: IPAddress(v4: 0x0a00_0001), destination: IPAddress(v4: 0)))
    let nowhere6 = try #require(
      TunnelPair(source: IPAddress(v6: 1, 2), destination: IPAddress(v6: 0, 0)))
    for (pair, route) in [(nowhere4, route), (nowhere6, route), (.ipv4, noRoute), (.ipv6, .by(9))] {
      var packet = HeldPacket(Inner.ipv4())
      #expect(GifPacket.encapsulate(&packet.room, .up(pair), by: route, own: 9) == .unreachable)
      #expect(packet.bytes == Inner.ipv4())
    }
    #expect(TunnelDrop.unreachable.errno == ENETUNREACH)
  }

  @Test(
    "T-092 another inner family is EAFNOSUPPORT; a short header, no room and too long a packet have errors of their own"
  )
  func badInner() {
    func result(_ bytes: [UInt8], headroom: Int = 96, pair: TunnelPair = .ipv4) -> TunnelDrop? {
      var packet = HeldPacket(bytes, headroom: headroom)
      let drop = GifPacket.encapsulate(&packet.room, .up(pair), by: route, own: 9)
      #expect(drop == nil || packet.bytes == bytes)
      return drop
    }
    #expect(result([0x50] + Inner.body(40)) == .family)
    #expect(TunnelDrop.family.errno == EAFNOSUPPORT)
    #expect(result([]) == .truncated)
    #expect(result(Array(Inner.ipv4()[..<19])) == .truncated)
    #expect(result(Array(Inner.ipv6()[..<39])) == .truncated)
    #expect(result(Inner.ipv4(), headroom: 19) == .noRoom)
    #expect(result(Inner.ipv4(), headroom: 39, pair: .ipv6) == .noRoom)
    #expect(result(Inner.ipv4(count: 65515)) == nil)
    #expect(result(Inner.ipv4(count: 65516)) == .tooLong)
    #expect(result(Inner.ipv4(count: 65535), pair: .ipv6) == nil)
  }

  @Test("T-093 only the mirrored outer pair is taken")
  func pairs() {
    var settings = GifSettings.up(.ipv4)
    var packet = HeldPacket(Inner.ipv4())
    #expect(decapsulate(&packet, outer(.ipv4, 4), settings) == nil)
    let mirrored = TunnelPair(source: TunnelPair.ipv4.destination, destination: TunnelPair.ipv4.source)!
    #expect(decapsulate(&packet, outer(mirrored, 4), settings) == .unconfigured)
    #expect(decapsulate(&packet, outer(.ipv6, 4), settings) == .unconfigured)
    settings.pair = nil
    #expect(decapsulate(&packet, outer(.ipv4, 4), settings) == .unconfigured)
  }

  @Test(
    "T-094 an outer source that nothing can come from is dropped",
    arguments: [
      "224.0.0.1", "239.1.2.3", "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "255.0.0.1", "255.255.255.255",
      "10.0.0.255", "ff02::1", "::",
    ])
  func martians(_ text: String) throws {
    let source = try #require(IPAddress(text))
    let near = source.isIPv6 ? TunnelPair.ipv6.source : TunnelPair.ipv4.source
    let pair = try #require(TunnelPair(source: near, destination: source))
    var packet = HeldPacket(Inner.ipv4())
    #expect(decapsulate(&packet, outer(pair, 4), .up(pair)) == .martian)
    #expect(packet.bytes == Inner.ipv4())
  }

  @Test("T-095 the way back must leave by the interface that the packet came in by, but with link2")
  func ingressFilter() {
    var settings = GifSettings.up(.ipv4)
    var noRoute = RouteAnswer()
    noRoute.errno = ENETUNREACH
    for (back, drop) in [(RouteAnswer.by(2), nil), (.by(3), .ingress), (noRoute, .ingress), (nil, .ingress)]
      as [(RouteAnswer?, TunnelDrop?)]
    {
      for filters in [true, false] {
        settings.filtersIngress = filters
        var packet = HeldPacket(Inner.ipv4())
        let result = GifPacket.decapsulate(&packet.room, outer(.ipv4, 4), settings, broadcasts: [], back: back)
        #expect(result == (filters ? drop : nil))
      }
    }
  }

  @Test("T-096 nothing comes in while it is down")
  func down() {
    var settings = GifSettings.up(.ipv4)
    settings.isUp = false
    var packet = HeldPacket(Inner.ipv4())
    #expect(decapsulate(&packet, outer(.ipv4, 4), settings) == .down)
  }

  @Test("T-097 a truncated inner header, or one of another family than the outer says, is dropped")
  func truncated() {
    for (inner, transport, length) in [(Inner.ipv4(), 4, 20), (Inner.ipv6(), 41, 40)] as [([UInt8], UInt8, Int)] {
      for count in 0...inner.count {
        var packet = HeldPacket(Array(inner[..<count]))
        #expect(decapsulate(&packet, outer(.ipv6, transport), .up(.ipv6)) == (count < length ? .truncated : nil))
      }
    }
    var packet = HeldPacket(Inner.ipv6())
    #expect(decapsulate(&packet, outer(.ipv4, 4), .up(.ipv4)) == .family)
    packet = HeldPacket(Inner.ipv4())
    #expect(decapsulate(&packet, outer(.ipv4, 41), .up(.ipv4)) != nil)
    #expect(decapsulate(&packet, outer(.ipv4, 47), .up(.ipv4)) == .family)
    for length in [0, 4, 15] as [UInt8] {
      var bytes = Inner.ipv4(count: 50)
      bytes[0] = 0x40 | length
      packet = HeldPacket(bytes)
      #expect(decapsulate(&packet, outer(.ipv4, 4), .up(.ipv4)) == .truncated)
    }
  }

  @Test("T-087, T-088 input with link1 marks the inner header, or drops what nobody would understand")
  func marked() {
    for (build, transport) in [(ipv4, 4), (ipv6, 41)] as [((UInt8) -> [UInt8], UInt8)] {
      var packet = HeldPacket(build(2))
      #expect(decapsulate(&packet, outer(.ipv4, transport, trafficClass: 3), .up(.ipv4, ecn: .passed)) == nil)
      #expect(packet.bytes == build(3))
      packet = HeldPacket(build(0))
      #expect(decapsulate(&packet, outer(.ipv4, transport, trafficClass: 3), .up(.ipv4, ecn: .passed)) == .congested)
      packet = HeldPacket(build(2))
      #expect(decapsulate(&packet, outer(.ipv4, transport, trafficClass: 3), .up(.ipv4)) == nil)
      #expect(packet.bytes == build(2))
    }
  }

  private func ipv4(_ trafficClass: UInt8) -> [UInt8] { Inner.ipv4(trafficClass: trafficClass) }
  private func ipv6(_ trafficClass: UInt8) -> [UInt8] { Inner.ipv6(trafficClass: trafficClass) }

  @Test("a received IPv4 header is read and taken off, with what is behind the packet's end; a lying one is refused")
  func takeIPv4() throws {
    let pair = TunnelPair(source: TunnelPair.ipv4.destination, destination: TunnelPair.ipv4.source)!
    var packet = HeldPacket(Inner.ipv4(trafficClass: 0x28))
    #expect(GifPacket.encapsulate(&packet.room, .up(pair), by: route, own: 9) == nil)
    let whole = packet.bytes
    var received = HeldPacket(whole + [1, 2, 3])
    let info = try #require(OuterInfo.takeIPv4(off: &received.room, interface: 5))
    #expect(info == outer(.ipv4, 4, trafficClass: 0x28, interface: 5))
    #expect(info.pair == .ipv4)
    #expect(received.bytes == Inner.ipv4(trafficClass: 0x28))
    for (place, value) in [(0, 0x44), (0, 0x4f), (0, 0x65), (2, 0xff), (3, 0x13)] as [(Int, UInt8)] {
      var bytes = Array(whole[..<50])
      bytes[2] = 0
      bytes[3] = 50
      bytes[place] = value
      received = HeldPacket(bytes)
      #expect(OuterInfo.takeIPv4(off: &received.room, interface: 5) == nil, "byte \(place): \(value)")
      #expect(received.bytes == bytes)
    }
    for count in 0..<whole.count {
      received = HeldPacket(Array(whole[..<count]))
      #expect(OuterInfo.takeIPv4(off: &received.room, interface: 5) == nil)
    }
  }
}
