import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.timeLimit(.minutes(2)))
struct CoalescerTests {
  /// A batch of packets with their memory.
  private struct Batch {
    private let memory: PacketBatch
    var packets: [PacketRoom] = []

    init(_ packets: [[UInt8]]) {
      memory = PacketBatch(packets.count, size: 9000, headroom: 96)
      for (room, bytes) in zip(memory.packets, packets) {
        var room = room
        room.reset(headroom: 96, count: bytes.count)
        room.copy(from: bytes.span.bytes, at: 0)
        self.packets.append(room)
      }
    }

    /// How many packets each run has, and what each is written as.
    mutating func joined(isOn: Bool = true, mtu: Int = 1400) -> [(count: Int, offload: PacketOffload, bytes: [UInt8])] {
      var coalescer = Coalescer(capacity: packets.count)
      coalescer.arrange(packets, packets.count, isOn: isOn)
      return coalescer.runs.map { run in
        let offload = coalescer.join(run, &packets, mtu: mtu)
        var bytes = Self.bytes(packets[run.first])
        var place = coalescer.place(after: run.first)
        while let next = place {
          bytes += Self.bytes(packets[next])[coalescer.headerLength(of: run)...]
          place = coalescer.place(after: next)
        }
        return (run.count, offload, bytes)
      }
    }

    private static func bytes(_ room: PacketRoom) -> [UInt8] {
      let span = room.bytes
      return (0..<span.byteCount).map { span.u8(at: $0) }
    }
  }

  /// scapy builds a batch (B NAME), its packets (P), and how many packets each run is to have (R).
  private static let script = """
    from scapy.all import *
    data = bytes(range(256)) * 6
    four = dict(src='172.16.1.1', dst='172.16.2.1', flags='DF', tos=0xb8, ttl=9)
    six = dict(src='fc00:3::1', dst='fc00:4::1', tc=0xb8, hlim=9, fl=0x12345)
    stamp = [('NOP', None), ('NOP', None), ('Timestamp', (1, 2))]
    def packet(v, tcp, i, size=500, flags='A', ip={}, up={}):
      if v == 4: network = IP(**{**four, 'id': (65534 + i) & 65535, **ip})
      else: network = IPv6(**{**six, **ip})
      seq = (0xfffffe00 + i * 500) & 0xffffffff
      if tcp: transport = TCP(**{**dict(sport=1, dport=2, seq=seq, ack=7, flags=flags, options=stamp), **up})
      else: transport = UDP(**{**dict(sport=1000, dport=2000), **up})
      return network / transport / data[i:i + size]
    def batch(name, runs, packets):
      print('B', name)
      for p in packets: print('P', bytes(p).hex())
      print('R', *runs)
    for v in (4, 6):
      for tcp in (1, 0):
        def p(i, **more): return packet(v, tcp, i, **more)
        kind = f'v{v}-{"tcp" if tcp else "udp"}'
        batch(kind + '-whole', [4], [p(0), p(1), p(2), p(3)])
        batch(kind + '-shorter-ends', [3, 1], [p(0), p(1), p(2, size=77), p(3)])
        batch(kind + '-longer-begins', [2, 1, 1] if tcp else [2, 2], [p(0), p(1), p(2, size=600), p(3)])
        batch(kind + '-other-ports', [2, 2], [p(0), p(0, up=dict(sport=9)), p(1), p(1, up=dict(sport=9))])
        there = dict(dst='172.16.2.9' if v == 4 else 'fc00::9')
        batch(kind + '-other-address', [1, 2], [p(0), p(0, ip=there), p(1, ip=there)])
        batch(kind + '-checksum', [2, 1, 1], [p(0), p(1), p(2, up=dict(chksum=0x1234)), p(3)])
        batch(kind + '-first-checksum', [1, 2], [p(0, up=dict(chksum=0x1234)), p(1), p(2)])
        for name in (('tos', 'ttl') if v == 4 else ('tc', 'hlim')):
          batch(kind + '-' + name, [2, 2], [p(0), p(1), p(2, ip={name: 3}), p(3, ip={name: 3})])
        if v == 4:
          batch(kind + '-same-id', [1, 1], [p(0), p(1, ip=dict(id=65534))])
          batch(kind + '-gap-in-ids', [2, 1], [p(0), p(1), p(2, ip=dict(id=7))])
          batch(kind + '-may-fragment', [1, 1], [p(0), p(1, ip=dict(flags=0))])
          batch(kind + '-fragment', [1, 1, 1], [p(0), p(1, ip=dict(flags='MF')), p(2)])
          nop = dict(options=[IPOption_NOP()] * 4)
          batch(kind + '-options', [1, 1], [p(0, ip=nop), p(1, ip=nop)])
          batch(kind + '-header-checksum', [1, 1], [p(0), p(1, ip=dict(chksum=0x1234))])
        else:
          batch(kind + '-label', [1, 1], [p(0), p(1, ip=dict(fl=1))])
        if tcp:
          batch(kind + '-push-ends', [3, 1], [p(0), p(1), p(2, flags='PA'), p(3)])
          batch(kind + '-fin-ends', [2, 1], [p(0), p(1, flags='FA'), p(2)])
          batch(kind + '-push-begins', [1, 2], [p(0, flags='PA'), p(1), p(2)])
          for flag in 'SRUC': batch(kind + '-flag-' + flag, [1, 1, 1], [p(0), p(1, flags='A' + flag), p(2)])
          batch(kind + '-echo', [3], [p(0, flags='AE'), p(1, flags='AE'), p(2, flags='AE')])
          batch(kind + '-echo-begins', [1, 2], [p(0), p(1, flags='AE'), p(2, flags='AE')])
          batch(kind + '-gap', [2, 1], [p(0), p(1), p(3, ip=dict(id=0) if v == 4 else {})])
          batch(kind + '-backwards', [1, 1], [p(1), p(0)])
          batch(kind + '-acknowledgement', [1, 1], [p(0), p(1, up=dict(ack=8))])
          batch(kind + '-window', [1, 1], [p(0), p(1, up=dict(window=8))])
          batch(kind + '-timestamp', [1, 1], [p(0), p(1, up=dict(options=stamp[:2] + [('Timestamp', (9, 2))]))])
          batch(kind + '-fewer-options', [1, 1], [p(0), p(1, up=dict(options=[]))])
          batch(kind + '-empty', [2, 1, 1], [p(0), p(1), p(2, size=0), p(2)])
        else:
          batch(kind + '-no-checksum', [1, 1, 1], [p(0), p(1, up=dict(chksum=0)), p(2)])
          batch(kind + '-no-checksum-first', [1, 1], [p(0, up=dict(chksum=0)), p(1)])
    """

  @Test(
    "T-168 segments of one flow that go on with each other become one packet, which stands for them to the byte; others do not",
    .needsScapy)
  func runs() throws {
    let output = try Child([try #require(Tool.scapyPython), "-c", Self.script]).finish(timeout: 60)
    try #require(output.status == .exited(0), "\(output.err)")
    var packets: [[UInt8]] = []
    var name = ""
    var batches = 0
    for line in output.out.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      switch words[0] {
      case "B": (name, packets) = (words[1], [])
      case "P": packets.append(bytes(ofHex: words[1]))
      default:
        batches += 1
        var batch = Batch(packets)
        let joined = batch.joined()
        #expect(joined.map { "\($0.count)" } == Array(words[1...]), "\(name)")
        // Whatever was put together is what came, each flow in its order.
        let again = joined.flatMap { cut($0.bytes, $0.offload) }
        if Set(packets.map(flow)).count == 1 {
          #expect(again == packets, "\(name)")
        } else {
          #expect(Set(again) == Set(packets) && again.count == packets.count, "\(name)")
        }
      }
    }
    #expect(batches > 70)
  }

  @Test("T-168 a run ends where one packet could not be longer, and nothing is put together when coalescing is off")
  func bounds() {
    // 70 segments of 1000 bytes: 65 and their headers fit in 65535.
    let packets = (0..<70).map { tcp(number: $0, payload: 1000) }
    var batch = Batch(packets)
    let joined = batch.joined()
    #expect(joined.map(\.count) == [65, 5])
    #expect(joined.flatMap { cut($0.bytes, $0.offload) } == packets)
    batch = Batch(packets)
    #expect(batch.joined(isOn: false).map(\.bytes) == packets)
  }

  @Test(
    "T-168 what the system put together when it came in is given on as that; a checksum that it left undone, as one",
    arguments: [true, false])
  func undone(_ isOn: Bool) {
    let whole = tcp(number: 0, payload: 4000)
    let pseudo = Array(whole[12..<20]) + [0, 6] + big(UInt16(20 + 4000))
    var long = whole
    long.replaceSubrange(36..<38, with: big(~checksum(pseudo)))
    var batch = Batch([tcp(number: 0, payload: 100), long, tcp(number: 1, payload: 100)])
    let joined = batch.joined(isOn: isOn, mtu: 1400)
    // Its flow goes on behind it.
    #expect(joined.map(\.count) == [1, 1, 1])
    #expect(joined[1].bytes == long && joined[0].offload == PacketOffload() && joined[2].offload == PacketOffload())
    #expect(joined[1].offload.segments == .tcp4 && joined[1].offload.segmentSize == 1360)
    let segments = cut(joined[1].bytes, joined[1].offload)
    #expect(segments.map { $0.count - 40 } == [1360, 1360, 1280])
    #expect(segments.flatMap { $0[40...] } == Array(whole[40...]))
    // One that fits is a segment.
    batch = Batch([long])
    let single = batch.joined(isOn: isOn, mtu: 8192)[0].offload
    #expect(single.segments == .none && single.checksum?.start == 20 && single.checksum?.offset == 16)
    // A right checksum is nothing to finish, however long the packet is.
    batch = Batch([whole])
    #expect(batch.joined(isOn: isOn, mtu: 1400)[0].offload == PacketOffload())
  }

  @Test("T-097 a packet that is cut, or lies about its length, is left as it is")
  func broken() {
    let whole = [tcp(number: 0, payload: 100), tcp(number: 1, payload: 100)]
    for count in 0..<whole[1].count {
      let packets = [whole[0], Array(whole[1][..<count])]
      var batch = Batch(packets)
      #expect(batch.joined().map(\.bytes) == packets)
    }
    for length in [0x00, 0x40, 0xf0] as [UInt8] {
      var liar = whole[1]
      liar[32] = length
      var batch = Batch([whole[0], liar])
      #expect(batch.joined().map(\.bytes) == [whole[0], liar])
    }
  }

  // MARK: Help

  private func cut(_ bytes: [UInt8], _ offload: PacketOffload) -> [[UInt8]] {
    let packet = HeldPacket(bytes)
    guard var segments = Segments(of: packet.room, offload) else { return [bytes] }
    var result: [[UInt8]] = []
    var room = HeldPacket([], headroom: 96, size: 9000)
    while segments.next(of: packet.room, into: &room.room) { result.append(room.bytes) }
    return result
  }

  /// Addresses and ports.
  private func flow(_ bytes: [UInt8]) -> [UInt8] {
    bytes[0] >> 4 == 6 ? Array(bytes[8..<44]) : Array(bytes[12..<24])
  }

  private func tcp(number: Int, payload: Int) -> [UInt8] {
    var bytes = Inner.ipv4(count: 40 + payload)
    let sequence = UInt32(number * payload)
    bytes[4] = UInt8(number >> 8)
    bytes[5] = UInt8(truncatingIfNeeded: number)
    bytes[9] = 6
    bytes.replaceSubrange(10..<12, with: [0, 0])
    bytes.replaceSubrange(10..<12, with: big(checksum(Array(bytes[..<20]))))
    bytes.replaceSubrange(
      20..<40, with: [0, 1, 0, 2] + big(sequence) + big(7 as UInt32) + [0x50, 0x10, 1, 0, 0, 0, 0, 0])
    let pseudo = Array(bytes[12..<20]) + [0, 6] + big(UInt16(20 + payload))
    bytes.replaceSubrange(36..<38, with: big(checksum(pseudo + bytes[20...])))
    return bytes
  }

  private func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
  private func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

  private func bytes(ofHex text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
  }
}
