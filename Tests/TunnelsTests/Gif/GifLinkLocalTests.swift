import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Tunnels between link-local addresses: the same pair on two links is two tunnels.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct GifLinkLocalTests {
  @Test("outer link-local addresses are those of the link that stands behind them, on the way out and on the way in")
  func links() throws {
    let near = try TunnelHost(Host("near"), queues: 1)
    var ends: [(host: Host, receiver: RawReceiver, sender: RawSender)] = []
    var indices: [UInt32] = []
    for number in 0..<2 {
      let other = try Host("far")
      let link = try Host.link(near.host, "wan\(number)", other, "wan\(number)", net: UInt8(number + 1), ipv6: true)
      // The same addresses on both.
      try near.host.ip("addr add fe80::1/64 dev wan\(number) nodad")
      try other.ip("addr add fe80::2/64 dev wan\(number) nodad")
      try near.host.ip("neigh replace fe80::2 lladdr \(link.1.macText) nud permanent dev wan\(number)")
      try other.ip("neigh replace fe80::1 lladdr \(link.0.macText) nud permanent dev wan\(number)")
      indices.append(near.engine.control.index(of: "wan\(number)"))
      let (receiver, sender) = try other.inside {
        (try RawReceiver(ipv6: true, transport: 4), try RawSender(ipv6: true))
      }
      ends.append((other, receiver, sender))
    }
    for (number, index) in indices.enumerated() {
      try near.create("gif\(number)")
      try near.perform("gif\(number)", .tunnel("fe80::1%\(index)", "fe80::2%\(index)"), .up)
    }
    let own = try #require(IPAddress("fe80::1")).scoped(to: 9)
    for (number, end) in ends.enumerated() {
      try near.reader("gif\(number)").write([2, 0, 0, 0] + Inner.ipv4())
      #expect(try eventually { try end.receiver.receive() == 1 })
      #expect(end.receiver.take(0)?.0.source.unscoped == own.unscoped)
      #expect(try ends[1 - number].receiver.receive() == 0)
      // Back by the same link.
      let before = try (0..<2).map { try near.status("gif\($0)").counters.inputPackets }
      let link = try end.host.inside { try InterfaceControl().index(of: "wan\(number)") }
      let pair = TunnelPair(
        source: try #require(IPAddress("fe80::2")).scoped(to: link), destination: own.scoped(to: link))
      var packet = HeldPacket(Inner.ipv4())
      #expect(
        OuterHeader.prepend(to: &packet.room, try #require(pair), transport: 4, trafficClass: 0, hops: 9) == nil)
      end.sender.add(packet.room, to: try #require(pair).destination)
      #expect(Array(end.sender.flush()) == [0])
      #expect(try eventually { try near.status("gif\(number)").counters.inputPackets == before[number] + 1 })
      #expect(try near.status("gif\(1 - number)").counters.inputPackets == before[1 - number])
    }
    #expect(near.engine.strayPackets == 0)
  }

  @Test("a link-local end without its link is refused, and the same pair on the same link is another tunnel's")
  func refusals() throws {
    let near = try TunnelHost(Host(), queues: 1)
    for name in ["gif0", "gif1"] { try near.create(name) }
    #expect(near.refusal { try near.perform("gif0", .tunnel("fe80::1", "fe80::2")) } == "SIOCSLIFPHYADDR: \(EINVAL)")
    #expect(try near.status("gif0").tunnel == nil)
    try near.perform("gif0", .tunnel("fe80::1%7", "fe80::2%7"))
    try near.perform("gif1", .tunnel("fe80::1%8", "fe80::2%8"))
    let taken = near.refusal { try near.perform("gif1", .tunnel("fe80::1%7", "fe80::2%7")) }
    #expect(taken == "SIOCSLIFPHYADDR: \(EADDRNOTAVAIL)")
  }
}
