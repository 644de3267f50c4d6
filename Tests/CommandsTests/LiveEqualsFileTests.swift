import Testing

@testable import TestSupport

@Suite("A filter means the same live and over a file", .needsNamespaces)
struct LiveEqualsFileTests {
  static let filters = [
    "ip", "ip6", "arp", "udp", "tcp", "icmp", "icmp6", "udp port 9", "udp dst port 53", "tcp port 80", "port 53",
    "src host 10.1.0.1", "dst host 10.1.0.2", "net 10.1.0.0/24", "not ip", "ip and not udp", "host fd00:1::2",
    "ip6 and udp port 9", "ether src 02:00:00:00:01:01", "ether broadcast", "ether multicast",
    "ip multicast", "less 100", "greater 500", "len = 60", "vlan", "vlan 5", "vlan 5 and udp", "vlan 5 and vlan 9",
    "vlan and vlan and udp port 9", "udp or (vlan and udp)", "ether[12:2] = 0x8100", "ether[14:2] = 5",
    "ether proto 0x88b5", "ip[6:2] & 0x1fff != 0", "ip[6:2] & 0x3fff != 0 and udp", "tcp[tcpflags] & tcp-syn != 0",
    "udp[8:4] = 0", "portrange 50-60", "ip proto 17 and ip[8] < 10", "ip[2:2] > 200", "not vlan and not arp",
    "ether proto 0x88a8", "ip6 proto 44", "ether[0] & 1 = 0 and ip[0] & 0xf > 5",
  ]

  @Test(
    "each filter's live capture is what tcpdump picks from all packets", .timeLimit(.minutes(2)), .needsTool("tcpdump"))
  func agree() throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let all = try wire.far.capture(["-i", "vb", "-Qin", "-B", "1024", "--ring", "512", "-w", scratch.file("all.pcap")])
    let live = try Self.filters.enumerated().map { index, filter in
      try wire.far.start(
        [Tool.swbpf, "-i", "vb", "-Qin", "-B", "256", "--ring", "512", "-w", scratch.file("\(index).pcap"), filter])
    }
    for (index, child) in live.enumerated() {
      try #require(child.err.waitFor("listening on", timeout: 20) != nil, "\(Self.filters[index]): \(child.err.text)")
    }
    let sender = try FrameSender(in: wire.near, interface: "va")
    let traffic = Self.traffic(from: wire.nearEnd, to: wire.farEnd)
    for frame in traffic { try sender.send(frame) }
    pause(0.1)
    for child in live + [all] { child.signal(2) }
    for child in live + [all] { #expect(try child.finish().status == .exited(0)) }
    let whole = try packets(in: scratch.file("all.pcap"))
    #expect(whole.map(\.bytes) == traffic)
    var matched = 0
    for (index, filter) in Self.filters.enumerated() {
      let file = scratch.file("picked.pcap")
      let judge = try wire.far.run(["tcpdump", "-r", scratch.file("all.pcap"), "-w", file, filter])
      #expect(judge.status == .exited(0), "\(filter): \(judge.err)")
      let seen = try packets(in: scratch.file("\(index).pcap"))
      #expect(try packets(in: file) == seen, "\(filter)")
      matched += seen.isEmpty ? 0 : 1
    }
    #expect(matched > Self.filters.count * 3 / 4)
  }

  /// Frames of many kinds, to hardware addresses or hosts that give no answer.
  private static func traffic(from near: LinkEnd, to far: LinkEnd) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    func ethernet(_ type: UInt16, _ payload: [UInt8], to: [UInt8]? = nil, vlans: [UInt16] = []) {
      frames.append(Frame.ethernet(from: near.mac, to: to ?? far.mac, vlans: vlans, type: type, payload))
    }
    func ip(
      _ proto: UInt8, _ rest: [UInt8], fragment: UInt16 = 0, ttl: UInt8 = 64, to: [UInt8] = [10, 1, 0, 77],
      options: [UInt8] = []
    ) -> [UInt8] {
      let words = UInt8(5 + options.count / 4)
      var header: [UInt8] =
        [0x40 | words, 0] + Frame.big(UInt16(20 + options.count + rest.count)) + [0, 9] + Frame.big(fragment)
        + [ttl, proto, 0, 0, 10, 1, 0, 1] + to + options
      header.replaceSubrange(10..<12, with: Frame.big(Frame.checksum(header)))
      return header + rest
    }
    func udp(_ port: UInt16, _ size: Int) -> [UInt8] {
      Frame.big(40000) + Frame.big(port) + Frame.big(UInt16(8 + size)) + [0, 0] + [UInt8](repeating: 0, count: size)
    }
    func tcp(_ port: UInt16, _ flags: UInt8) -> [UInt8] {
      Frame.big(40000) + Frame.big(port) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]
    }
    func ip6(_ next: UInt8, _ rest: [UInt8]) -> [UInt8] {
      let prefix: [UInt8] = [0xfd, 0, 0, 1] + [UInt8](repeating: 0, count: 11)
      return [0x60, 0, 0, 0] + Frame.big(UInt16(rest.count)) + [next, 64] + prefix + [1] + prefix + [2] + rest
    }
    for round in 0..<3 {
      for vlans in [[], [5], [7], [5, 9]] as [[UInt16]] {
        for port in [9, 53, 55, 80] as [UInt16] {
          ethernet(0x0800, ip(17, udp(port, 18 + 200 * round)), vlans: vlans)
          ethernet(0x0800, ip(6, tcp(port, port == 80 ? 2 : 0x10)), vlans: vlans)
        }
        ethernet(0x0800, ip(1, [8, 0, 0xf7, 0xfe, 0, 1, 0, 0]), vlans: vlans)
        ethernet(0x86dd, ip6(17, udp(9, 30)), vlans: vlans)
        ethernet(0x86dd, ip6(44, [17, 0, 0, 1, 0, 0, 0, 9] + udp(9, 8)), vlans: vlans)
        ethernet(0x86dd, ip6(58, [128, 0, 0, 0, 0, 1, 0, 1]), vlans: vlans)
        ethernet(0x88b5, [UInt8](repeating: UInt8(round), count: 46), vlans: vlans)
      }
      // Fragments: the first, a middle one, the last.
      ethernet(0x0800, ip(17, udp(9, 64), fragment: 0x2000))
      ethernet(0x0800, ip(17, udp(9, 64), fragment: 0x2009))
      ethernet(0x0800, ip(17, [9, 9, 0, 9, 0, 9, 0, 9], fragment: 0x0012))
      ethernet(0x0800, ip(17, udp(53, 9), ttl: 3, to: [10, 1, 0, 255]), to: [255, 255, 255, 255, 255, 255])
      ethernet(0x0800, ip(17, udp(53, 9), to: [224, 0, 0, 9]), to: [1, 0, 0x5e, 0, 0, 9])
      ethernet(0x0800, ip(17, udp(9, 9), options: [1, 1, 1, 0]))
      ethernet(
        0x0806, [0, 1, 8, 0, 6, 4, 0, 1] + near.mac + [10, 1, 0, 1] + [0, 0, 0, 0, 0, 0, 10, 1, 0, 99],
        to: [255, 255, 255, 255, 255, 255])
      ethernet(0x88a8, [0, 5, 0x08, 0] + ip(17, udp(9, 9)))
      ethernet(0x0027, [0x42, 0x42, 3] + [UInt8](repeating: 0, count: 43))
    }
    return frames
  }
}
