import Glibc
import SwBPFESP
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey
@testable import SwBPFTunnels

/// A host with an engine and ipsec0 on it, and at the other end of the cable a host without, whose sockets are a test's.
final class IPsecPeer {
  /// What arrived at the far end.
  struct Arrival {
    var outer: OuterInfo
    /// UDP: the sender's port and the own one.
    var ports: NATPorts
    /// From SPI to check value.
    var esp: [UInt8]
    /// nil: it does not come out of ESP.
    var inner: [UInt8]?
    var upper: UInt8 = 0
    var spi: UInt32 { esp[..<4].reduce(0) { $0 << 8 | UInt32($1) } }
    var sequence: UInt32 { esp[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }
  }

  let near: TunnelHost
  let far: Host
  let wan: (LinkEnd, LinkEnd)
  let outerIsIPv6: Bool
  /// As ipsec0 has it, and its ports.
  let pair: TunnelPair
  let ports: NATPorts
  /// Knows the associations, as the near end does.
  private let keys = KeyEngine(now: 0)
  private let worker: ESPWorker
  private let sender: RawSender
  private let receivers: [RawReceiver]
  let natSocket: NATSocket?
  private let natReceiver: NATReceiver

  init(outerIsIPv6: Bool = false, ports: NATPorts = NATPorts(), queues: Int = 1) throws {
    self.outerIsIPv6 = outerIsIPv6
    self.ports = ports
    let host = try Host("near")
    let far = try Host("far")
    self.far = far
    wan = try Host.link(host, "wan0", far, "wan0", net: 1, ipv6: true)
    near = try TunnelHost(host, queues: queues)
    let ends = outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4)
    let source = try #require(IPAddress(ends.0))
    let destination = try #require(IPAddress(ends.1))
    pair = try #require(TunnelPair(source: source, destination: destination))
    worker = try ESPWorker()
    sender = try far.inside { try RawSender(ipv6: outerIsIPv6) }
    receivers = try far.inside {
      try [50, 4, 41].map { try RawReceiver(ipv6: outerIsIPv6, transport: $0) }
    }
    natSocket =
      ports.isNone ? nil : try far.inside { try NATSocket(isIPv6: outerIsIPv6, port: ports.peer) }
    natReceiver = try NATReceiver()
    keys.permitsNoAuth = true
    near.keys.permitsNoAuth = true
    try near.create("ipsec0")
    if ports.isNone {
      try near.perform("ipsec0", .tunnel(ends.0, ends.1))
    } else {
      try near.perform("ipsec0", .link(0, true), .tunnel(ends.0, ports.own, ends.1, ports.peer))
    }
    try near.perform("ipsec0", .address(GifHosts.inner4.0, 32, to: GifHosts.inner4.1))
    try near.perform("ipsec0", .address(GifHosts.inner6.0, 128, to: GifHosts.inner6.1))
  }

  /// What the far end sends to ipsec0.
  var back: TunnelPair { pair.reversed }

  /// Adds associations to both ends: out 10000 (IPv4 inside) and 10010, in 10001 and 10011.
  func associations(_ transform: Transform, options: String = "", uppers: [UInt8] = [4, 41]) throws {
    for upper in uppers {
      for isOut in [true, false] {
        let offset = (upper == 4 ? 0 : 10) + (isOut ? 0 : 1)
        let (a, b) = isOut ? (pair.source, pair.destination) : (pair.destination, pair.source)
        let words = transform.words(Character(UnicodeScalar(UInt8(97 + offset))))
        var text = "add \(a) \(b) esp \(10000 + offset) -u "
        if ports.isNone {
          text += "\(try near.reqid(isOut ? .outbound : .inbound, upper: upper))"
        } else {
          let (p, q) = isOut ? (ports.own, ports.peer) : (ports.peer, ports.own)
          text = "add \(a) [\(p)] \(b) [\(q)] esp-udp \(10000 + offset)"
        }
        text += " -m transport \(options) \(words) ;"
        try #require(try near.setkey(text) == [0], "\(text)")
        let socket = keys.open()
        let statement = try #require(
          SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true)).statements.first)
        try keys.send(try #require(statement.message(pid: 1)), from: socket)
        keys.close(socket)
      }
      if !ports.isNone { break }
    }
  }

  /// Removes all associations of both ends.
  func flush() throws {
    try #require(try near.setkey("flush ;") == [0])
    let socket = keys.open()
    defer { keys.close(socket) }
    var header = MessageHeader(.flush)
    header.length = 2
    try keys.send(header.bytes, from: socket)
  }

  private func association(_ destination: IPAddress, _ spi: UInt32) -> Association? {
    KeyQuestions(keys).inbound(to: destination, spi: spi)
  }

  private func bytes(_ packet: PacketRoom) -> [UInt8] {
    let span = packet.bytes
    return (0..<span.byteCount).map { span.u8(at: $0) }
  }

  /// The system's own words are left out.
  private static func isChatter(_ inner: [UInt8]) -> Bool {
    inner.first.map { $0 >> 4 } == 6 && inner.count >= 40 && (inner[24] == 0xff || inner[8] == 0xfe)
  }

  /// Outer packets that arrive at the far end until so many came.
  func receive(_ count: Int, within seconds: Double = 4) throws -> [Arrival] {
    var all: [Arrival] = []
    _ = try eventually(within: seconds) {
      for index in 0..<(try receivers[0].receive()) {
        guard let (outer, packet) = receivers[0].take(index) else { continue }
        add(outer, NATPorts(), packet, &all)
      }
      guard let natSocket else { return all.count >= count }
      for index in 0..<natReceiver.receive(natSocket) {
        guard let piece = natReceiver.take(index, of: natSocket) else { continue }
        for number in 0..<piece.count {
          add(piece.outer, NATPorts(own: piece.port, peer: natSocket.port), piece.packet(number), &all)
        }
      }
      return all.count >= count
    }
    return all
  }

  private func add(_ outer: OuterInfo, _ ports: NATPorts, _ packet: PacketRoom, _ all: inout [Arrival]) {
    var arrival = Arrival(outer: outer, ports: ports, esp: bytes(packet))
    var packet = packet
    if packet.count >= 8, let association = association(outer.destination, packet.bytes.be32(at: 0)),
      case .success(let upper) = worker.open(&packet, with: .passUnretained(association), now: 0)
    {
      (arrival.inner, arrival.upper) = (bytes(packet), upper)
      if Self.isChatter(bytes(packet)) { return }
    }
    all.append(arrival)
  }

  /// Whether packets without ESP came to the far end.
  func clearPackets() throws -> Int {
    var count = 0
    for receiver in receivers[1...] {
      for index in 0..<(try receiver.receive()) {
        if let (_, packet) = receiver.take(index), !Self.isChatter(bytes(packet)) { count += 1 }
      }
    }
    return count
  }

  /// ESP of the far end's association.
  func sealed(_ inner: [UInt8], upper: UInt8? = nil, spi: UInt32? = nil) throws -> [UInt8] {
    let isIPv6 = inner.first.map { $0 >> 4 } == 6
    var packet = HeldPacket(inner)
    let found = association(pair.source, spi ?? (isIPv6 && ports.isNone ? 10011 : 10001))
    let association = try #require(found)
    let drop = worker.seal(
      &packet.room, with: .passUnretained(association), nextHeader: upper ?? (isIPv6 ? 41 : 4), now: 0)
    try #require(drop == nil)
    return packet.bytes
  }

  /// Sends bytes behind an outer header, and behind a UDP header where there are ports.
  func send(
    _ bytes: [UInt8], transport: UInt8 = 50, ports: NATPorts? = nil, trafficClass: UInt8 = 0, pair: TunnelPair? = nil
  ) throws {
    let pair = pair ?? back
    var packet = HeldPacket(bytes)
    var transport = transport
    if let ports {
      try #require(ESPInUDP.prepend(to: &packet.room, from: ports.peer, to: ports.own))
      transport = 17
    }
    let drop = OuterHeader.prepend(
      to: &packet.room, pair, transport: transport, trafficClass: trafficClass, hops: 9)
    try #require(drop == nil)
    if transport == 17 && pair.isIPv6 {
      Checksums.finish(&packet.room, start: 40, offset: 6, transport: 17)
    }
    sender.add(packet.room, to: pair.destination)
    let errors = Array(sender.flush())
    try #require(errors == [0])
  }

  /// Sends an inner packet in ESP, as the far end of ipsec0 would.
  func sendInner(_ inner: [UInt8], trafficClass: UInt8 = 0) throws {
    try send(try sealed(inner), ports: ports.isNone ? nil : ports, trafficClass: trafficClass)
  }

  /// Lets ipsec0 carry a packet as if the system sent it.
  func output(_ inner: [UInt8]) throws {
    let writer = try near.reader("ipsec0")
    try writer.write([inner[0] >> 4 == 6 ? 24 : 2, 0, 0, 0] + inner)
  }

  func counters() throws -> InterfaceCounters { try near.status("ipsec0").counters }
  var trouble: String { (try? near.status("ipsec0").lastError) ?? "-" }
}
