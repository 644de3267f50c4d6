import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Tunnels, routes and interfaces that change while packets flow.
@Suite(.needsNamespaces, .timeLimit(.minutes(3)))
struct GifChangeTests {
  @Test(
    "T-105, T-030 however often the tunnel changes, no packet has one old and one new address, and after a change none has old ones"
  )
  func changes() throws {
    let peer = try GifPeer(queues: 2)
    for number in 1...2 {
      try peer.near.host.ip("addr add 10.\(20 + number).0.1/24 dev wan0")
      try peer.near.host.ip("neigh replace 10.\(20 + number).0.2 lladdr \(peer.wan.1.macText) nud permanent dev wan0")
      try peer.far.ip("addr add 10.\(20 + number).0.2/24 dev wan0")
    }
    let pairs = ["10.21.0.", "10.22.0."].map { ("\($0)1", "\($0)2") }
    let traffic = try Traffic(peer.near.host, to: GifPeer.inner4.1)
    let changes = Requirement.short ? 1000 : 10_000
    let counts = Tally()
    let isDone = Gate()
    let receiver = peer.receivers[0]
    let judge = Thread(name: "judge") {
      while true {
        let wasDone = isDone.wait(upTo: 0)
        guard let count = try? receiver.receive() else { return }
        for index in 0..<count {
          guard let (outer, _) = receiver.take(index) else { continue }
          counts.add("\(outer.source) > \(outer.destination)")
        }
        if count == 0 {
          if wasDone { return }
          usleep(200)
        }
      }
    }
    var tables: [WeakTable] = []
    for number in 0..<changes {
      if number % 50 == 0 { tables.append(WeakTable(table: peer.near.engine.shared.table.value)) }
      let pair = pairs[number % 2]
      try peer.near.perform("gif0", .tunnel(pair.0, pair.1))
      if number % 7 == 0 { try peer.near.perform("gif0", .deleteTunnel) }
    }
    try peer.near.perform("gif0", .tunnel(pairs[0].0, pairs[0].1))
    traffic.stop()
    #expect(try eventually { try !peer.near.pings(GifPeer.inner4.1, wait: 0) && counts.count > 0 })
    isDone.open()
    judge.join()
    // What was published before is gone: a request leaves nothing behind.
    #expect(eventually { tables.allSatisfy { $0.table == nil } })
    let seen = counts.values
    let allowed = Set(pairs.map { "\($0.0) > \($0.1)" } + ["\(peer.pair.source) > \(peer.pair.destination)"])
    #expect(Set(seen.keys).isSubset(of: allowed), "\(seen)")
    #expect(pairs.allSatisfy { seen["\($0.0) > \($0.1)", default: 0] > 0 } as Bool, "\(seen)")
  }

  private struct WeakTable {
    weak var table: TunnelTable?
  }

  @Test("T-079, T-023 interfaces made and destroyed under traffic in both directions: nothing is left, nothing leaks")
  func destroyUnderTraffic() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    let traffic = [
      try Traffic(hosts.near.host, to: GifHosts.inner4.1), try Traffic(hosts.far.host, to: GifHosts.inner4.0),
    ]
    defer { for one in traffic { one.stop() } }
    let before = descriptors()
    for _ in 0..<(Requirement.short ? 20 : 100) {
      try hosts.near.destroy("gif0")
      try hosts.near.create("gif0")
      try hosts.near.perform("gif0", .tunnel(hosts.outer.0, hosts.outer.1))
      try hosts.near.perform("gif0", .address(GifHosts.inner4.0, 32, to: GifHosts.inner4.1))
    }
    #expect(try eventually(within: 2) { try hosts.near.status("gif0").counters.inputPackets > 0 })
    try hosts.near.destroy("gif0")
    #expect(eventually { descriptors() == before - 2 })
    #expect(try !hosts.near.host.ip("link show").contains("gif0"))
  }

  /// Descriptors of TUN devices that this process has.
  private func descriptors() -> Int {
    var count = 0
    for number in 0..<1024 {
      var status = stat()
      // Major 10, minor 200.
      if fstat(CInt(number), &status) == 0, status.st_rdev == 10 << 8 | 200 { count += 1 }
    }
    return count
  }

  @Test("T-171 a route change moves what the tunnel sends, and a route that goes away is known at once")
  func routeChange() throws {
    let peer = try GifPeer()
    let third = try Host("third")
    try Host.link(peer.near.host, "other0", third, "other0", net: 3)
    try peer.near.host.ip("addr add 10.50.0.1/32 dev lo")
    try peer.near.host.ip("route add 10.60.0.1 via 10.1.0.2")
    for host in [peer.far, third] { try host.ip("addr add 10.60.0.1/32 dev lo") }
    let there = try third.inside { try RawReceiver(ipv6: false, transport: 4) }
    try peer.near.perform("gif0", .tunnel("10.50.0.1", "10.60.0.1"))
    let writer = try peer.near.reader("gif0")
    let frame = [2, 0, 0, 0] + Inner.ipv4()
    try writer.write(frame)
    #expect(try peer.receive(1).count == 1)
    try peer.near.host.ip("route replace 10.60.0.1 via 10.3.0.2")
    #expect(peer.near.engine.shared.routing.events.settle())
    try writer.write(frame)
    #expect(try eventually { try there.receive() == 1 })
    #expect(try peer.receive(1, within: 0.1).isEmpty)
    try peer.near.host.ip("route del 10.60.0.1")
    #expect(peer.near.engine.shared.routing.events.settle())
    #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "gif_output")) { try writer.write(frame) }
  }

  @Test(
    "T-031 an ICMPv6 error about the far end makes the way there be asked for again, one about another address does not"
  )
  func pathError() throws {
    let peer = try GifPeer(outerIsIPv6: true)
    let gif = try #require(peer.near.engine.tunnels["gif0"])
    for (destination, isMeant) in [(peer.pair.destination, true), (IPAddress("fd00:1::77")!, false)] {
      // Something that fills the input worker's route.
      let refused = try peer.counters().inputPackets
      try peer.send(Inner.ipv4())
      #expect(try eventually { try peer.counters().inputPackets == refused + 1 })
      let before = gif.routes.statistics.invalidations
      // Packet too big, about a packet of ours.
      var quoted = HeldPacket(Inner.ipv4())
      let pair = try #require(TunnelPair(source: peer.pair.source, destination: destination))
      #expect(OuterHeader.prepend(to: &quoted.room, pair, transport: 4, trafficClass: 0, hops: 9) == nil)
      var message = HeldPacket([2, 0, 0, 0, 0, 0, 5, 0] + quoted.bytes)
      var sum = InternetChecksum()
      let pseudo =
        (peer.back.source.bytes + peer.back.destination.bytes) + [0, 0, 0, UInt8(message.bytes.count), 0, 0, 0, 58]
      let all = pseudo + message.bytes
      sum.add(all.span.bytes)
      message.room.store(be16: sum.value, at: 2)
      #expect(OuterHeader.prepend(to: &message.room, peer.back, transport: 58, trafficClass: 0, hops: 9) == nil)
      peer.sender.add(message.room, to: peer.back.destination)
      #expect(Array(peer.sender.flush()) == [0])
      if isMeant {
        #expect(eventually { gif.routes.statistics.invalidations == before + 1 })
      } else {
        pause(0.1)
        #expect(gif.routes.statistics.invalidations == before)
      }
    }
  }
}
