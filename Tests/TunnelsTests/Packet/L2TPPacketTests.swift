import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Data messages against RFC 3931, by hand and by scapy.
struct L2TPPacketTests {
  private static let cookies: [L2TPCookies?] = [
    nil, L2TPCookies(localLength: 4, local: 0x0102_0304, remoteLength: 4, remote: 0xfffe_fdfc),
    L2TPCookies(localLength: 8, local: 0x0102_0304_0506_0708, remoteLength: 8, remote: 0xfffe_fdfc_fbfa_f9f8),
    L2TPCookies(localLength: 8, local: 5, remoteLength: 4, remote: 6),
    L2TPCookies(localLength: 4, local: 5, remoteLength: 8, remote: 6),
  ]

  private func settings(_ pair: TunnelPair = .ipv4, _ cookies: L2TPCookies? = nil) -> L2TPSettings {
    var settings = L2TPSettings()
    settings.isUp = true
    settings.pair = pair
    settings.session = L2TPSession(local: 0x0000_04d2, remote: 0x8000_10e1)
    settings.cookies = cookies
    return settings
  }

  @Test(
    "T-107, T-113, T-121 outer header, the peer's id, its cookie of 4 or 8 bytes, and the frame as it was: every byte")
  func output() {
    let frame = [UInt8].frame()
    for (cookies, wanted) in zip(
      Self.cookies,
      [
        [], [0xff, 0xfe, 0xfd, 0xfc], [0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8], [0, 0, 0, 6],
        [0, 0, 0, 0, 0, 0, 0, 6],
      ] as [[UInt8]])
    {
      let message = [0x80, 0, 0x10, 0xe1] + wanted + frame
      var four = HeldPacket(frame)
      #expect(L2TPPacket.encapsulate(&four.room, settings(.ipv4, cookies), by: .by(2), own: 9) == nil)
      // Version and length of the header, TOS 0; length; id and flags 0; TTL 64, protocol 115; checksum; addresses.
      var header: [UInt8] = [
        0x45, 0, 0, UInt8(20 + message.count), 0, 0, 0, 0, 64, 115, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
      ]
      let sum = checksum(header)
      header.replaceSubrange(10..<12, with: [UInt8(sum >> 8), UInt8(sum & 0xff)])
      #expect(four.bytes == header + message)
      var six = HeldPacket(frame)
      #expect(L2TPPacket.encapsulate(&six.room, settings(.ipv6, cookies), by: .by(2), own: 9) == nil)
      let front: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(message.count), 115, 64]
      #expect(six.bytes == front + TunnelPair.ipv6.source.bytes + TunnelPair.ipv6.destination.bytes + message)
    }
  }

  @Test("T-107, T-113 every message is as scapy puts it together", .needsScapy, .timeLimit(.minutes(2)))
  func scapy() throws {
    var ours: [String] = []
    for pair in [TunnelPair.ipv4, .ipv6] {
      for cookies in Self.cookies {
        var packet = HeldPacket(.frame(100))
        #expect(L2TPPacket.encapsulate(&packet.room, settings(pair, cookies), by: .by(2), own: 9) == nil)
        ours.append(hex(packet.bytes))
      }
    }
    let script = """
      from scapy.all import *
      frame = Ether(src='02:00:00:00:09:09', dst='02:00:00:00:09:01', type=0x88b5)/bytes((n * 7 + 1) & 255 for n in range(86))
      cookies = [b'', bytes.fromhex('fffefdfc'), bytes.fromhex('fffefdfcfbfaf9f8'), struct.pack('>I', 6), struct.pack('>Q', 6)]
      for outer in (IP(src='10.0.0.1', dst='10.0.0.2', ttl=64, id=0, proto=115), IPv6(src='fc00::1', dst='fc00::2', hlim=64, nh=115)):
        for cookie in cookies:
          print(bytes(outer/(struct.pack('>I', 0x800010e1) + cookie)/frame).hex())
      """
    let output = try Child([try #require(Tool.scapyPython), "-c", script]).finish(timeout: 60)
    #expect(output.out.split(separator: "\n").map(String.init) == ours, "\(output.err)")
  }

  private func taken(
    _ message: [UInt8], _ settings: L2TPSettings, from source: String = "10.0.0.2", to: String = "10.0.0.1"
  ) throws -> (drop: TunnelDrop?, rest: [UInt8]) {
    var packet = HeldPacket(message)
    let outer = OuterInfo(
      source: try #require(IPAddress(source)), destination: try #require(IPAddress(to)), transport: 115,
      trafficClass: 0)
    let drop = L2TPPacket.decapsulate(&packet.room, outer, settings, broadcasts: [0x0a00_00ff])
    return (drop, packet.bytes)
  }

  @Test("T-113, T-114, T-115, T-120 what arrives needs our id, our cookie and a whole Ethernet header")
  func input() throws {
    let frame = [UInt8].frame()
    let id: [UInt8] = [0, 0, 0x04, 0xd2]
    for cookies in Self.cookies {
      let length = cookies.map { Int($0.localLength) } ?? 0
      let cookie = cookies.map { length == 8 ? .be64($0.local) : .be32(UInt32($0.local)) } ?? []
      let settings = settings(.ipv4, cookies)
      let good = try taken(id + cookie + frame, settings)
      #expect(good.drop == nil && good.rest == frame)
      #expect(try taken(id + cookie + frame.prefix(14), settings).rest == Array(frame.prefix(14)))
      for short in [0, 1, 13] { #expect(try taken(id + cookie + frame.prefix(short), settings).drop == .truncated) }
      guard length > 0 else { continue }
      for bit in 0..<length * 8 {
        var wrong = cookie
        wrong[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(try taken(id + wrong + frame, settings).drop == .cookie)
      }
      for short in 0..<length { #expect(try taken(id + cookie.prefix(short), settings).drop == .cookie) }
      #expect(try taken(id + frame, settings).drop == .cookie)
    }
    #expect(try taken([0, 0, 4, 0xd3] + frame, settings()).drop == .noSession)
    for short in 0..<4 {
      #expect(HeldPacket(Array(id.prefix(short))).with(L2TPPacket.recipient) == .nobody)
    }
    #expect(HeldPacket([0, 0, 0, 0, 0xc8, 2]).with(L2TPPacket.recipient) == .control)
    #expect(HeldPacket([0x80, 0, 0, 1]).with(L2TPPacket.recipient) == .session(0x8000_0001))
  }

  @Test(
    "T-117, T-119 what arrives while down, without a tunnel, or from elsewhere is refused; from elsewhere it may be asked for"
  )
  func sources() throws {
    let message = [0, 0, 0x04, 0xd2] + [UInt8].frame()
    var settings = settings()
    for (source, destination) in [("10.0.0.3", "10.0.0.1"), ("10.0.0.2", "10.0.0.9"), ("10.0.0.1", "10.0.0.2")] {
      #expect(try taken(message, settings, from: source, to: destination).drop == .source)
    }
    settings.takesAnySource = true
    #expect(try taken(message, settings, from: "10.0.0.3", to: "10.0.0.9").drop == nil)
    for source in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "0.1.2.3"] {
      #expect(try taken(message, settings, from: source).drop == .martian, "\(source)")
    }
    var off = settings
    off.isUp = false
    #expect(try taken(message, off).drop == .down)
    off = settings
    off.pair = nil
    #expect(try taken(message, off).drop == .unconfigured)
    off = settings
    off.session = nil
    #expect(try taken(message, off).drop == .noSession)
  }

  @Test("T-123 nothing leaves while down, without a tunnel, without a session, without a way")
  func refusals() {
    var off = settings()
    #expect(L2TPPacket.refusal(off) == nil)
    off.session = nil
    #expect(L2TPPacket.refusal(off) == .noSession && TunnelDrop.noSession.errno == 100)
    off.pair = nil
    #expect(L2TPPacket.refusal(off) == .unconfigured)
    off.isUp = false
    #expect(L2TPPacket.refusal(off) == .down)
    var none = RouteAnswer()
    none.errno = 101
    var away = settings()
    away.pair = TunnelPair(source: IPAddress(v4: 0x0a00_0001), destination: IPAddress(v4: 0))
    for (settings, route) in [(settings(), none), (settings(), RouteAnswer.by(9)), (away, .by(2))] {
      var packet = HeldPacket(.frame())
      #expect(L2TPPacket.encapsulate(&packet.room, settings, by: route, own: 9) == .unreachable)
    }
    for count in 0..<14 {
      var packet = HeldPacket(Array([UInt8].frame().prefix(count)))
      #expect(L2TPPacket.encapsulate(&packet.room, settings(), by: .by(2), own: 9) == .truncated)
    }
    for size in 0..<52 {
      var packet = HeldPacket(.frame(), headroom: size)
      #expect(
        L2TPPacket.encapsulate(&packet.room, settings(.ipv6, Self.cookies[2]), by: .by(2), own: 9) == .noRoom)
    }
  }

  @Test("the network header of a frame is behind its tags")
  func offsets() {
    func offset(_ bytes: [UInt8]) -> Int? { EthernetFrame.networkOffset(bytes.span.bytes) }
    #expect(offset(.frame()) == 14 && offset(Array([UInt8].frame().prefix(13))) == nil)
    #expect(offset(.frame(type: [0x81, 0, 0, 5, 8, 0])) == 18)
    #expect(offset(.frame(type: [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0])) == 22)
    #expect(offset(Array([UInt8].frame(type: [0x81, 0, 0, 5, 8, 0]).prefix(17))) == nil)
  }

  @Test("T-122 outer packets of tunnels are known in frames: whole, tagged, fragments")
  func tunnelled() throws {
    func pair(_ type: [UInt8], _ packet: [UInt8]) -> TunnelPair? {
      let frame = [UInt8].frame(12 + type.count, type: type) + packet
      return EthernetFrame.tunnelled(frame.span.bytes)
    }
    for transport in [4, 41, 50, 115] as [UInt8] {
      for (tunnel, type) in [(TunnelPair.ipv4, [8, 0]), (.ipv6, [0x86, 0xdd])] as [(TunnelPair, [UInt8])] {
        var outer = HeldPacket(.frame(1500))
        #expect(OuterHeader.prepend(to: &outer.room, tunnel, transport: transport, trafficClass: 0, hops: 1) == nil)
        #expect(pair(type, outer.bytes) == tunnel)
        #expect(pair([0x81, 0, 0, 5] + type, outer.bytes) == tunnel)
        var fragments = try #require(Fragments(of: outer.room, mtu: 1280, identification: 7))
        var piece = HeldPacket([])
        while fragments.next(of: outer.room, into: &piece.room) { #expect(pair(type, piece.bytes) == tunnel) }
        for short in [0, tunnel.headerLength - 1] { #expect(pair(type, Array(outer.bytes.prefix(short))) == nil) }
      }
    }
    #expect(pair([8, 0], Inner.ipv4()) == nil && pair([0x86, 0xdd], Inner.ipv6()) == nil && pair([8, 6], []) == nil)
  }

  @Test("session ids are found whatever they are, and only those that are there")
  func table() {
    let ids = (0..<1000).map { UInt32(truncatingIfNeeded: ($0 + 1) &* 0x9e37_79b9) }
    let table = SessionTable([nil] + ids + [ids[0]])
    for (number, id) in ids.enumerated() { #expect(table.number(of: id) == number + 1) }
    for id in ids where !ids.contains(id &+ 1) { #expect(table.number(of: id &+ 1) == nil) }
    #expect(SessionTable([]).number(of: 1) == nil)
  }
}
