import Glibc
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Two hosts, a sender in one and a receiver in the other.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct RawSocketTests {
  private let near: Host
  private let far: Host
  private let ends: (LinkEnd, LinkEnd)

  init() throws {
    (near, far) = (try Host("near"), try Host("far"))
    ends = try Host.link(near, "va", far, "vb", net: 1, ipv6: true)
  }

  private func pair(_ ipv6: Bool) throws -> TunnelPair {
    let (source, destination) = ipv6 ? (ends.0.ipv6, ends.1.ipv6) : (ends.0.ipv4, ends.1.ipv4)
    let near = try #require(IPAddress(source))
    let far = try #require(IPAddress(destination))
    return try #require(TunnelPair(source: near, destination: far))
  }

  private func outer(_ inner: [UInt8], _ pair: TunnelPair, ecn: ECNMode = .passed) -> HeldPacket {
    var packet = HeldPacket(inner)
    #expect(GifPacket.encapsulate(&packet.room, .up(pair, ecn: ecn), by: .by(2), own: 9) == nil)
    return packet
  }

  private func bytes(_ packet: PacketRoom) -> [UInt8] { (0..<packet.count).map { packet.bytes.u8(at: $0) } }

  /// So many packets, or what came in two seconds.
  private func receive(_ count: Int, _ receiver: RawReceiver) throws -> [(OuterInfo, [UInt8])] {
    var all: [(OuterInfo, [UInt8])] = []
    _ = try eventually(within: 2) {
      for index in 0..<(try receiver.receive()) {
        if let (outer, packet) = receiver.take(index) { all.append((outer, bytes(packet))) }
      }
      return all.count >= count
    }
    return all
  }

  @Test(
    "T-081 a batch arrives with what the outer headers said, and the inner packets as they were",
    arguments: [false, true])
  func batch(_ ipv6: Bool) throws {
    let pair = try pair(ipv6)
    let sender = try near.inside { try RawSender(ipv6: ipv6) }
    let receivers = try [UInt8(4), 41].map { transport in
      try far.inside { try RawReceiver(ipv6: ipv6, transport: transport) }
    }
    let fours = (0..<40).map { Inner.ipv4(trafficClass: 0xba, count: 60 + $0) }
    let sixes = (0..<20).map { Inner.ipv6(trafficClass: 0x29, count: 80 + $0) }
    let packets = (fours + sixes).map { outer($0, pair) }
    for packet in packets { sender.add(packet.room, to: pair.destination) }
    #expect(sender.flush() == ArraySlice(Array(repeating: 0, count: 60)))
    let index = far.inside { if_nametoindex("vb") }
    for (receiver, sent, transport, trafficClass) in [(receivers[0], fours, 4, 0xba), (receivers[1], sixes, 41, 0x29)]
      as [(RawReceiver, [[UInt8]], UInt8, UInt8)]
    {
      let got = try receive(sent.count, receiver)
      #expect(got.map(\.1) == sent)
      let expected = OuterInfo(
        source: pair.source, destination: pair.destination, transport: transport, trafficClass: trafficClass,
        interface: index)
      #expect(got.allSatisfy { $0.0 == expected } as Bool)
      #expect(receiver.dropped == 0)
    }
  }

  @Test(
    "T-089, T-170 fragments, which the far system puts together again, arrive as one packet", arguments: [false, true])
  func reassembled(_ ipv6: Bool) throws {
    let pair = try pair(ipv6)
    let sender = try near.inside { try RawSender(ipv6: ipv6) }
    let receiver = try far.inside { try RawReceiver(ipv6: ipv6, transport: 4) }
    let inner = Inner.ipv4(count: 8192)
    let packet = outer(inner, pair)
    sender.add(packet.room, to: pair.destination)
    #expect(Array(sender.flush()) == [EMSGSIZE])
    let mtu = ipv6 ? 1280 : 1500
    var fragments = try #require(Fragments(of: packet.room, mtu: mtu, identification: 77))
    var rooms = (0..<fragments.count).map { _ in HeldPacket([], headroom: 0, size: mtu) }
    for index in rooms.indices {
      #expect(fragments.next(of: packet.room, into: &rooms[index].room))
      sender.add(rooms[index].room, to: pair.destination)
    }
    #expect(sender.flush().allSatisfy { $0 == 0 } as Bool)
    let got = try receive(1, receiver)
    #expect(got.map(\.1) == [inner])
    #expect(got.first?.0.pair == TunnelPair(source: pair.destination, destination: pair.source))
  }

  @Test("T-174 one packet that cannot be sent keeps none of the others of its batch")
  func failure() throws {
    let pair = try pair(false)
    let nowhere = try #require(TunnelPair(source: pair.source, destination: IPAddress(v4: 0xc000_0201)))
    let sender = try near.inside { try RawSender(ipv6: false) }
    let receiver = try far.inside { try RawReceiver(ipv6: false, transport: 4) }
    let pairs = [nowhere, pair, pair, nowhere, nowhere, pair]
    let packets = pairs.enumerated().map { outer(Inner.ipv4(count: 60 + $0), $1) }
    for (packet, pair) in zip(packets, pairs) { sender.add(packet.room, to: pair.destination) }
    #expect(Array(sender.flush()) == pairs.map { $0 == pair ? 0 : ENETUNREACH })
    #expect(try receive(3, receiver).map(\.1.count) == [61, 62, 65])
  }

  @Test("T-169 a sender holds nothing that is received", arguments: [false, true])
  func noBacklog(_ ipv6: Bool) throws {
    let pair = try pair(ipv6)
    let sender = try far.inside { try RawSender(ipv6: ipv6) }
    let receiver = try far.inside { try RawReceiver(ipv6: ipv6, transport: 4) }
    let other = try near.inside { try RawSender(ipv6: ipv6) }
    let packet = outer(Inner.ipv4(), pair)
    for _ in 0..<10 { other.add(packet.room, to: pair.destination) }
    _ = other.flush()
    #expect(try receive(10, receiver).count == 10)
    var buffer: [UInt8] = [0]
    #expect(recv(sender.descriptor, &buffer, 1, 0) == -1 && errno == EAGAIN)
  }

  @Test("what the socket has no room for is counted")
  func dropped() throws {
    let pair = try pair(false)
    let sender = try near.inside { try RawSender(ipv6: false) }
    let receiver = try far.inside { try RawReceiver(ipv6: false, transport: 4, room: 8192) }
    let packet = outer(Inner.ipv4(count: 1000), pair)
    for _ in 0..<4 {
      for _ in 0..<50 { sender.add(packet.room, to: pair.destination) }
      _ = sender.flush()
    }
    let kept = try receive(200, receiver).count
    // The count comes with the next packet.
    sender.add(packet.room, to: pair.destination)
    _ = sender.flush()
    #expect(try receive(1, receiver).count == 1)
    #expect(receiver.dropped == UInt64(200 - kept))
    #expect(kept > 0 && kept < 200)
  }
}
