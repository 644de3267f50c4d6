import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// scapy judges bytes: it builds what we should build, and we take apart what it builds.
@Suite(.needsScapy, .timeLimit(.minutes(2)))
struct ScapyTests {
  /// What a script prints, line by line.
  private func scapy(_ script: String, _ input: [String] = []) throws -> [String] {
    let child = try Child(
      [try #require(Tool.scapyPython), "-c", "from scapy.all import *\nimport sys\n" + script], input: .pipe)
    child.write(input.joined(separator: "\n"))
    child.closeInput()
    let output = try child.finish(timeout: 60)
    try #require(output.status == .exited(0), "\(output.err)")
    return output.out.split(separator: "\n").map(String.init)
  }

  private let inner = [
    Inner.ipv4(trafficClass: 0xbb), Inner.ipv6(trafficClass: 0xba), Inner.ipv4(count: 1400), Inner.ipv6(count: 3000),
  ]

  @Test("T-081..T-086 every outer header is as scapy builds it, to the byte")
  func headers() throws {
    var ours: [String] = []
    for pair in [TunnelPair.ipv4, .ipv6] {
      for mode in [ECNMode.cleared, .passed] {
        for bytes in inner {
          var packet = HeldPacket(bytes)
          #expect(GifPacket.encapsulate(&packet.room, .up(pair, ecn: mode), by: .by(2), own: 9) == nil)
          ours.append(hex(packet.bytes))
        }
      }
    }
    let theirs = try scapy(
      """
      packets = [bytes.fromhex(line.strip()) for line in sys.stdin]
      for outer in (4, 6):
        for mask in (0xfc, 0xff):
          for p in packets:
            i = IP(p) if p[0] >> 4 == 4 else IPv6(p)
            tc = (i.tos if p[0] >> 4 == 4 else i.tc) & mask
            if outer == 4: o = IP(src='10.0.0.1', dst='10.0.0.2', ttl=30, id=0, flags=0, tos=tc)
            else: o = IPv6(src='fc00::1', dst='fc00::2', hlim=30, tc=tc, fl=0)
            print(bytes(o / i).hex())
      """, inner.map(hex))
    #expect(ours == theirs)
  }

  @Test("T-089 every fragment is as scapy cuts it, to the byte")
  func fragments() throws {
    var ours: [String] = []
    for (pair, mtu) in [(TunnelPair.ipv6, 1280), (.ipv4, 1500), (.ipv4, 576)] {
      for bytes in inner {
        var packet = HeldPacket(bytes)
        #expect(GifPacket.encapsulate(&packet.room, .up(pair), by: .by(2), own: 9) == nil)
        guard var fragments = Fragments(of: packet.room, mtu: mtu, identification: 0x7fff_1234) else {
          ours.append(hex(packet.bytes))
          continue
        }
        var room = HeldPacket([], headroom: 0, size: mtu)
        while fragments.next(of: packet.room, into: &room.room) { ours.append(hex(room.bytes)) }
      }
    }
    let theirs = try scapy(
      """
      packets = [bytes.fromhex(line.strip()) for line in sys.stdin]
      for outer, mtu in ((6, 1280), (4, 1500), (4, 576)):
        for p in packets:
          four = p[0] >> 4 == 4
          tc = (IP(p).tos if four else IPv6(p).tc) & 0xfc
          proto = 4 if four else 41
          whole = len(p) + (20 if outer == 4 else 40) <= mtu
          if outer == 4:
            o = IP(src='10.0.0.1', dst='10.0.0.2', ttl=30, id=0 if whole else 0x1234, flags=0, tos=tc, proto=proto)
            parts = [o / Raw(p)] if whole else fragment(o / Raw(p), fragsize=(mtu - 20) & ~7)
          else:
            o = IPv6(src='fc00::1', dst='fc00::2', hlim=30, tc=tc, fl=0, nh=proto)
            o2 = IPv6(src='fc00::1', dst='fc00::2', hlim=30, tc=tc, fl=0)
            parts = [o / Raw(p)] if whole else fragment6(o2 / IPv6ExtHdrFragment(nh=proto, id=0x7fff1234) / Raw(p), mtu)
          for part in parts: print(bytes(part).hex())
      """, inner.map(hex))
    #expect(ours == theirs)
  }

  @Test("T-093 what scapy sends through a tunnel comes out as it went in")
  func received() throws {
    let lines = try scapy(
      """
      four = IP(src='172.16.1.1', dst='172.16.2.1', tos=0xb8) / UDP(sport=1, dport=2) / (b'x' * 100)
      six = IPv6(src='fc00:3::1', dst='fc00:4::1', tc=0xb8) / UDP(sport=1, dport=2) / (b'y' * 100)
      for i in (four, six):
        o = IP(src='10.0.0.2', dst='10.0.0.1', tos=0x23, options=[IPOption_NOP()] * 4) / i
        print(bytes(o).hex(), bytes(i).hex())
      """)
    #expect(lines.count == 2)
    for line in lines {
      let words = line.split(separator: " ").map { bytes(ofHex: $0) }
      var packet = HeldPacket(words[0])
      let outer = try #require(OuterInfo.takeIPv4(off: &packet.room, interface: 2))
      #expect(outer.trafficClass == 0x23)
      let result = GifPacket.decapsulate(&packet.room, outer, .up(.ipv4), broadcasts: [], back: .by(2))
      #expect(result == nil)
      #expect(packet.bytes == words[1])
    }
  }

  private func bytes(ofHex text: Substring) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
  }
}
