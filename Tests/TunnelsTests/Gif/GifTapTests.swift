import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFLiveCapture
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What readers of a gif see.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct GifTapTests {
  private static let payload = 56

  /// ICMP echo requests and replies: the family word, then the packet.
  private func kinds(_ frames: [[UInt8]]) -> [String] {
    frames.map { frame in
      let word = frame[..<4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
      let isIPv6 = frame[4] >> 4 == 6
      let type = frame[4 + (isIPv6 ? 40 : 20)]
      return "\(UInt32(littleEndian: word)) "
        + (isIPv6 ? (type == 128 ? "request" : "reply") : (type == 8 ? "request" : "reply"))
    }
  }

  @Test(
    "T-064, T-065, T-066, T-067 a request is seen once as it leaves and its reply once as it arrives, behind BSD's family word; each direction alone, and see-sent off",
    arguments: [false, true], [false, true])
  func directions(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let reader = try hosts.near.reader("gif0")
    let interface = try #require(hosts.near.taps.interface(named: "gif0"))
    #expect(interface.linkType == 0)
    let (source, other) = hosts.lan(ipv6: innerIsIPv6)
    let word = innerIsIPv6 ? "24" : "2"
    for (change, expected) in [
      ({ try reader.setDirection(.inOut) }, ["\(word) request", "\(word) reply"]),
      ({ try reader.setDirection(.in) }, ["\(word) reply"]),
      ({ try reader.setDirection(.out) }, ["\(word) request"]),
      ({ try reader.setSeesSent(false) }, ["\(word) reply"]),
      ({ try reader.setSeesSent(true) }, ["\(word) request", "\(word) reply"]),
    ] as [(() throws -> Void, [String])] {
      try change()
      reader.flush()
      #expect(try hosts.near.pings(other, from: source, once: true))
      let frames = try reader.frames(expected.count)
      #expect(kinds(frames) == expected)
      #expect(frames.allSatisfy { $0.count == 4 + (innerIsIPv6 ? 48 : 28) + Self.payload } as Bool)
    }
  }

  @Test(
    "T-070 a packet that a router forwards into the tunnel is one that leaves: with see-sent off only answers are seen")
  func forwarded() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    let client = try Host("client")
    try Host.link(client, "lan0", hosts.near.host, "lan0", net: 9)
    try client.ip("route add default via 10.9.0.2")
    try hosts.near.host.write("1", to: "/proc/sys/net/ipv4/ip_forward")
    try hosts.far.host.ip("route add 10.9.0.0/24 dev gif0")
    let reader = try hosts.near.reader("gif0")
    #expect(try Ping.isAnswered(in: client, GifHosts.lan4.1, once: true))
    #expect(kinds(try reader.frames(2)) == ["2 request", "2 reply"])
    try reader.setSeesSent(false)
    reader.flush()
    #expect(try Ping.isAnswered(in: client, GifHosts.lan4.1, once: true))
    #expect(kinds(try reader.frames(1)) == ["2 reply"])
    try reader.setDirection(.out)
    reader.flush()
    #expect(try Ping.isAnswered(in: client, GifHosts.lan4.1, once: true))
    let frames = try reader.frames(1)
    #expect(kinds(frames) == ["2 request"])
    // From the client, with the TTL that the router left.
    #expect(frames.first.map { Array($0[16..<20]) } == [10, 9, 0, 1] && frames.first?[12] == 63)
  }

  @Test("T-067 what arrives is seen with its congestion bits as the tunnel left them")
  func congestion() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    try hosts.near.perform("gif0", .link(1, true))
    let reader = try hosts.near.reader("gif0")
    let sender = try hosts.far.host.inside { try RawSender(ipv6: false) }
    let pair = try #require(
      TunnelPair(source: IPAddress(hosts.wan.1.ipv4)!, destination: IPAddress(hosts.wan.0.ipv4)!))
    var packet = HeldPacket(Inner.ipv4(trafficClass: 0xb9))
    #expect(OuterHeader.prepend(to: &packet.room, pair, transport: 4, trafficClass: 3, hops: 9) == nil)
    sender.add(packet.room, to: pair.destination)
    #expect(sender.flush() == [0])
    let frame = try #require(try reader.frames(1).first)
    #expect(frame[5] == 0xbb && checksum(frame[4..<24]) == 0)
  }

  @Test("T-072 packets that an interface without a tunnel, or nested once too often, refuses are not seen")
  func refused() throws {
    let host = try TunnelHost(Host())
    try host.create("gif0")
    try host.perform("gif0", .address("172.16.1.1", 32, to: "172.16.2.1"))
    let reader = try host.reader("gif0")
    #expect(try !host.pings("172.16.2.1", wait: 0.3))
    #expect(try host.status("gif0").counters.outputErrors > 0)
    #expect(try reader.frames(1, within: 0.2) == [])
    #expect(try host.status("gif0").lastError?.hasPrefix("output: no tunnel addresses") == true)
  }

  @Test(
    "what is written to a descriptor leaves by the tunnel and is seen once as sent; a family word must be the packet's")
  func written() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    let (writer, reader) = (try hosts.near.reader("gif0"), try hosts.near.reader("gif0"))
    let far = try hosts.far.reader("gif0")
    for (inner, word) in [(Inner.ipv4(), 2), (Inner.ipv6(), 24)] as [([UInt8], UInt8)] {
      let frame = [word, 0, 0, 0] + inner
      #expect(try writer.write(frame) == frame.count)
      #expect(try reader.frames(1) == [frame])
      #expect(try far.frames(1) { $0 == frame } == [frame])
      #expect(throws: BPF.Failure.system(errno: EAFNOSUPPORT, call: "gif_output")) {
        try writer.write([26 - word, 0, 0, 0] + inner)
      }
    }
    #expect(throws: BPF.Failure.system(errno: EAFNOSUPPORT, call: "gif_output")) { try writer.write([2, 0, 0, 0]) }
    #expect(throws: BPF.Failure.self) { try writer.write([2, 0, 0, 0] + Inner.ipv4(count: 1281)) }
    // Feedback: readers see it as received, and only so.
    try reader.setDirection(.inOut)
    let before = try hosts.near.status("gif0").counters
    #expect(before.outputErrors == 0)
    try hosts.near.perform("gif0", .deleteTunnel)
    #expect(throws: BPF.Failure.system(errno: ENETDOWN, call: "gif_output")) {
      try writer.write([2, 0, 0, 0] + Inner.ipv4())
    }
    #expect(try hosts.near.status("gif0").counters.outputErrors == 1)
    try hosts.near.perform("gif0", .down)
    #expect(throws: BPF.Failure.system(errno: ENETDOWN, call: "write")) {
      try writer.write([2, 0, 0, 0] + Inner.ipv4())
    }
  }

  @Test("a capture engine finds a tunnel by its name before the device of that name, without rights of its own")
  func byName() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    let reader = try hosts.near.host.inside { () throws -> BPF.Descriptor in
      let engine = try CaptureEngine(emulated: hosts.near.taps)
      let descriptor = try BPF.Descriptor()
      descriptor.setImmediate(true)
      try onThreadWithout(capNetRaw) { try engine.attach(descriptor, to: "gif0") }
      return descriptor
    }
    #expect(try hosts.near.pings(GifHosts.lan4.1, once: true))
    #expect(kinds(try reader.frames(2)) == ["2 request", "2 reply"])
  }

  @Test("a descriptor of an interface that is destroyed is told, and the next interface of the name is another one")
  func destroyed() throws {
    let host = try TunnelHost(Host())
    try host.create("gif0")
    let reader = try host.reader("gif0")
    try host.destroy("gif0")
    #expect(throws: BPF.Failure.departed) { while try reader.nextSlot(timeout: .seconds(1)) != nil {} }
    #expect(throws: (any Error).self) { try reader.write([2, 0, 0, 0] + Inner.ipv4()) }
    #expect(host.taps.interface(named: "gif0") == nil)
    try host.create("gif0")
    #expect(try host.reader("gif0").nextSlot(timeout: .milliseconds(10)) == nil)
  }

  @Test("T-073 readers that come and go do not hold up what passes, and it does not hold up them")
  func comeAndGo() throws {
    let hosts = try GifHosts()
    try hosts.tunnel()
    let receiver = try UDPReceiver(in: hosts.far.host, port: 5000)
    let sender = try UDPSender(in: hosts.near.host, to: GifHosts.inner4.1, port: 5000)
    let rounds = Requirement.short ? 100 : 500
    let isDone = Gate()
    let readers = Thread(name: "readers") {
      for round in 0..<rounds {
        guard let reader = try? hosts.near.reader("gif0") else { break }
        if round % 3 == 0 { try? reader.setDirection(.in) }
        reader.detach()
      }
      isDone.open()
    }
    var sent = 0
    while !isDone.wait(upTo: 0) && sent < 200_000 {
      try sender.send(20, size: 32)
      sent += 20
      // What was sent is there before more is.
      #expect(try receiver.receive(20).count == 20)
    }
    readers.join()
    #expect(try hosts.near.status("gif0").counters.outputErrors == 0)
  }
}
