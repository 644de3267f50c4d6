import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// A host with an engine and gif0 on it, and at the other end of the cable a host without, whose sockets are a test's.
struct GifPeer {
  let near: TunnelHost
  let far: Host
  let wan: (LinkEnd, LinkEnd)
  let outerIsIPv6: Bool
  /// As gif0 has it.
  let pair: TunnelPair
  let sender: RawSender
  /// What arrives at the far end, IPv4 and IPv6 inside.
  let receivers: [RawReceiver]
  static let inner4 = ("172.16.1.1", "172.16.2.1")
  static let inner6 = ("fc00:3::1", "fc00:4::1")

  init(outerIsIPv6: Bool = false, queues: Int = 1) throws {
    self.outerIsIPv6 = outerIsIPv6
    let host = try Host("near")
    far = try Host("far")
    wan = try Host.link(host, "wan0", far, "wan0", net: 1, ipv6: true)
    near = try TunnelHost(host, queues: queues)
    let ends = outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4)
    let source = try #require(IPAddress(ends.0))
    let destination = try #require(IPAddress(ends.1))
    pair = try #require(TunnelPair(source: source, destination: destination))
    sender = try far.inside { try RawSender(ipv6: outerIsIPv6) }
    receivers = try far.inside {
      [try RawReceiver(ipv6: outerIsIPv6, transport: 4), try RawReceiver(ipv6: outerIsIPv6, transport: 41)]
    }
    try near.create("gif0")
    try near.perform("gif0", .tunnel(ends.0, ends.1), .address(Self.inner4.0, 32, to: Self.inner4.1))
    try near.perform("gif0", .address(Self.inner6.0, 128, to: Self.inner6.1))
  }

  /// What the far end sends to gif0.
  var back: TunnelPair { pair.reversed }

  /// Outer packets that arrive at the far end, with the inner ones, until so many came; the system's own words left out.
  func receive(_ count: Int, within seconds: Double = 3, transport: UInt8 = 4) throws -> [(
    outer: OuterInfo, inner: [UInt8]
  )] {
    let receiver = receivers[transport == 4 ? 0 : 1]
    var all: [(outer: OuterInfo, inner: [UInt8])] = []
    _ = try eventually(within: seconds) {
      for index in 0..<(try receiver.receive()) {
        guard let (outer, packet) = receiver.take(index) else { continue }
        let inner = (0..<packet.count).map { packet.bytes.u8(at: $0) }
        if inner.first.map({ $0 >> 4 }) == 6, inner.count >= 40, inner[24] == 0xff || inner[8] == 0xfe { continue }
        all.append((outer, inner))
      }
      return all.count >= count
    }
    return all
  }

  /// Sends one packet to gif0 with an outer header of its own.
  func send(_ inner: [UInt8], pair: TunnelPair? = nil, transport: UInt8? = nil, trafficClass: UInt8 = 0) throws {
    let pair = pair ?? back
    var packet = HeldPacket(inner)
    let version: UInt8 = inner.first.map { $0 >> 4 } == 6 ? 41 : 4
    let drop = OuterHeader.prepend(
      to: &packet.room, pair, transport: transport ?? version, trafficClass: trafficClass, hops: 9)
    try #require(drop == nil)
    sender.add(packet.room, to: pair.destination)
    let errors = Array(sender.flush())
    try #require(errors == [0])
  }

  func counters() throws -> InterfaceCounters { try near.status("gif0").counters }
}

extension TunnelPair {
  var reversed: TunnelPair { TunnelPair(source: destination, destination: source)! }
}
