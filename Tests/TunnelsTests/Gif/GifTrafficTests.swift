import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What a gif puts on the wire, and what it takes from there.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct GifTrafficTests {
  /// Lets gif0 carry a packet as if the system sent it.
  private func output(_ peer: GifPeer, _ inner: [UInt8]) throws {
    let writer = try peer.near.reader("gif0")
    try writer.write([inner[0] >> 4 == 6 ? 24 : 2, 0, 0, 0] + inner)
  }

  @Test(
    "T-081, T-082, T-084 each family in each: protocol numbers, TTL and hop limit as set, at once, and the inner packet as it was",
    arguments: [false, true])
  func headers(_ outerIsIPv6: Bool) throws {
    let peer = try GifPeer(outerIsIPv6: outerIsIPv6)
    let setting = outerIsIPv6 ? "net.inet6.ip6.gifhlim" : "net.inet.ip.gifttl"
    let filter =
      "src host \(outerIsIPv6 ? peer.wan.0.ipv6 : peer.wan.0.ipv4) and \(outerIsIPv6 ? "(ip6[6] == 4 or ip6[6] == 41)" : "(ip proto 4 or ip proto 41)")"
    let child = try peer.far.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-v", "-i", "wan0", filter,
    ])
    #expect(child.err.waitForText("listening on"))
    for hops in [30, 1, 255] {
      try peer.near.engine.set(setting, to: hops)
      for ipv6 in [false, true] {
        let inner = ipv6 ? Inner.ipv6() : Inner.ipv4()
        try output(peer, inner)
        let got = try peer.receive(1, transport: ipv6 ? 41 : 4)
        #expect(got.map(\.inner) == [inner])
        #expect(got.first?.outer.pair == peer.back && got.first?.outer.transport == (ipv6 ? 41 : 4))
      }
    }
    #expect(
      eventually {
        child.out.text.split(separator: "\n").filter {
          $0.contains(outerIsIPv6 ? "hlim" : "ttl 30") || $0.contains("ttl")
        }.count >= 6
      })
    let text = try child.stop().out
    for hops in [30, 1, 255] {
      #expect(text.contains(outerIsIPv6 ? "hlim \(hops)," : "ttl \(hops),"), "\(text)")
    }
  }

  @Test("T-083 the outer IPv4 header has DF clear though the inner one has it set, as tshark reads it")
  func df() throws {
    let peer = try GifPeer()
    let child = try peer.far.start([
      "tshark", "-l", "-n", "-i", "wan0", "-c", "1", "-f", "ip proto 4", "-T", "fields", "-e", "ip.flags.df", "-e",
      "ip.src", "-e", "ip.checksum.status", "-o", "ip.check_checksum:TRUE",
    ])
    #expect(child.err.waitForText("Capturing on", timeout: 30))
    pause(0.3)
    _ = try eventually(within: 5) {
      try output(peer, Inner.ipv4(flags: 0x4000))
      return child.wait(timeout: 0.3) != nil
    }
    let fields = try child.finish().out.split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(fields.first.map { ["0,1", "False,True"].contains($0) } == true, "\(fields)")
    #expect(fields.dropFirst().first == "\(peer.wan.0.ipv4),172.16.1.1")
    #expect(fields.last?.hasPrefix("1,") == true || fields.last?.hasPrefix("Good,") == true)
  }

  @Test(
    "T-085, T-086 the outer header has the inner DSCP and no congestion bits; with link1 all eight bits",
    arguments: [false, true])
  func trafficClass(_ outerIsIPv6: Bool) throws {
    let peer = try GifPeer(outerIsIPv6: outerIsIPv6)
    for link1 in [false, true] {
      try peer.near.perform("gif0", .link(1, link1))
      for ecn in 0...3 as ClosedRange<UInt8> {
        for ipv6 in [false, true] {
          let value = 0xb8 | ecn
          try output(peer, ipv6 ? Inner.ipv6(trafficClass: value) : Inner.ipv4(trafficClass: value))
          let got = try peer.receive(1, transport: ipv6 ? 41 : 4)
          #expect(got.map(\.outer.trafficClass) == [link1 ? value : 0xb8])
        }
      }
    }
  }

  @Test(
    "T-087, T-088 with link1 congestion bits come through as RFC 6040 says, and a packet whose ends do not know them does not"
  )
  func egress() throws {
    let peer = try GifPeer()
    try peer.near.perform("gif0", .link(1, true))
    let reader = try peer.near.reader("gif0")
    // Rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer. nil: dropped.
    let expected: [[UInt8?]] = [[0, 0, 0, nil], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]
    for inner in 0..<4 {
      for outer in 0..<4 {
        let refused = try peer.counters().inputErrors
        try peer.send(Inner.ipv4(trafficClass: UInt8(inner)), trafficClass: UInt8(outer))
        if let want = expected[inner][outer] {
          let frame = try #require(try reader.frames(1).first)
          #expect(frame[5] == want && checksum(frame[4..<24]) == 0, "\(inner) \(outer)")
        } else {
          #expect(try eventually { try peer.counters().inputErrors == refused + 1 })
        }
      }
    }
    #expect(try reader.frames(1, within: 0.1) == [])
  }

  @Test(
    "T-089 over IPv6 what is longer than 1280 bytes goes as fragments of at most 1280, unless the path's MTU is asked for"
  )
  func minimumMTU() throws {
    let peer = try GifPeer(outerIsIPv6: true)
    try peer.near.perform("gif0", .mtu(4000))
    let child = try peer.far.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-e", "-i", "wan0",
      "src host \(peer.wan.0.ipv6) and (ip6[6] == 44 or ip6[6] == 4)",
    ])
    #expect(child.err.waitForText("listening on"))
    for size in [1240, 1241, 1400, 4000] {
      let inner = Inner.ipv4(count: size)
      try output(peer, inner)
      #expect(try peer.receive(1).map(\.inner) == [inner])
    }
    try peer.near.engine.set("net.inet6.ip6.gifpmtu", to: 1)
    let inner = Inner.ipv4(count: 1460)
    try output(peer, inner)
    #expect(try peer.receive(1).map(\.inner) == [inner])
    let lines = try child.stop().out.split(separator: "\n")
    let lengths = lines.compactMap { line in
      line.split(separator: " ").enumerated().first { $0.1 == "length" }.flatMap {
        Int(line.split(separator: " ")[$0.0 + 1].dropLast())
      }
    }
    // Ethernet's 14 bytes are in them.
    #expect(
      lengths.count == 1 + 2 + 2 + 4 + 1 && lengths.dropLast().max() == 14 + 1280 && lengths.last == 14 + 1500,
      "\(lines)")
  }

  @Test("T-089 packets that wait together, each in more fragments than are sent at once, all arrive as they were")
  func manyFragments() throws {
    let peer = try GifPeer(outerIsIPv6: true)
    try peer.near.perform("gif0", .mtu(8192))
    let sender = try UDPSender(in: peer.near.host, to: GifPeer.inner4.1, port: 9)
    let count = 40
    try sender.send(count, size: 8100)
    let got = try peer.receive(count, within: 20).map(\.inner).filter { $0.count == 8128 }
    let numbers = got.compactMap { UDPSender.number(in: $0[28...]) }
    #expect(Set(numbers) == Set(0..<UInt64(count)) && numbers.count == count)
    let body = (36..<8128).map { UInt8(truncatingIfNeeded: $0 - 36) }
    #expect(got.allSatisfy { Array($0[36...]) == body } as Bool)
    #expect(try peer.counters().outputErrors == 0)
  }

  @Test("T-170 outer packets that arrive in fragments come out as one", arguments: [false, true])
  func reassembled(_ outerIsIPv6: Bool) throws {
    let peer = try GifPeer(outerIsIPv6: outerIsIPv6)
    let reader = try peer.near.reader("gif0")
    let inner = Inner.ipv4(count: 4000)
    var packet = HeldPacket(inner)
    #expect(OuterHeader.prepend(to: &packet.room, peer.back, transport: 4, trafficClass: 0, hops: 9) == nil)
    var fragments = try #require(Fragments(of: packet.room, mtu: 1280, identification: 99))
    var rooms = (0..<fragments.count).map { _ in HeldPacket([], headroom: 0, size: 1280) }
    for index in rooms.indices {
      #expect(fragments.next(of: packet.room, into: &rooms[index].room))
      peer.sender.add(rooms[index].room, to: peer.back.destination)
    }
    #expect(peer.sender.flush().allSatisfy { $0 == 0 } as Bool)
    #expect(try reader.frames(1).map { Array($0[4...]) } == [inner])
  }

  @Test("T-090, T-091 nowhere, no route, and a route into the tunnel itself: nothing leaves, each packet counts once")
  func unreachable() throws {
    let peer = try GifPeer()
    for (destination, route) in [("0.0.0.0", nil), ("10.77.0.1", nil), ("10.88.0.1", "10.88.0.0/24 dev gif0")]
      as [(String, String?)]
    {
      if let route { try peer.near.host.ip("route add \(route)") }
      try peer.near.perform("gif0", .tunnel(peer.wan.0.ipv4, destination))
      let before = try peer.counters()
      let writer = try peer.near.reader("gif0")
      #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "gif_output")) {
        try writer.write([2, 0, 0, 0] + Inner.ipv4())
      }
      let after = try peer.counters()
      #expect(after.outputErrors == before.outputErrors + 1 && after.outputPackets == before.outputPackets)
      #expect(try peer.near.status("gif0").lastError?.contains("no way to the far end") == true)
    }
    #expect(try peer.receive(1, within: 0.1).isEmpty)
  }

  @Test(
    "T-093..T-097 only the mirrored pair, from a host's address, by the way back, while up, and whole",
    arguments: [false, true])
  func refused(_ outerIsIPv6: Bool) throws {
    let peer = try GifPeer(outerIsIPv6: outerIsIPv6)
    let reader = try peer.near.reader("gif0")
    let strays = { peer.near.engine.strayPackets }
    func counts(_ what: String, _ send: () throws -> Void) throws {
      let before = strays()
      try send()
      #expect(eventually { strays() == before + 1 }, "\(what)")
    }
    let destination = peer.back.destination
    let other = try #require(IPAddress(outerIsIPv6 ? "fd00:1::99" : "10.1.0.99"))
    let strange = try #require(TunnelPair(source: other, destination: destination))
    try counts("another source") { try peer.send(Inner.ipv4(), pair: strange) }
    try counts("no inner header") { try peer.send([0x45, 0, 0]) }
    try counts("half an inner header") { try peer.send(Array(Inner.ipv4()[..<19])) }
    try counts("a header longer than the packet") { try peer.send([0x4f] + Inner.ipv4(count: 40)[1...]) }
    try counts("IPv6 under IPv4's number") { try peer.send(Inner.ipv6(), transport: 4) }
    try counts("IPv4 under IPv6's number") { try peer.send(Inner.ipv4(), transport: 41) }
    #expect(try peer.counters().inputErrors == 5)
    // The way back to the source is another interface's.
    let elsewhere = try #require(IPAddress(outerIsIPv6 ? "fd00:2::9" : "10.2.0.9"))
    try Host.link(peer.near.host, "other0", try Host("third"), "other0", net: 2, ipv6: true)
    try peer.near.perform("gif0", .tunnel(destination.description, elsewhere.description))
    let spoofed = try #require(TunnelPair(source: elsewhere, destination: destination))
    for number in 0..<2 {
      if number == 0 {
        try counts("from the wrong side") { try peer.send(Inner.ipv4(), pair: spoofed) }
      } else {
        try peer.near.perform("gif0", .link(2, true))
        try peer.send(Inner.ipv4(), pair: spoofed)
        #expect(try reader.frames(1).count == 1)
      }
    }
    try peer.near.perform("gif0", .down)
    try counts("while down") { try peer.send(Inner.ipv4(), pair: spoofed) }
    #expect(try reader.frames(1, within: 0.1) == [])
  }

  @Test(
    "T-094 sources that no packet can have are refused also where the system lets them through",
    arguments: ["10.1.0.255", "255.1.2.3", "127.0.0.9"])
  func martians(_ martian: String) throws {
    let peer = try GifPeer()
    // Else the system drops them itself, before anybody sees them.
    for place in ["all", "wan0"] {
      try peer.near.host.write("0", to: "/proc/sys/net/ipv4/conf/\(place)/rp_filter")
      try peer.near.host.write("1", to: "/proc/sys/net/ipv4/conf/\(place)/route_localnet")
    }
    // And says nothing of its own that could be the last error.
    try peer.near.host.write("1", to: "/proc/sys/net/ipv6/conf/gif0/disable_ipv6")
    try peer.near.host.ip("addr add 10.1.0.9/24 brd 10.1.0.255 dev wan0")
    let reader = try peer.near.reader("gif0")
    // Of the two only the martian is refused: nothing else is wrong with it.
    for source in [martian, "10.77.0.1"] {
      try peer.near.perform("gif0", .tunnel(peer.wan.0.ipv4, source), .link(2, true))
      let before = (peer.near.engine.strayPackets, try peer.counters().inputErrors)
      let pair = TunnelPair(source: try #require(IPAddress(source)), destination: peer.back.destination)
      try peer.send(Inner.ipv4(), pair: pair)
      if source == martian {
        #expect(eventually { peer.near.engine.strayPackets == before.0 + 1 })
        #expect(try peer.counters().inputErrors == before.1 + 1)
        #expect(try peer.near.status("gif0").lastError == "input: the outer source is no address of a host")
      } else {
        #expect(try reader.frames(1) == [[2, 0, 0, 0] + Inner.ipv4()])
      }
    }
  }

  @Test("T-104 packets and bytes are those of the inner packets")
  func counters() throws {
    let peer = try GifPeer()
    // The system says nothing of its own.
    try peer.near.host.write("1", to: "/proc/sys/net/ipv6/conf/gif0/disable_ipv6")
    let before = try peer.counters()
    for size in [60, 100, 1280] { try output(peer, Inner.ipv4(count: size)) }
    for size in [70, 200] { try peer.send(Inner.ipv4(count: size)) }
    #expect(try eventually { try peer.counters().inputPackets == before.inputPackets + 2 })
    let after = try peer.counters()
    #expect(after.outputPackets == before.outputPackets + 3 && after.outputBytes == before.outputBytes + 1440)
    #expect(
      after.inputBytes == before.inputBytes + 270 && after.inputErrors == 0 && after.outputErrors == before.outputErrors
    )
  }
}
