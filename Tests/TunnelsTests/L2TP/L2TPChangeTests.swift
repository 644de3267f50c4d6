import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Sessions, cookies, tunnels and interfaces that change while frames flow both ways.
@Suite(.needsNamespaces, .timeLimit(.minutes(3)))
struct L2TPChangeTests {
  /// A configuration: addresses, ids and cookies belong together.
  private struct Setup {
    let number: UInt8
    let ids: L2TPSession
    let cookies: L2TPCookies
    let ends: (String, String)

    init(_ number: UInt8) {
      self.number = number
      let base = UInt32(number) * 0x0101_0101
      ids = L2TPSession(local: base, remote: base + 1)
      cookies = L2TPCookies(
        localLength: 8, local: UInt64(base) << 32 | 7, remoteLength: number == 1 ? 4 : 8, remote: UInt64(base) + 2)
      ends = ("10.\(20 + number).0.1", "10.\(20 + number).0.2")
    }

    /// What stands in front of each frame that leaves.
    var front: [UInt8] {
      .be32(ids.remote) + (cookies.remoteLength == 4 ? .be32(UInt32(cookies.remote)) : .be64(cookies.remote))
    }
  }

  @Test(
    "T-105, T-116, T-125 however often tunnel, session and cookies change, no message has old and new ones, in either direction"
  )
  func changes() throws {
    let peer = try L2TPPeer(queues: 2, ids: nil)
    let setups = [Setup(1), Setup(2)]
    for setup in setups {
      try peer.near.host.ip("addr add \(setup.ends.0)/24 dev wan0")
      try peer.near.host.ip("neigh replace \(setup.ends.1) lladdr \(peer.wan.1.macText) nud permanent dev wan0")
      try peer.far.ip("addr add \(setup.ends.1)/24 dev wan0")
      try peer.far.ip("neigh replace \(setup.ends.0) lladdr \(peer.wan.0.macText) nud permanent dev wan0")
    }
    try peer.near.host.ip("addr add 172.16.1.1/24 dev l2tp0")
    try peer.near.host.ip("neigh replace 172.16.1.2 lladdr 02:00:00:00:00:99 nud permanent dev l2tp0")
    let traffic = try Traffic(peer.near.host, to: "172.16.1.2")
    let (sent, received) = (Tally(), Tally())
    let isDone = Gate()
    let receiver = peer.receiver
    let reader = try peer.near.reader("l2tp0")
    try reader.setDirection(.in)
    // Whatever leaves: which pair, which id and cookie.
    let judge = Thread(name: "judge") {
      while true {
        let wasDone = isDone.wait(upTo: 0)
        guard let count = try? receiver.receive() else { return }
        for index in 0..<count {
          guard let (outer, packet) = receiver.take(index) else { continue }
          let front = (0..<min(packet.count, 12)).map { packet.bytes.u8(at: $0) }
          let setup = setups.first { front.starts(with: $0.front) }
          sent.add("\(outer.source) > \(outer.destination) \(setup?.number ?? 0)")
        }
        if count == 0 {
          if wasDone { return }
          usleep(200)
        }
      }
    }
    // Whatever arrives: of each id with each cookie, from each end; the frame's source tells which.
    let arrivals = Thread(name: "arrivals") {
      while !isDone.wait(upTo: 0) {
        for (a, b, c) in [(0, 0, 0), (1, 1, 1), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 1, 0)] {
          let message =
            .be32(setups[a].ids.local) + .be64(setups[b].cookies.local) + [UInt8].frame(from: UInt8(a * 4 + b * 2 + c))
          guard let source = IPAddress(setups[c].ends.1), let destination = IPAddress(setups[c].ends.0),
            let pair = TunnelPair(source: source, destination: destination)
          else { return }
          try? peer.send(message, pair: pair)
        }
        usleep(300)
      }
    }
    let taps = Thread(name: "taps") {
      while !isDone.wait(upTo: 0) {
        guard let frames = try? reader.frames(1, within: 0.05, where: { Array($0[12..<14]) == [0x88, 0xb5] }) else {
          return
        }
        for frame in frames { received.add("\(frame[11])") }
      }
    }
    for number in 0..<(Requirement.short ? 200 : 1000) {
      let setup = setups[number % 2]
      try peer.near.perform("l2tp0", .deleteSession, .tunnel(setup.ends.0, setup.ends.1), .cookie(setup.cookies))
      try peer.near.perform("l2tp0", .session(setup.ids))
    }
    for setup in setups {
      try peer.near.perform("l2tp0", .deleteSession, .tunnel(setup.ends.0, setup.ends.1), .cookie(setup.cookies))
      try peer.near.perform("l2tp0", .session(setup.ids))
      let name = "\(setup.ends.0) > \(setup.ends.1) \(setup.number)"
      let (before, old) = (sent.values[name, default: 0], received.count)
      #expect(eventually(within: 20) { sent.values[name, default: 0] > before && received.count > old })
    }
    traffic.stop()
    isDone.open()
    for thread in [judge, arrivals, taps] { thread.join() }
    #expect(Set(sent.values.keys) == Set(setups.map { "\($0.ends.0) > \($0.ends.1) \($0.number)" }), "\(sent.values)")
    // Id, cookie and source of one configuration.
    #expect(Set(received.values.keys) == ["0", "7"], "\(received.values)")
  }

  @Test(
    "T-125 interfaces made and destroyed under traffic in both directions: nothing is left, and the ids are free at once"
  )
  func destroyUnderTraffic() throws {
    let bridges = try L2TPBridges()
    let (near, far) = (bridges.near, bridges.far)
    #expect(try bridges.pings(ipv6: false) == [true, true])
    let traffic = [
      try Traffic(bridges.clients.0, to: L2TPBridges.addresses4.1),
      try Traffic(bridges.clients.1, to: L2TPBridges.addresses4.0),
    ]
    defer { for one in traffic { one.stop() } }
    for _ in 0..<(Requirement.short ? 10 : 30) {
      try near.destroy("l2tp0")
      try near.create("l2tp0")
      try near.hush("l2tp0")
      try near.perform("l2tp0", .tunnel(bridges.wan.0.ipv4, bridges.wan.1.ipv4))
      try near.perform("l2tp0", .session(L2TPSession(local: 1234, remote: 4321)), .mtu(1500), .up)
      try near.host.ip("link set l2tp0 master bridge0")
    }
    #expect(try eventually(within: 10) { try near.status("l2tp0").counters.inputPackets > 0 })
    try near.destroy("l2tp0")
    #expect(try !near.host.ip("link show").contains("l2tp0"))
    #expect(try far.status("l2tp0").counters.outputPackets > 0)
  }

  @Test("T-171 a route change moves what the tunnel sends; a way that goes away is known at once")
  func routeChange() throws {
    let peer = try L2TPPeer()
    let third = try Host("third")
    try Host.link(peer.near.host, "other0", third, "other0", net: 3)
    try peer.near.host.ip("addr add 10.50.0.1/32 dev lo")
    try peer.near.host.ip("route add 10.60.0.1 via 10.1.0.2")
    for host in [peer.far, third] { try host.ip("addr add 10.60.0.1/32 dev lo") }
    let there = try third.inside { try RawReceiver(ipv6: false, transport: 115) }
    try peer.near.perform("l2tp0", .tunnel("10.50.0.1", "10.60.0.1"))
    try peer.output(.frame())
    #expect(try peer.receive(1).count == 1)
    try peer.near.host.ip("route replace 10.60.0.1 via 10.3.0.2")
    #expect(peer.near.engine.shared.routing.events.settle())
    try peer.output(.frame())
    #expect(try eventually { try there.receive() == 1 })
    #expect(try peer.receive(1, within: 0.1).isEmpty)
    try peer.near.host.ip("route del 10.60.0.1")
    #expect(peer.near.engine.shared.routing.events.settle())
    #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "l2tp_transmit")) { try peer.output(.frame()) }
  }

  @Test(
    "T-022 per-CPU memory that grows a thousand times under traffic of l2tp and gif moves no lock and no route")
  func enlarge() throws {
    let peer = try L2TPPeer(queues: 2)
    let near = peer.near
    try near.host.ip("addr add 172.16.1.1/24 dev l2tp0")
    try near.host.ip("neigh replace 172.16.1.2 lladdr 02:00:00:00:00:99 nud permanent dev l2tp0")
    try near.create("gif0")
    try near.perform("gif0", .tunnel(peer.wan.0.ipv4, peer.wan.1.ipv4), .address("172.17.1.1", 32, to: "172.17.1.2"))
    let traffic = [try Traffic(near.host, to: "172.16.1.2"), try Traffic(near.host, to: "172.17.1.2")]
    let names = ["l2tp0", "gif0"]
    let memory = near.engine.shared.memory
    let routes = try names.map { try #require(near.engine.tunnels[$0]).routes.route.identity }
    let before = try names.map { try near.status($0).counters.outputPackets }
    for _ in 0..<1000 { memory.enlarge() }
    for (name, count) in zip(names, before) {
      #expect(try eventually(within: 10) { try near.status(name).counters.outputPackets > count })
    }
    for one in traffic { one.stop() }
    #expect(try names.map { try #require(near.engine.tunnels[$0]).routes.route.identity } == routes)
    for name in names { try near.destroy(name) }
  }
}
