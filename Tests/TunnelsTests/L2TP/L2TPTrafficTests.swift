import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What an l2tp puts on the wire, and what it takes from there.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct L2TPTrafficTests {
  private static let cookies = L2TPCookies(
    localLength: 4, local: 0x0102_0304, remoteLength: 8, remote: 0x1112_1314_1516_1718)
  private static let id = [UInt8].be32(L2TPPeer.ids.local)

  @Test(
    "T-107, T-113, T-115 data messages on the wire and from it: ids, then cookies while there are some, then the frame",
    arguments: [false, true])
  func messages(_ outerIsIPv6: Bool) throws {
    let peer = try L2TPPeer(outerIsIPv6: outerIsIPv6)
    let reader = try peer.near.reader("l2tp0")
    for hasCookies in [false, true, false] {
      try peer.near.perform("l2tp0", hasCookies ? .cookie(Self.cookies) : .deleteCookie)
      let (frame, back) = ([UInt8].frame(), [UInt8].frame(from: 7))
      try peer.output(frame)
      let sent = try peer.receive(1)
      #expect(sent.map(\.message) == [.be32(4321) + (hasCookies ? .be64(Self.cookies.remote) : []) + frame])
      #expect(sent.first?.outer.pair == peer.pair.reversed && sent.first?.outer.trafficClass == 0)
      try peer.send(Self.id + (hasCookies ? [1, 2, 3, 4] : []) + back)
      #expect(try reader.frames(2) == [frame, back])
      reader.flush()
    }
    let counters = try peer.counters()
    #expect(counters.inputPackets == 3 && counters.inputBytes == 180 && counters.inputErrors == 0)
    #expect(counters.outputPackets == 3 && counters.outputBytes == 180 && counters.outputErrors == 0)
  }

  @Test(
    "T-121, T-107 tshark reads what leaves: TTL 64, no DF, TOS 0, L2TPv3 with this id; the bytes behind are the frame")
  func tshark() throws {
    let peer = try L2TPPeer()
    let child = try peer.far.start([
      "tshark", "-l", "-n", "-i", "wan0", "-c", "1", "-f", "ip proto 115", "-T", "fields", "-e", "ip.ttl", "-e",
      "ip.flags.df", "-e", "ip.dsfield", "-e", "ip.checksum.status", "-e", "l2tp.sid", "-e", "eth.type", "-o",
      "ip.check_checksum:TRUE", "-o", "l2tp.cookie_size:None", "-d", "l2tp.pw_type==5,eth",
    ])
    #expect(child.err.waitForText("Capturing on", timeout: 30))
    pause(0.3)
    _ = try eventually(within: 8) {
      try peer.output(.frame())
      return child.wait(timeout: 0.3) != nil
    }
    let output = try child.finish()
    let fields = output.out.split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(
      fields.prefix(3).map { $0.lowercased() } == ["64", fields.dropFirst().first?.lowercased() ?? "", "0x00"],
      "\(output)")
    #expect(fields.dropFirst().first.map { ["0", "false"].contains($0.lowercased()) } == true, "\(output)")
    #expect(fields.dropFirst(3).first.map { ["1", "good"].contains($0.lowercased()) } == true, "\(output)")
    #expect(fields.contains { $0 == "4321" || $0 == "0x000010e1" }, "\(output)")
  }

  @Test(
    "T-114, T-120 messages with a wrong, missing or short cookie, or less than an Ethernet header, are errors of the interface and count as strays of nobody"
  )
  func cookies() throws {
    let peer = try L2TPPeer()
    try peer.near.perform("l2tp0", .cookie(Self.cookies))
    let reader = try peer.near.reader("l2tp0")
    let wrong: [[UInt8]] = [
      [1, 2, 3, 5] + .frame(), .frame(), [1, 2, 3], [], [1, 2, 3, 4] + [UInt8].frame().prefix(13), [1, 2, 3, 4],
      [4, 3, 2, 1] + .frame(), .be64(0x0102_0304) + .frame(),
    ]
    for rest in wrong { try peer.send(Self.id + rest) }
    #expect(try eventually { try peer.counters().inputErrors == UInt64(wrong.count) })
    // Too short to be anybody's.
    for short in 1..<4 { try peer.send(Array(Self.id.prefix(short))) }
    try peer.send(Self.id + [1, 2, 3, 4] + .frame())
    #expect(try reader.frames(1) == [.frame()])
    #expect(peer.near.engine.strayPackets == 0)
    #expect(try peer.counters().inputPackets == 1 && peer.counters().inputErrors == UInt64(wrong.count))
    #expect(try peer.near.status("l2tp0").lastError?.hasPrefix("input: ") == true)
  }

  @Test("T-117 messages for nobody, for an interface that is down or has no tunnel, are counted and go no further")
  func strays() throws {
    let peer = try L2TPPeer()
    let reader = try peer.near.reader("l2tp0")
    var strays: UInt64 = 0
    func expectStray(_ message: [UInt8]) throws {
      try peer.send(message)
      strays += 1
      #expect(eventually { peer.near.engine.strayPackets == strays })
    }
    try expectStray(.be32(77) + .frame())
    // Its peer's id is not its own.
    try expectStray(.be32(4321) + .frame())
    try peer.near.perform("l2tp0", .down)
    try expectStray(Self.id + .frame())
    try peer.near.perform("l2tp0", .up, .deleteTunnel)
    try expectStray(Self.id + .frame())
    try peer.near.perform("l2tp0", .tunnel(peer.wan.0.ipv4, peer.wan.1.ipv4), .deleteSession)
    try expectStray(Self.id + .frame())
    #expect(try reader.frames(1, within: 0.1) == [])
    #expect(try peer.counters().inputPackets == 0)
    try peer.near.perform("l2tp0", .session(L2TPPeer.ids))
    try peer.send(Self.id + .frame())
    #expect(try reader.frames(1) == [.frame()])
  }

  @Test("T-118 control messages go to whoever listens to the protocol, and to no interface", arguments: [false, true])
  func control(_ outerIsIPv6: Bool) throws {
    let peer = try L2TPPeer(outerIsIPv6: outerIsIPv6)
    let reader = try peer.near.reader("l2tp0")
    let listener = try peer.near.host.inside { try RawReceiver(ipv6: outerIsIPv6, transport: 115) }
    // SCCRQ by its first bytes: session 0, flags, length, control connection 0, numbers.
    let message: [UInt8] = [0, 0, 0, 0, 0xc8, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1]
    try peer.send(message)
    var heard: [[UInt8]] = []
    #expect(
      try eventually {
        for index in 0..<(try listener.receive()) {
          if let (_, packet) = listener.take(index) { heard.append((0..<packet.count).map { packet.bytes.u8(at: $0) }) }
        }
        return !heard.isEmpty
      })
    #expect(heard == [message])
    try peer.send(Self.id + .frame())
    #expect(try reader.frames(1) == [.frame()])
    #expect(try peer.counters().inputErrors == 0 && peer.near.engine.strayPackets == 0)
  }

  @Test(
    "T-119 another source than the far end is refused although it knows id and cookie, unless net.l2tp.anysource is 1")
  func sources() throws {
    let peer = try L2TPPeer()
    try peer.far.ip("addr add 10.1.0.77/24 dev wan0")
    let reader = try peer.near.reader("l2tp0")
    let other = try #require(TunnelPair(source: IPAddress(v4: 0x0a01_004d), destination: peer.pair.source))
    try peer.send(Self.id + .frame(), pair: other)
    #expect(try eventually { try peer.counters().inputErrors == 1 })
    #expect(peer.near.engine.strayPackets == 1)
    try peer.near.engine.set("net.l2tp.anysource", to: 1)
    try peer.send(Self.id + .frame(from: 5), pair: other)
    #expect(try reader.frames(1) == [.frame(from: 5)])
    try peer.near.engine.set("net.l2tp.anysource", to: 0)
    try peer.send(Self.id + .frame(), pair: other)
    #expect(try eventually { try peer.counters().inputErrors == 2 })
  }

  @Test("T-110 two interfaces between the same addresses have their own frames")
  func two() throws {
    let peer = try L2TPPeer()
    try peer.near.create("l2tp1")
    try peer.near.hush("l2tp1")
    try peer.near.perform("l2tp1", .tunnel(peer.wan.0.ipv4, peer.wan.1.ipv4))
    try peer.near.perform("l2tp1", .session(L2TPSession(local: 1, remote: 4321)), .cookie(Self.cookies), .up)
    let readers = [try peer.near.reader("l2tp0"), try peer.near.reader("l2tp1")]
    for number in 0..<20 as Range<UInt8> {
      try peer.send(number % 2 == 0 ? Self.id + .frame(from: number) : .be32(1) + [1, 2, 3, 4] + .frame(from: number))
    }
    for (number, reader) in readers.enumerated() {
      #expect(try reader.frames(10).map { $0[11] } == (0..<10).map { UInt8($0 * 2 + number) })
    }
    try peer.output(.frame(), by: "l2tp1")
    #expect(try peer.receive(1).map(\.message) == [.be32(4321) + .be64(Self.cookies.remote) + .frame()])
  }

  @Test("T-123, T-072 without tunnel, session or way a frame that is written is refused, counted once, and not seen")
  func refusals() throws {
    let peer = try L2TPPeer(ids: nil)
    let reader = try peer.near.reader("l2tp0")
    func refusal() -> CInt {
      do {
        try peer.output(.frame())
        return 0
      } catch {
        return (error as? BPF.Failure)?.errno ?? -1
      }
    }
    #expect(refusal() == ENETDOWN)
    #expect(try peer.near.status("l2tp0").lastError?.hasPrefix("output: no session") == true)
    try peer.near.perform("l2tp0", .session(L2TPPeer.ids), .deleteTunnel)
    #expect(refusal() == ENETDOWN)
    #expect(try reader.frames(1, within: 0.1) == [])
    #expect(try peer.counters().outputErrors == 2)
    try peer.near.perform("l2tp0", .tunnel(peer.wan.0.ipv4, "0.0.0.0"))
    #expect(refusal() == ENETUNREACH)
    try peer.near.perform("l2tp0", .tunnel(peer.wan.0.ipv4, "192.0.2.1"))
    #expect(refusal() == ENETUNREACH)
    // These were seen: what refuses them comes later.
    #expect(try reader.frames(2) == [.frame(), .frame()])
    let counters = try peer.counters()
    #expect(counters.outputErrors == 4 && counters.outputPackets == 0)
    try peer.near.perform("l2tp0", .tunnel(peer.wan.0.ipv4, peer.wan.1.ipv4), .down)
    #expect(refusal() == ENETDOWN)
  }

  @Test(
    "T-122, T-072 a gif's packets get into no l2tp, whether by a route or through a bridge; they are seen, refused and logged"
  )
  func nested() throws {
    let peer = try L2TPPeer()
    let near = peer.near
    try near.create("gif0")
    try near.perform("gif0", .tunnel("10.77.0.1", "10.77.0.2"), .address("172.16.1.1", 32, to: "172.16.2.1"))
    // By a route.
    try near.host.ip("addr add 10.77.0.1/24 dev l2tp0")
    try near.host.ip("neigh replace 10.77.0.2 lladdr 02:00:00:00:77:02 nud permanent dev l2tp0")
    #expect(try !near.pings("172.16.2.1", wait: 0.2))
    #expect(near.log.lines.contains("l2tp0: recursively called too many times(1)"))
    #expect(try near.status("gif0").counters.outputErrors > 0 && near.status("gif0").counters.outputPackets == 0)
    #expect(try near.status("gif0").lastError?.contains("l2tp0: recursively called too many times(1)") == true)
    // Through a bridge, where no route tells.
    try near.host.ip("addr flush dev l2tp0")
    try near.host.ip("link add bridge0 type bridge stp_state 0")
    try near.hush("bridge0")
    try near.host.ip("link set l2tp0 master bridge0")
    try near.host.ip("link set bridge0 up")
    try near.host.ip("addr add 10.77.0.1/24 dev bridge0")
    try near.host.ip("neigh replace 10.77.0.2 lladdr 02:00:00:00:77:02 nud permanent dev bridge0")
    let reader = try near.reader("l2tp0")
    #expect(
      try eventually(within: 10) {
        _ = try near.pings("172.16.2.1", wait: 0.2)
        return try near.status("l2tp0").counters.outputErrors > 0
      })
    #expect(try near.status("l2tp0").lastError?.contains("l2tp0: recursively called too many times(1)") == true)
    #expect(try reader.frames(1).first.map { $0[23] } == 4)
    // What passed no tunnel does leave, among words of the bridge.
    try peer.output(.frame())
    #expect(try eventually { try peer.receive(1, within: 0.2).map(\.message).contains(.be32(4321) + .frame()) })
  }

  @Test(
    "frames longer than the outer path takes leave in fragments and arrive whole, over IPv4 without DF",
    arguments: [false, true])
  func fragments(_ outerIsIPv6: Bool) throws {
    let peer = try L2TPPeer(outerIsIPv6: outerIsIPv6)
    try peer.near.perform("l2tp0", .mtu(8192))
    let reader = try peer.near.reader("l2tp0")
    for size in [1400, 1500, 3000, 8206] {
      let frame = [UInt8].frame(size)
      try peer.output(frame)
      #expect(try peer.receive(1).map(\.message) == [.be32(4321) + frame])
    }
    // And the other way, cut by the test.
    let frame = [UInt8].frame(8206, from: 3)
    var packet = HeldPacket(Self.id + frame)
    let pair = peer.pair.reversed
    #expect(OuterHeader.prepend(to: &packet.room, pair, transport: 115, trafficClass: 0, hops: 9) == nil)
    var fragments = try #require(Fragments(of: packet.room, mtu: 1400, identification: 77))
    var pieces: [HeldPacket] = []
    while true {
      var piece = HeldPacket([])
      guard fragments.next(of: packet.room, into: &piece.room) else { break }
      pieces.append(piece)
    }
    for piece in pieces { peer.sender.add(piece.room, to: pair.destination) }
    #expect(peer.sender.flush().allSatisfy { $0 == 0 })
    #expect(try reader.frames(5).last == frame)
  }
}
