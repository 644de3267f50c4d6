// TCP segments that belong together, found so that the system gets them as one super-packet. (GRO)
// Pure functions over packets of one pass; any thread.
import SwBPFPackets

/// A run of segments of one connection that follow each other.
package struct SegmentRun: Equatable, Sendable {
  /// Packets of the run; 1: nothing to put together.
  package private(set) var count = 1
  /// Bytes of the headers, which all of them share but for numbers.
  package private(set) var headerLength = 0
  /// Bytes of the IP header.
  package private(set) var networkLength = 0
  /// Payload bytes of each segment but the last.
  package private(set) var size = 0
  /// Bytes of the super-packet.
  package private(set) var total = 0

  /// Segments of a super-packet.
  package static let most = 64

  /// Looks at the packets from `first` on.
  ///
  /// A segment is taken when its checksums are right, it carries data, it has no flags but ACK and PSH, and its headers are
  /// those of the one before with the next sequence number. One that is shorter, or pushes, is the last.
  package init(_ packets: borrowing [PacketRoom], from first: Int, upTo end: Int) {
    guard first + 1 < end, let head = Segment(packets[first]) else { return }
    headerLength = head.headerLength
    networkLength = head.networkLength
    size = head.payload
    total = packets[first].count
    var last = head
    while first + count < end, count < Self.most, last.payload == size, !last.pushes,
      let next = Segment(packets[first + count]), next.payload <= size, total + next.payload <= 0xffff,
      Self.follows(packets[first + count], next, packets[first + count - 1], last)
    {
      total += next.payload
      last = next
      count += 1
    }
  }

  private static func follows(
    _ packet: borrowing PacketRoom, _ new: Segment, _ before: borrowing PacketRoom, _ old: Segment
  ) -> Bool {
    guard new.networkLength == old.networkLength, new.headerLength == old.headerLength,
      new.sequence == old.sequence &+ UInt32(old.payload)
    else { return false }
    let (a, b) = (packet.bytes, before.bytes)
    // Version, traffic class; then all but lengths, identification and checksums.
    guard a.be16(at: 0) == b.be16(at: 0) else { return false }
    if new.networkLength == IPv4View.fixedLength {
      guard a.be16(at: 6) == b.be16(at: 6), a.be16(at: 8) == b.be16(at: 8), a.be64(at: 12) == b.be64(at: 12) else {
        return false
      }
    } else {
      guard a.be16(at: 2) == b.be16(at: 2), a.be16(at: 6) == b.be16(at: 6) else { return false }
      for offset in stride(from: 8, to: 40, by: 8) where a.be64(at: offset) != b.be64(at: offset) { return false }
    }
    let tcp = new.networkLength
    // Ports; acknowledgement; window; options.
    guard a.be32(at: tcp) == b.be32(at: tcp), a.be32(at: tcp + 8) == b.be32(at: tcp + 8),
      a.be16(at: tcp + 14) == b.be16(at: tcp + 14)
    else { return false }
    for offset in stride(from: tcp + 20, to: new.headerLength, by: 4) where a.be32(at: offset) != b.be32(at: offset) {
      return false
    }
    return true
  }

  /// Makes the first packet's headers those of the super-packet; the TCP checksum is left for the system to finish.
  /// - Parameter pushes: as the last segment does.
  package func prepare(_ packet: inout PacketRoom, pushes: Bool) {
    if networkLength == IPv4View.fixedLength {
      packet.store(be16: UInt16(total), at: 2)
      packet.store(be16: 0, at: 10)
      packet.store(be16: InternetChecksum.of(packet.bytes.extracting(first: networkLength)), at: 10)
    } else {
      packet.store(be16: UInt16(total - networkLength), at: 4)
    }
    if pushes { packet.store(packet.bytes.u8(at: networkLength + 13) | 8, at: networkLength + 13) }
    let isIPv6 = networkLength != IPv4View.fixedLength
    var sum = InternetChecksum()
    sum.add(packet.bytes.extracting(droppingFirst: isIPv6 ? 8 : 12).extracting(first: isIPv6 ? 32 : 8))
    sum.add(UInt16(total - networkLength))
    sum.add(UInt16(IPProtocol.tcp))
    packet.store(be16: ~sum.value, at: networkLength + 16)
  }
}

/// What has to be known of a TCP segment.
private struct Segment {
  let networkLength: Int
  let headerLength: Int
  let payload: Int
  let sequence: UInt32
  let pushes: Bool

  /// nil when it is none that may be put together with others.
  init?(_ packet: borrowing PacketRoom) {
    let bytes = packet.bytes
    guard packet.count > 60 || bytes.holds(IPv4View.fixedLength + 20) else { return nil }
    switch bytes.u8(at: 0) {
    case 0x45:
      guard Int(bytes.be16(at: 2)) == packet.count, bytes.be16(at: 6) & 0x3fff == 0, bytes.u8(at: 9) == IPProtocol.tcp,
        InternetChecksum.of(bytes.extracting(first: 20)) == 0
      else { return nil }
      networkLength = 20
    case 0x60...0x6f:
      guard bytes.holds(60), Int(bytes.be16(at: 4)) == packet.count - 40, bytes.u8(at: 6) == IPProtocol.tcp else {
        return nil
      }
      networkLength = 40
    default: return nil
    }
    let length = Int(bytes.u8(at: networkLength + 12) >> 4) * 4
    let flags = bytes.u8(at: networkLength + 13)
    headerLength = networkLength + length
    payload = packet.count - headerLength
    guard length >= 20, payload > 0, flags & ~8 == 0x10 else { return nil }
    sequence = bytes.be32(at: networkLength + 4)
    pushes = flags & 8 != 0
    let isIPv6 = networkLength == 40
    var sum = InternetChecksum()
    sum.add(bytes.extracting(droppingFirst: isIPv6 ? 8 : 12).extracting(first: isIPv6 ? 32 : 8))
    sum.add(UInt16(packet.count - networkLength))
    sum.add(UInt16(IPProtocol.tcp))
    sum.add(bytes.extracting(droppingFirst: networkLength))
    guard sum.value == 0 else { return nil }
  }
}
