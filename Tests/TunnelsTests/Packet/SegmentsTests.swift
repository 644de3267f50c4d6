import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.timeLimit(.minutes(2)))
struct SegmentsTests {
  private func offload(_ segments: PacketOffload.Segments, size: UInt16, start: UInt16, offset: UInt16) -> PacketOffload
  {
    var offload = PacketOffload()
    offload.segments = segments
    offload.segmentSize = size
    offload.checksum = (start, offset)
    return offload
  }

  /// scapy builds a super-packet (S) and then each of the packets that it stands for (E).
  private static let script = """
    from scapy.all import *
    data = bytes(range(256)) * 12 + b'end'
    for v in (4, 6):
      for tcp in (1, 0):
        for size in (1000, 1025, 3075, 5000):
          def network(i):
            if v == 4: return IP(src='172.16.1.1', dst='172.16.2.1', id=(65534 + i) & 65535, flags='DF', tos=0xb8, ttl=9)
            return IPv6(src='fc00:3::1', dst='fc00:4::1', tc=0xb8, hlim=9, fl=0x12345)
          def transport(i, last):
            if not tcp: return UDP(sport=1000, dport=2000)
            flags = 0xd9 & (0xff if last else ~9) & (0xff if i == 0 else ~0x80)
            options = [('NOP', None), ('NOP', None), ('Timestamp', (1, 2))]
            return TCP(sport=1, dport=2, seq=(0xfffffe00 + i * size) & 0xffffffff, ack=7, flags=flags, options=options)
          print('S', v, tcp, size, bytes(network(0) / transport(0, True) / data).hex())
          count = (len(data) + size - 1) // size
          for i in range(count):
            print('E', bytes(network(i) / transport(i, i == count - 1) / data[i * size:(i + 1) * size]).hex())
    """

  @Test("T-168 a super-packet is cut into the packets that scapy builds, to the byte", .needsScapy)
  func segments() throws {
    let output = try Child([try #require(Tool.scapyPython), "-c", Self.script]).finish(timeout: 60)
    try #require(output.status == .exited(0), "\(output.err)")
    var ours: [String] = []
    var theirs: [String] = []
    for line in output.out.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      guard words[0] == "S" else {
        theirs.append(words[1])
        continue
      }
      let isTCP = words[2] == "1"
      let kind: PacketOffload.Segments = isTCP ? (words[1] == "4" ? .tcp4 : .tcp6) : .udp
      let packet = HeldPacket(bytes(ofHex: words[4]))
      let offload = offload(
        kind, size: try #require(UInt16(words[3])), start: words[1] == "4" ? 20 : 40, offset: isTCP ? 16 : 6)
      var segments = try #require(Segments(of: packet.room, offload))
      var room = HeldPacket([], headroom: 96, size: 9000)
      var written = 0
      while segments.next(of: packet.room, into: &room.room) {
        written += 1
        ours.append(hex(room.bytes))
      }
      #expect(written == segments.count)
    }
    #expect(theirs.count == 4 * (4 + 3 + 1 + 1))
    #expect(ours == theirs)
  }

  @Test("a super-packet with a segment whose length no header can tell is none")
  func longSegment() throws {
    // As long as a device hands it over; its one segment is the whole.
    var bytes = [UInt8](repeating: 0, count: 65536)
    bytes[0] = 0x45
    let packet = HeldPacket(bytes, size: 65536)
    let long = offload(.udp, size: 65508, start: 20, offset: 6)
    #expect(Segments(of: packet.room, long) == nil && Segments.isBroken(packet.room, long))
    var segments = try #require(Segments(of: packet.room, offload(.udp, size: 65507, start: 20, offset: 6)))
    var room = HeldPacket([], headroom: 96, size: 65536)
    #expect(segments.next(of: packet.room, into: &room.room) && room.room.count == 65535)
    #expect(segments.next(of: packet.room, into: &room.room) && room.room.count == 29)
  }

  @Test("T-168 a checksum that was left to do is done, where the packet has a place for it")
  func checksums() {
    // A UDP datagram with the sum of the pseudo header in its place, as the system leaves it.
    var bytes = Inner.ipv4(count: 60)
    bytes.replaceSubrange(20..<28, with: [0x10, 0, 0x20, 0, 0, 40, 0, 0])
    let pseudo = Array(bytes[12..<20]) + [0, 17, 0, 40]
    let sum = ~checksum(pseudo)
    bytes.replaceSubrange(26..<28, with: [UInt8(sum >> 8), UInt8(truncatingIfNeeded: sum)])
    var packet = HeldPacket(bytes)
    #expect(Checksums.complete(&packet.room, offload(.none, size: 0, start: 20, offset: 6)))
    #expect(checksum(pseudo + packet.bytes[20...]) == 0)
    for (start, offset) in [(60, 0), (59, 0), (20, 39), (0xffff, 0xffff)] as [(UInt16, UInt16)] {
      packet = HeldPacket(bytes)
      #expect(!Checksums.complete(&packet.room, offload(.none, size: 0, start: start, offset: offset)))
      #expect(packet.bytes == bytes)
    }
  }

  @Test("T-097 a super-packet that lies about its headers is none")
  func broken() {
    let bytes = Inner.ipv4(count: 200)
    func isBroken(_ bytes: [UInt8], _ offload: PacketOffload) -> Bool {
      let packet = HeldPacket(bytes)
      return withExtendedLifetime(packet) { Segments.isBroken(packet.room, offload) }
    }
    var tcp = bytes
    tcp[32] = 0x50
    #expect(!isBroken(tcp, offload(.tcp4, size: 100, start: 20, offset: 16)))
    for count in 0...40 {
      #expect(isBroken(Array(tcp[..<count]), offload(.tcp4, size: 100, start: 20, offset: 16)))
    }
    for (start, size) in [(20, 0), (0, 100), (19, 100), (181, 100), (200, 100), (0xffff, 100)] as [(UInt16, UInt16)] {
      #expect(isBroken(tcp, offload(.tcp4, size: size, start: start, offset: 16)))
    }
    for header in [0x00, 0x40, 0xf0] as [UInt8] {
      tcp[32] = header
      #expect(isBroken(Array(tcp[..<70]), offload(.tcp4, size: 100, start: 20, offset: 16)))
    }
    #expect(!isBroken(bytes, PacketOffload()))
  }

  private func bytes(ofHex text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
  }
}
