// Super-packets of the system cut into the packets that they stand for, and checksums that it left undone. (TSO, USO)
// Pure functions over one packet; any thread.
import SwBPFPackets

/// The segments of one packet, one after the other.
package struct Segments {
  private let networkLength: Int
  /// Bytes of all headers, which each segment repeats.
  private let headerLength: Int
  private let size: Int
  private let isTCP: Bool
  private let isIPv6: Bool
  private let total: Int
  private var offset = 0
  private var number = 0

  /// - Parameters:
  ///   - packet: as a device with offloads gave it.
  /// - Returns: nil when it is no super-packet, or a broken one: see ``isBroken(_:_:)``.
  package init?(of packet: borrowing PacketRoom, _ offload: PacketOffload) {
    guard offload.segments != .none, offload.segmentSize > 0, let start = offload.checksum?.start else { return nil }
    isTCP = offload.segments != .udp
    networkLength = Int(start)
    let bytes = packet.bytes
    guard bytes.holds(1) else { return nil }
    isIPv6 = bytes.u8(at: 0) >> 4 == 6
    guard networkLength >= (isIPv6 ? IPv6View.fixedLength : IPv4View.fixedLength),
      bytes.holds(isTCP ? 20 : 8, at: networkLength)
    else { return nil }
    if isTCP {
      let length = Int(bytes.u8(at: networkLength + 12) >> 4) * 4
      guard length >= 20, bytes.holds(length, at: networkLength) else { return nil }
      headerLength = networkLength + length
    } else {
      headerLength = networkLength + 8
    }
    size = Int(offload.segmentSize)
    total = packet.count - headerLength
    // A length that no header can tell.
    guard total > 0, headerLength + min(size, total) <= 0xffff else { return nil }
  }

  /// Whether the system said that there are segments and there cannot be.
  package static func isBroken(_ packet: borrowing PacketRoom, _ offload: PacketOffload) -> Bool {
    guard offload.segments != .none else { return false }
    return Segments(of: packet, offload) == nil
  }

  /// How many there are.
  package var count: Int { (total + size - 1) / size }

  /// Writes the next segment, with right lengths, numbers, flags and checksums.
  /// - Parameter room: becomes the segment, behind the headroom that it has.
  /// - Returns: false when all have been written, or when the segment does not fit.
  package mutating func next(of packet: borrowing PacketRoom, into room: inout PacketRoom) -> Bool {
    let length = min(size, total - offset)
    guard length > 0, headerLength + length <= room.room else { return false }
    let isLast = offset + length == total
    room.reset(headroom: room.start, count: headerLength + length)
    room.copy(from: packet.bytes.extracting(first: headerLength), at: 0)
    room.copy(
      from: packet.bytes.extracting(droppingFirst: headerLength + offset).extracting(first: length), at: headerLength)
    if isIPv6 {
      room.store(be16: UInt16(headerLength - IPv6View.fixedLength + length), at: 4)
    } else {
      room.store(be16: UInt16(headerLength + length), at: 2)
      room.store(be16: packet.bytes.be16(at: 4) &+ UInt16(truncatingIfNeeded: number), at: 4)
      room.store(be16: 0, at: 10)
      room.store(be16: InternetChecksum.of(room.bytes.extracting(first: networkLength)), at: 10)
    }
    if isTCP {
      let sequence = packet.bytes.be32(at: networkLength + 4) &+ UInt32(truncatingIfNeeded: offset)
      room.store(be32: sequence, at: networkLength + 4)
      var flags = packet.bytes.u8(at: networkLength + 13)
      // FIN and PSH belong to the last, CWR to the first.
      if !isLast { flags &= ~0x09 }
      if number > 0 { flags &= ~0x80 }
      room.store(flags, at: networkLength + 13)
    } else {
      room.store(be16: UInt16(8 + length), at: networkLength + 4)
    }
    Checksums.finish(
      &room, start: networkLength, offset: isTCP ? 16 : 6, transport: isTCP ? IPProtocol.tcp : IPProtocol.udp)
    offset += length
    number += 1
    return true
  }
}

package enum Checksums {
  /// The sum of the pseudo header of TCP or UDP.
  /// - Parameter length: bytes of the transport's header and payload.
  static func pseudo(_ packet: borrowing RawSpan, length: Int, isTCP: Bool) -> InternetChecksum {
    let isIPv6 = packet.u8(at: 0) >> 4 == 6
    var sum = InternetChecksum()
    sum.add(packet.extracting(droppingFirst: isIPv6 ? 8 : 12).extracting(first: isIPv6 ? 32 : 8))
    sum.add(UInt16(length))
    sum.add(UInt16(isTCP ? IPProtocol.tcp : IPProtocol.udp))
    return sum
  }

  /// Whether the checksum of TCP or UDP is right; one of UDP that is 0 is not.
  static func isRight(_ packet: borrowing RawSpan, start: Int, isTCP: Bool) -> Bool {
    if !isTCP && packet.be16(at: start + 6) == 0 { return false }
    var sum = pseudo(packet, length: packet.byteCount - start, isTCP: isTCP)
    sum.add(packet.extracting(droppingFirst: start))
    return sum.value == 0
  }

  /// Whether the checksum of TCP or UDP is the sum of the pseudo header alone: so the system leaves it in packets that it put
  /// together when they came in (GRO), and in those of its own that were never on a wire.
  ///
  /// One right checksum in 65536 looks the same; finishing it gives the same value again.
  @inline(__always)
  static func isUndone(_ packet: borrowing RawSpan, start: Int, isTCP: Bool) -> Bool {
    let value = packet.be16(at: start + (isTCP ? 16 : 6))
    if !isTCP && value == 0 { return false }
    return value == ~pseudo(packet, length: packet.byteCount - start, isTCP: isTCP).value
  }

  /// Computes the checksum of TCP or UDP over a whole packet.
  /// - Parameters:
  ///   - start: where its header begins; the header is there.
  ///   - offset: of the checksum in it.
  static func finish(_ packet: inout PacketRoom, start: Int, offset: Int, transport: UInt8) {
    let place = start + offset
    packet.store(be16: 0, at: place)
    var sum = pseudo(packet.bytes, length: packet.count - start, isTCP: transport == IPProtocol.tcp)
    sum.add(packet.bytes.extracting(droppingFirst: start))
    // UDP knows 0 as no checksum.
    let value = sum.value
    packet.store(be16: value == 0 && transport == IPProtocol.udp ? 0xffff : value, at: place)
  }

  /// Finishes what the system left undone of a single packet: it has put the sum of the pseudo header there already.
  /// - Returns: false when there is no such place in the packet; then nothing has changed.
  package static func complete(_ packet: inout PacketRoom, _ offload: PacketOffload) -> Bool {
    guard let (start, offset) = offload.checksum else { return true }
    let place = Int(start) + Int(offset)
    guard packet.bytes.holds(2, at: place) else { return false }
    let value = InternetChecksum.of(packet.bytes.extracting(droppingFirst: Int(start)))
    packet.store(be16: value == 0 ? 0xffff : value, at: place)
    return true
  }
}
