import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey
@testable import SwBPFTunnels

/// What an ipsec interface puts on the wire, and what it takes from there.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct IPsecTrafficTests {
  @Test(
    "T-129, T-133, T-134, T-135, T-145, T-050, T-085, T-086 every transform, each family in each: the inner packet as it was, by the policy of its family, numbered from 1, behind TTL 64",
    arguments: [false, true])
  func headers(_ outerIsIPv6: Bool) throws {
    let peer = try IPsecPeer(outerIsIPv6: outerIsIPv6)
    let capture = try peer.far.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-t", "-v", "-i", "wan0", "ip proto 50 or ip6 proto 50",
    ])
    #expect(capture.err.waitForText("listening on"))
    for transform in [Transform.gcm, .cbcHMAC, .ctrHMAC, .nullHMAC, .cbc, .null] {
      try peer.associations(transform)
      for ipv6 in [false, true] {
        let spi: UInt32 = ipv6 ? 10010 : 10000
        for (number, link1) in [(1, false), (2, true)] as [(UInt32, Bool)] {
          try peer.near.perform("ipsec0", .link(1, link1))
          let inner = ipv6 ? Inner.ipv6(trafficClass: 0xba) : Inner.ipv4(trafficClass: 0xba)
          try peer.output(inner)
          let got = try #require(try peer.receive(1).first, "\(peer.trouble)")
          #expect(got.inner == inner && got.upper == (ipv6 ? 41 : 4), "\(transform)")
          #expect(got.spi == spi && got.sequence == number)
          #expect(got.outer.pair == peer.back && got.outer.trafficClass == (link1 ? 0xba : 0xb8))
        }
      }
      try peer.flush()
    }
    #expect(try peer.clearPackets() == 0)
    // Outer IPv6 follows its setting, outer IPv4 has none.
    try peer.near.engine.set("net.inet6.ip6.ipsecifhlim", to: 7)
    try peer.associations(.gcm)
    try peer.output(Inner.ipv4())
    #expect(try peer.receive(1).count == 1)
    func packets() -> [String] {
      capture.out.text.split(separator: "\n").filter { $0.hasPrefix("IP") }.map(String.init)
    }
    #expect(eventually { packets().count >= 25 && (!outerIsIPv6 || packets().contains { $0.contains("hlim 7,") }) })
    let hops = Set(
      packets().map { $0.contains("ttl 64,") || $0.contains("hlim 64,") ? 64 : $0.contains("hlim 7,") ? 7 : 0 })
    #expect(hops == (outerIsIPv6 ? [64, 7] : [64]), "\(packets())")
    _ = try capture.stop()
  }

  @Test(
    "T-087, T-088, T-068 what comes in ESP comes out, with congestion bits as RFC 6040 says", arguments: [false, true])
  func input(_ outerIsIPv6: Bool) throws {
    let peer = try IPsecPeer(outerIsIPv6: outerIsIPv6)
    try peer.associations(.gcm)
    let reader = try peer.near.reader("ipsec0")
    for ipv6 in [false, true] {
      let inner = ipv6 ? Inner.ipv6() : Inner.ipv4()
      try peer.sendInner(inner)
      #expect(try reader.frames(1) { $0.count == inner.count + 4 }.first == [ipv6 ? 24 : 2, 0, 0, 0] + inner)
    }
    try peer.near.perform("ipsec0", .link(1, true))
    // Rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer. nil: dropped.
    let expected: [[UInt8?]] = [[0, 0, 0, nil], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]
    for inner in 0..<4 {
      for outer in 0..<4 {
        let refused = try peer.counters().inputErrors
        try peer.sendInner(Inner.ipv4(trafficClass: UInt8(inner)), trafficClass: UInt8(outer))
        if let want = expected[inner][outer] {
          let frame = try #require(try reader.frames(1).first)
          #expect(frame[5] == want && checksum(frame[4..<24]) == 0, "\(inner) \(outer)")
        } else {
          #expect(try eventually { try peer.counters().inputErrors == refused + 1 })
        }
      }
    }
  }

  @Test(
    "T-130, T-071 without link2 inner IPv6 goes nowhere: nobody is told but the counter of drops, and no reader sees it"
  )
  func noIPv6() throws {
    let peer = try IPsecPeer()
    try peer.near.perform("ipsec0", .link(2, false))
    try peer.associations(.gcm, uppers: [4])
    let reader = try peer.near.reader("ipsec0")
    let before = try peer.counters()
    try peer.output(Inner.ipv6())
    try peer.output(Inner.ipv4())
    #expect(try peer.receive(1).first?.inner == Inner.ipv4())
    let after = try peer.counters()
    #expect(after.outputDrops > before.outputDrops && after.outputErrors == before.outputErrors)
    #expect(try reader.frames(1) == [[2, 0, 0, 0] + Inner.ipv4()])
    #expect(try peer.clearPackets() == 0)
  }

  @Test("T-131 without an association nothing leaves, in clear least of all; key daemons are asked, once in 12 packets")
  func acquire() throws {
    let peer = try IPsecPeer()
    let daemon = peer.near.keys.open()
    var register = MessageHeader(.register, .esp)
    register.length = 2
    try peer.near.keys.send(register.bytes, from: daemon)
    while daemon.receive() != nil {}
    let before = try peer.counters().outputErrors
    for number in 1...13 {
      // Success: who has no keys yet loses packets, but is told nothing.
      try peer.output(Inner.ipv4())
      var asked = 0
      while let message = daemon.receive() {
        let message = try Message(message)
        // The system's own words are of IPv6.
        if message.header.type == 6, try message.address(.addressSource)?.proto == 4 { asked += 1 }
      }
      #expect(asked == (number == 1 || number == 13 ? 1 : 0), "\(number)")
    }
    #expect(try peer.counters().outputErrors >= before + 13)
    #expect(peer.trouble.contains("no association"))
    #expect(try peer.receive(1, within: 0.2).isEmpty && peer.clearPackets() == 0)
    // Policies that somebody removed demand nothing any more; still nothing leaves.
    #expect(try peer.near.setkey("spdflush ;") == [0])
    #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "ipsecif_output")) { try peer.output(Inner.ipv4()) }
    #expect(try peer.receive(1, within: 0.1).isEmpty && peer.clearPackets() == 0)
  }

  @Test(
    "T-132 packets of the pair without ESP are dropped and counted, gif or no gif; a gif between the same addresses sends nothing either"
  )
  func clear() throws {
    let peer = try IPsecPeer()
    try peer.associations(.gcm)
    let reader = try peer.near.reader("ipsec0")
    for round in 0..<2 {
      let (before, stray) = (try peer.counters().inputErrors, peer.near.engine.strayPackets)
      try peer.send(Inner.ipv4(), transport: 4)
      try peer.send(Inner.ipv6(), transport: 41)
      #expect(try eventually { try peer.counters().inputErrors == before + 2 })
      #expect(peer.near.engine.strayPackets >= stray + 2)
      #expect(peer.trouble.contains("without ESP"))
      if round == 0 {
        try peer.near.create("gif0")
        try peer.near.perform("gif0", .tunnel("\(peer.pair.source)", "\(peer.pair.destination)"), .up)
      }
    }
    let writer = try peer.near.reader("gif0")
    #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "gif_output")) {
      try writer.write([2, 0, 0, 0] + Inner.ipv4())
    }
    #expect(try peer.clearPackets() == 0)
    #expect(try reader.frames(1, within: 0.1).isEmpty && writer.frames(1, within: 0.1).isEmpty)
  }

  @Test(
    "input errors are drops, each counted once: forged, replayed, unknown, of another sender, with something else inside"
  )
  func refused() throws {
    let peer = try IPsecPeer()
    try peer.associations(.gcm, options: "-r 4")
    let reader = try peer.near.reader("ipsec0")
    let good = try peer.sealed(Inner.ipv4())
    var forged = good
    forged[20] ^= 1
    var unknown = good
    unknown[3] ^= 0x80
    let other = try #require(TunnelPair(source: IPAddress("10.1.0.77")!, destination: peer.pair.source))
    for (bytes, text, isIn) in [
      (forged, "check value", false), (good, "", true), (good, "came before", false),
      (unknown, "no association", false),
      (try peer.sealed(Inner.ipv4(), upper: 17), "inside of ESP", false),
      (try peer.sealed([0x75] + Inner.ipv4().dropFirst()), "neither IPv4 nor IPv6", false),
      (try peer.sealed(Inner.ipv6(), upper: 4, spi: 10001), "neither IPv4 nor IPv6", false),
      ([1, 2, 3], "length", false),
    ] as [([UInt8], String, Bool)] {
      let before = try peer.counters()
      try peer.send(bytes)
      if isIn {
        #expect(try reader.frames(1) == [[2, 0, 0, 0] + Inner.ipv4()])
      } else {
        #expect(try eventually { try peer.counters().inputErrors == before.inputErrors + 1 }, "\(text)")
        #expect(peer.trouble.contains(text), "\(peer.trouble)")
      }
    }
    let stray = peer.near.engine.strayPackets
    try peer.send(try peer.sealed(Inner.ipv4()), pair: other)
    #expect(eventually { peer.near.engine.strayPackets > stray })
    #expect(try reader.frames(1, within: 0.1).isEmpty)
  }

  @Test("T-144 outer addresses that cannot be used: configured, but what leaves is ENETUNREACH")
  func badAddresses() throws {
    let host = try TunnelHost(Host())
    try host.create("ipsec0")
    try host.perform("ipsec0", .address("172.16.1.1", 32, to: "172.16.2.1"))
    for (source, destination) in [
      ("0.0.0.0", "10.0.0.2"), ("10.0.0.1", "0.0.0.0"), ("10.0.0.1", "255.255.255.255"),
      ("255.255.255.255", "10.0.0.2"),
      ("224.0.0.1", "10.0.0.2"), ("10.0.0.1", "239.1.2.3"), ("::", "fc00::2"), ("fc00::1", "::"),
    ] {
      try host.perform("ipsec0", .tunnel(source, destination))
      let writer = try host.reader("ipsec0")
      #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "ipsecif_output"), "\(source) \(destination)") {
        try writer.write([2, 0, 0, 0] + Inner.ipv4())
      }
    }
    try host.perform("ipsec0", .deleteTunnel)
    let writer = try host.reader("ipsec0")
    #expect(throws: BPF.Failure.system(errno: ENETDOWN, call: "ipsecif_output")) {
      try writer.write([2, 0, 0, 0] + Inner.ipv4())
    }
    #expect(throws: BPF.Failure.system(errno: EAFNOSUPPORT, call: "ipsecif_output")) {
      try writer.write([24, 0, 0, 0] + Inner.ipv4())
    }
  }

  @Test(
    "T-064, T-068, T-072 readers see plain packets, DLT_NULL, as sent and received; not what a tunnel without addresses refuses"
  )
  func taps() throws {
    let peer = try IPsecPeer()
    try peer.associations(.gcm)
    let reader = try peer.near.reader("ipsec0")
    #expect(try #require(peer.near.taps.interface(named: "ipsec0")).linkType == 0)
    for (direction, expected) in [(BPF.Direction.inOut, 2), (.in, 1), (.out, 1)] as [(BPF.Direction, Int)] {
      try reader.setDirection(direction)
      reader.flush()
      let (sent, received) = (Inner.ipv4(ttl: 7), Inner.ipv4(ttl: 8))
      try peer.output(sent)
      #expect(try peer.receive(1).count == 1)
      let count = try peer.counters().inputPackets
      try peer.sendInner(received)
      #expect(try eventually { try peer.counters().inputPackets > count })
      let frames = try reader.frames(expected).map { Array($0[4...]) }
      #expect(frames == (direction == .inOut ? [sent, received] : direction == .in ? [received] : [sent]))
    }
    try peer.near.perform("ipsec0", .deleteTunnel)
    try reader.setDirection(.inOut)
    reader.flush()
    #expect(throws: BPF.Failure.self) { try peer.output(Inner.ipv4()) }
    #expect(try reader.frames(1, within: 0.1).isEmpty)
  }

  @Test("T-146 outer IPv6 is cut at 1280 bytes, with pmtu 1 it is as long as the path takes")
  func pathMTU() throws {
    let peer = try IPsecPeer(outerIsIPv6: true)
    try peer.near.perform("ipsec0", .mtu(1400))
    try peer.associations(.gcm)
    let capture = try peer.far.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-i", "wan0", "ip6[6] == 44 or ip6[6] == 50",
    ])
    #expect(capture.err.waitForText("listening on"))
    for (value, global) in [(-1, 0), (1, 0), (0, 1), (-1, 1)] {
      try peer.near.engine.setPathMTU(value, of: "ipsec0")
      try peer.near.engine.set("net.inet6.ip6.ipsecifpmtu", to: global)
      try peer.output(Inner.ipv4(count: 1350, flags: 0))
      #expect(try peer.receive(1).first?.inner?.count == 1350)
    }
    #expect(eventually { capture.out.text.components(of: "\n") >= 6 })
    let lines = try capture.stop().out.split(separator: "\n").map { $0.contains("frag") ? "cut" : "whole" }
    #expect(lines == ["cut", "cut", "whole", "cut", "cut", "whole"])
  }
}
