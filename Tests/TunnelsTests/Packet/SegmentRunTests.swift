import SwBPFPackets
import Testing

@testable import SwBPFTunnels

/// Runs of TCP segments.
struct SegmentRunTests {
  /// Segments of one connection, whole and with right checksums.
  private func segments(
    _ payloads: [Int], ipv6: Bool = false, pushes: Set<Int> = [], change: (Int, inout [UInt8]) -> Void = { _, _ in }
  ) -> [HeldPacket] {
    var sequence: UInt32 = 0xffff_f000
    return payloads.enumerated().map { index, payload in
      let header: [UInt8]
      if ipv6 {
        header =
          [0x60, 0, 0, 0, UInt8((32 + payload) >> 8), UInt8((32 + payload) & 0xff), 6, 64]
          + [UInt8](repeating: 0xfd, count: 16) + [UInt8](repeating: 0xfc, count: 16)
      } else {
        let total = 52 + payload
        header = [
          0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, UInt8(index), 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0,
          2,
        ]
      }
      var bytes = header + [0x1f, 0x90, 0x04, 0xd2]
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: sequence >> (24 - 8 * UInt32($0))) }
      bytes += [0, 0, 0, 9, 0x80, pushes.contains(index) ? 0x18 : 0x10, 1, 0, 0, 0, 0, 0]
      bytes +=
        [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8] + (0..<payload).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) }
      change(index, &bytes)
      finish(&bytes, ipv6)
      sequence &+= UInt32(payload)
      return HeldPacket(bytes)
    }
  }

  private func finish(_ bytes: inout [UInt8], _ ipv6: Bool) {
    let start = ipv6 ? 40 : 20
    func put(_ sum: UInt16, _ offset: Int) {
      bytes.replaceSubrange(offset..<(offset + 2), with: [UInt8(sum >> 8), UInt8(sum & 0xff)])
    }
    if !ipv6 {
      put(0, 10)
      put(checksum(bytes[..<20]), 10)
    }
    put(0, start + 16)
    let length = bytes.count - start
    put(
      checksum(
        (ipv6 ? bytes[8..<40] : bytes[12..<20]) + [UInt8(length >> 8), UInt8(length & 0xff), 0, 6] + bytes[start...]),
      start + 16)
  }

  private func count(_ packets: [HeldPacket]) -> Int {
    SegmentRun(packets.map(\.room), from: 0, upTo: packets.count).count
  }

  @Test(
    "segments that follow each other are one run, which ends with a shorter one or with one that pushes",
    arguments: [false, true])
  func runs(_ ipv6: Bool) {
    #expect(count(segments([1000, 1000, 1000], ipv6: ipv6)) == 3)
    #expect(count(segments([1000, 1000, 400, 1000], ipv6: ipv6)) == 3)
    #expect(count(segments([1000, 1000, 1000], ipv6: ipv6, pushes: [1])) == 2)
    #expect(count(segments([1000, 1001], ipv6: ipv6)) == 1)
    #expect(count(segments([1000], ipv6: ipv6)) == 1)
    #expect(count(segments(Array(repeating: 1200, count: 64), ipv6: ipv6)) == 54)
    #expect(count(segments(Array(repeating: 10, count: 70), ipv6: ipv6)) == 64)
  }

  @Test("anything else than the next segment of the same connection ends a run", arguments: [false, true])
  func ends(_ ipv6: Bool) {
    let tcp = ipv6 ? 40 : 20
    let offsets: [(String, Int, UInt8)] = [
      ("port", tcp + 1, 1), ("sequence", tcp + 7, 1), ("acknowledgement", tcp + 11, 1), ("window", tcp + 15, 1),
      ("flag FIN", tcp + 13, 1), ("flag SYN", tcp + 13, 2), ("flag CWR", tcp + 13, 0x80), ("option", tcp + 27, 1),
      ("traffic class", 1, 0x10), ("TTL", ipv6 ? 7 : 8, 1), ("source", ipv6 ? 23 : 15, 1),
      ("destination", ipv6 ? 39 : 19, 1),
      ("protocol", ipv6 ? 6 : 9, 0x17),
    ]
    for (what, offset, bit) in offsets {
      #expect(count(segments([500, 500], ipv6: ipv6) { if $0 == 1 { $1[offset] ^= bit } }) == 1, "\(what)")
    }
    if !ipv6 {
      #expect(count(segments([500, 500]) { if $0 == 1 { $1[6] ^= 0x20 } }) == 1)
      #expect(count(segments([500, 500]) { if $0 == 1 { $1[6] ^= 0x40 } }) == 1)
    }
    // A wrong checksum.
    var packets = segments([500, 500], ipv6: ipv6)
    packets[1].room.store(0xaa, at: packets[1].bytes.count - 1)
    #expect(count(packets) == 1)
  }

  @Test("the super-packet cut again gives the segments that it was made of, to the byte", arguments: [false, true])
  func roundTrip(_ ipv6: Bool) throws {
    let packets = segments([900, 900, 900, 77], ipv6: ipv6, pushes: [3])
    let run = SegmentRun(packets.map(\.room), from: 0, upTo: 4)
    #expect(run.count == 4 && run.size == 900)
    var first = HeldPacket(packets[0].bytes)
    run.prepare(&first.room, pushes: true)
    let whole = HeldPacket(first.bytes + packets[1...].flatMap { $0.bytes[run.headerLength...] })
    #expect(whole.bytes.count == run.total)
    var offload = PacketOffload()
    offload.segments = ipv6 ? .tcp6 : .tcp4
    offload.segmentSize = UInt16(run.size)
    offload.checksum = (UInt16(run.networkLength), 16)
    var cut = try #require(Segments(of: whole.room, offload))
    for packet in packets {
      var piece = HeldPacket([])
      #expect(cut.next(of: whole.room, into: &piece.room))
      #expect(piece.bytes == packet.bytes)
    }
    // What is left in the checksum's place is the sum over the pseudo header.
    let single = HeldPacket(packets[0].bytes)
    var again = single
    let alone = SegmentRun(packets.map(\.room), from: 0, upTo: 2)
    alone.prepare(&again.room, pushes: false)
    var two = HeldPacket(again.bytes + packets[1].bytes[run.headerLength...])
    var left = PacketOffload()
    left.checksum = (UInt16(run.networkLength), 16)
    #expect(Checksums.complete(&two.room, left))
    let length = two.bytes.count - run.networkLength
    let pseudo = (ipv6 ? two.bytes[8..<40] : two.bytes[12..<20]) + [UInt8(length >> 8), UInt8(length & 0xff), 0, 6]
    #expect(checksum(pseudo + two.bytes[run.networkLength...]) == 0)
  }
}
