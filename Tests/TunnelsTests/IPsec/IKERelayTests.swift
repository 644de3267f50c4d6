import Glibc
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Words of those who negotiate keys, at a port of NAT traversal: net.ipsec.ike.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct IKERelayTests {
  private static let ports = NATPorts(own: 4500, peer: 4501)
  private static func word(_ byte: UInt8, _ count: Int = 60) -> [UInt8] {
    [0, 0, 0, 0] + [UInt8](repeating: byte, count: count)
  }

  @Test("who takes IKE is the numeric address of one host, and a port")
  func texts() throws {
    for text in ["192.0.2.9:4500", "127.0.0.1:1", "[::1]:65535", "[2001:db8::9]:500", "[fe80::1%3]:4500"] {
      #expect(IKETaker(text).map { "\($0)" } == text)
    }
    for text in [
      "", "192.0.2.9", "192.0.2.9:", "192.0.2.9:0", "192.0.2.9:65536", "192.0.2.9:+5", "192.0.2.9:004500", ":4500",
      "[192.0.2.9]:4500", "::1:4500", "[::1:4500", "[::]:4500", "0.0.0.0:4500", "224.0.0.1:4500", "[ff02::1]:4500",
      "255.255.255.255:4500", "[fe80::1]:4500", "[2001:db8::1%3]:4500", "host:4500", "192.0.2.9:4500 ",
    ] {
      #expect(IKETaker(text) == nil, "\(text)")
    }
  }

  @Test(
    "T-141 without a taker words for IKE are dropped; with one they go there as they came, each peer's from a port of its own, and answers go back from the port that they came to",
    arguments: [false, true])
  func relay(_ isIPv6: Bool) throws {
    let peer = try IPsecPeer(outerIsIPv6: isIPv6, ports: Self.ports)
    let engine = peer.near.engine
    try peer.send(Self.word(1), ports: Self.ports)
    #expect(eventually { engine.natCounts.ikeDropped == 1 })
    let taker = try UDPEnd(peer.near.host, isIPv6 ? "::1" : "127.0.0.1")
    engine.setIKETaker(try #require(IKETaker((isIPv6 ? "[::1]:" : "127.0.0.1:") + "\(taker.port)")))
    // Two peers, one of which says more than one packet of the path holds.
    try peer.send(Self.word(2), ports: Self.ports)
    let first = try #require(try taker.receive())
    #expect(first.bytes == Self.word(2))
    let other = try UDPEnd(peer.far, isIPv6 ? "::" : "0.0.0.0", port: 4599)
    try other.send(Self.word(3, 3000), to: "\(peer.pair.source)", 4500)
    let second = try #require(try taker.receive())
    #expect(second.bytes == Self.word(3, 3000) && second.from != first.from)
    // The same peer again is the same to the taker.
    try peer.send(Self.word(4), ports: Self.ports)
    let again = try #require(try taker.receive())
    #expect(again.bytes == Self.word(4) && again.from == first.from)

    try taker.answer(second.from, Self.word(5, 2000))
    let back = try #require(try other.receive())
    #expect(back.bytes == Self.word(5, 2000) && back.from.port == 4500)
    // Nothing that would pass for ESP leaves, nor what says nothing.
    for bytes in [[1, 0, 0, 0] + Self.word(6), [0, 0, 0, 0], [0xff], []] { try taker.answer(first.from, bytes) }
    try taker.answer(first.from, Self.word(7))
    let arrivals = try peer.receive(1)
    #expect(arrivals.map(\.esp) == [Self.word(7)] && arrivals.first?.ports == Self.ports)
    let counts = engine.natCounts
    #expect(counts.ike == 4 && counts.ikeForwarded == 3 && counts.ikeDropped == 1)
    #expect(counts.ikeAnswered == 2 && counts.ikeAnswersDropped == 4)
    // ESP, keepalives and what is too short are not for the taker.
    try peer.associations(.gcm)
    try peer.sendInner(Inner.ipv4())
    try peer.send([0xff], ports: Self.ports)
    try peer.send([0, 0, 0, 0], ports: Self.ports)
    #expect(eventually { engine.natCounts.ike == 5 })
    #expect(try taker.receive(within: 0.1) == nil && engine.natCounts.ikeForwarded == 3)
    #expect(try peer.counters().inputPackets == 1)
  }

  @Test("another taker gets what comes from then on, and the one before says nothing more; so when the port is closed")
  func changes() throws {
    let peer = try IPsecPeer(ports: Self.ports)
    let engine = peer.near.engine
    let takers = [try UDPEnd(peer.near.host, "127.0.0.1"), try UDPEnd(peer.near.host, "127.0.0.1")]
    var senders: [UDPEnd.Sender] = []
    for taker in takers {
      engine.setIKETaker(IKETaker("127.0.0.1:\(taker.port)"))
      try peer.send(Self.word(1), ports: Self.ports)
      senders.append(try #require(try taker.receive()).from)
    }
    // Its port is gone.
    _ = try? takers[0].answer(senders[0], Self.word(2))
    try takers[1].answer(senders[1], Self.word(3))
    #expect(try peer.receive(1).map(\.esp) == [Self.word(3)])
    try peer.near.perform("ipsec0", .deleteTunnel)
    _ = try? takers[1].answer(senders[1], Self.word(4))
    #expect(try peer.receive(1, within: 0.1).isEmpty)
    // A taker who is not there is no harm.
    try peer.near.perform(
      "ipsec0", .tunnel("\(peer.pair.source)", 4500, "\(peer.pair.destination)", 4501))
    engine.setIKETaker(IKETaker("127.0.0.1:1"))
    let before = engine.natCounts.ike
    for number in 1...5 as ClosedRange<UInt64> {
      try peer.send(Self.word(5), ports: Self.ports)
      #expect(eventually { engine.natCounts.ike == before + number })
    }
    engine.setIKETaker(IKETaker("127.0.0.1:\(takers[0].port)"))
    try peer.send(Self.word(6), ports: Self.ports)
    #expect(try takers[0].receive()?.bytes == Self.word(6))
    engine.setIKETaker(nil)
    let dropped = engine.natCounts.ikeDropped
    try peer.send(Self.word(7), ports: Self.ports)
    #expect(eventually { engine.natCounts.ikeDropped == dropped + 1 })
  }

  @Test(
    "what would come back to where it was sent goes round once; a flood of peers does not push out one that was answered"
  )
  func bounds() throws {
    let peer = try IPsecPeer(ports: Self.ports)
    let engine = peer.near.engine
    engine.setIKETaker(IKETaker("\(peer.pair.source):4500"))
    try peer.send(Self.word(1), ports: Self.ports)
    #expect(eventually { engine.natCounts.ikeDropped == 1 })
    #expect(engine.natCounts.ike == 2)
    let taker = try UDPEnd(peer.near.host, "127.0.0.1")
    engine.setIKETaker(IKETaker("127.0.0.1:\(taker.port)"))
    try peer.send(Self.word(2), ports: Self.ports)
    let first = try #require(try taker.receive()).from
    try taker.answer(first, Self.word(3))
    #expect(try peer.receive(1).map(\.esp) == [Self.word(3)])
    let most = UInt64(IKERelay.mostPeers)
    // Twice as many as there may be, in two turns, as there may be so many new ones in a second.
    for turn in 0..<2 as Range<UInt64> {
      let before = engine.natCounts.ike
      for number in 0..<most {
        try peer.send(Self.word(4), ports: NATPorts(own: 4500, peer: UInt16(10_000 + turn * most + number)))
        if number % 32 == 31 { #expect(eventually { engine.natCounts.ike == before + number + 1 }) }
      }
      if turn == 0 { pause(1) }
    }
    try taker.answer(first, Self.word(5))
    #expect(try peer.receive(1).map(\.esp) == [Self.word(5)])
  }
}
