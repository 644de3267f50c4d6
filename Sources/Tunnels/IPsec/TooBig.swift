// Words to the sender of an inner packet that is too long: fragmentation needed, packet too big. (RFC 792, 1191, 4443)
// Pure functions over one packet; any thread.
import SwBPFPackets

package enum TooBig {
  /// Writes the ICMP error that says so. It comes from where the packet was going, so that it comes by the interface by which
  /// the packet would have left.
  /// - Parameters:
  ///   - packet: IPv4 or IPv6.
  ///   - mtu: what fits; at least 68, or 1280.
  ///   - room: becomes the error, behind the headroom that it has.
  /// - Returns: false where no error may be sent: about errors, fragments but the first, packets to or from many.
  package static func write(about packet: borrowing PacketRoom, mtu: Int, into room: inout PacketRoom) -> Bool {
    guard packet.count > 0 else { return false }
    return packet.bytes.u8(at: 0) >> 4 == 6 ? writeIPv6(packet, mtu, &room) : writeIPv4(packet, mtu, &room)
  }

  private static func writeIPv4(_ packet: borrowing PacketRoom, _ mtu: Int, _ room: inout PacketRoom) -> Bool {
    let bytes = packet.bytes
    guard let header = IPv4View(bytes) else { return false }
    let length = header.headerLength
    guard length >= IPv4View.fixedLength, bytes.holds(length), bytes.be16(at: 6) & 0x1fff == 0 else { return false }
    let (source, destination) = (IPAddress(v4: header.source), IPAddress(v4: header.destination))
    if source.isMulticast || source.isUnspecified || destination.isMulticast || destination.v4 == .max { return false }
    // An ICMP message that is no request or answer is an error.
    if header.transport == IPProtocol.icmp, bytes.holds(length + 1), ![0, 8, 13, 14].contains(bytes.u8(at: length)) {
      return false
    }
    let quoted = min(packet.count, length + 8)
    let total = IPv4View.fixedLength + 8 + quoted
    guard total <= room.room else { return false }
    room.reset(headroom: room.start, count: total)
    room.store(be32: 0x4500 << 16 | UInt32(total), at: 0)
    room.store(be32: 0, at: 4)
    room.store(be32: 0x4001_0000, at: 8)
    room.store(be32: destination.v4, at: 12)
    room.store(be32: source.v4, at: 16)
    room.store(be16: InternetChecksum.of(room.bytes.extracting(first: IPv4View.fixedLength)), at: 10)
    room.store(be32: 0x0304_0000, at: 20)
    room.store(be32: UInt32(mtu), at: 24)
    room.copy(from: bytes.extracting(first: quoted), at: 28)
    room.store(be16: InternetChecksum.of(room.bytes.extracting(droppingFirst: IPv4View.fixedLength)), at: 22)
    return true
  }

  private static func writeIPv6(_ packet: borrowing PacketRoom, _ mtu: Int, _ room: inout PacketRoom) -> Bool {
    let bytes = packet.bytes
    let fixed = IPv6View.fixedLength
    guard bytes.holds(fixed) else { return false }
    let source = IPAddress(v6: bytes.be64(at: 8), bytes.be64(at: 16))
    if source.isMulticast || source.isUnspecified || bytes.u8(at: 24) == 0xff { return false }
    if bytes.u8(at: 6) == IPProtocol.icmp6, bytes.holds(fixed + 1), bytes.u8(at: fixed) < 128 { return false }
    // As much as fits into 1280 bytes.
    let quoted = min(packet.count, 1280 - fixed - 8)
    let total = fixed + 8 + quoted
    guard total <= room.room else { return false }
    room.reset(headroom: room.start, count: total)
    room.store(be32: 6 << 28, at: 0)
    room.store(be16: UInt16(8 + quoted), at: 4)
    room.store(be16: UInt16(IPProtocol.icmp6) << 8 | 64, at: 6)
    room.store(be64: bytes.be64(at: 24), at: 8)
    room.store(be64: bytes.be64(at: 32), at: 16)
    room.store(be64: source.high, at: 24)
    room.store(be64: source.low, at: 32)
    room.store(be32: 0x0200_0000, at: fixed)
    room.store(be32: UInt32(mtu), at: fixed + 4)
    room.copy(from: bytes.extracting(first: quoted), at: fixed + 8)
    var sum = InternetChecksum()
    sum.add(room.bytes.extracting(droppingFirst: 8).extracting(first: 32))
    sum.add(UInt16(8 + quoted))
    sum.add(UInt16(IPProtocol.icmp6))
    sum.add(room.bytes.extracting(droppingFirst: fixed))
    room.store(be16: sum.value, at: fixed + 2)
    return true
  }
}
