// Outer packets cut into fragments, where the system does not: headers that a socket takes as they are. (RFC 791, RFC 8200)
// Pure functions over one packet; any thread.
import SwBPFPackets

/// The fragments of one packet, one after the other.
package struct Fragments {
  private let length: Int
  private let headerLength: Int
  private let isIPv6: Bool
  private let identification: UInt32
  /// Payload bytes of each fragment but the last: a multiple of 8.
  private let step: Int
  private var offset = 0

  /// - Parameters:
  ///   - packet: an outer packet with a header without options, as ``OuterHeader`` makes it.
  ///   - mtu: the longest fragment; at least 68 for IPv4, 1280 for IPv6.
  ///   - identification: the same for no two packets of a pair within a minute; for IPv4 the low 16 bits, not 0.
  /// - Returns: nil when the packet fits as it is.
  package init?(of packet: borrowing PacketRoom, mtu: Int, identification: UInt32) {
    guard packet.count > mtu else { return nil }
    isIPv6 = packet.bytes.u8(at: 0) >> 4 == 6
    headerLength = isIPv6 ? IPv6View.fixedLength : IPv4View.fixedLength
    length = packet.count - headerLength
    self.identification = identification
    step = (mtu - headerLength - (isIPv6 ? 8 : 0)) & ~7
    precondition(step >= 8, "no fragment fits")
  }

  /// How many there are.
  package var count: Int { (length + step - 1) / step }

  /// Writes the next fragment.
  /// - Parameter room: becomes the fragment, behind the headroom that it has. It must hold `mtu` bytes.
  /// - Returns: false when all have been written.
  package mutating func next(of packet: borrowing PacketRoom, into room: inout PacketRoom) -> Bool {
    guard offset < length else { return false }
    let size = min(step, length - offset)
    let isLast = offset + size == length
    let front = headerLength + (isIPv6 ? 8 : 0)
    room.reset(headroom: room.start, count: front + size)
    room.copy(from: packet.bytes.extracting(first: headerLength), at: 0)
    room.copy(from: packet.bytes.extracting(droppingFirst: headerLength + offset).extracting(first: size), at: front)
    if isIPv6 {
      room.store(be16: UInt16(8 + size), at: 4)
      room.store(IPProtocol.fragment, at: 6)
      room.store(be16: UInt16(packet.bytes.u8(at: 6)) << 8, at: 40)
      room.store(be16: UInt16(offset) | (isLast ? 0 : 1), at: 42)
      room.store(be32: identification, at: 44)
    } else {
      room.store(be16: UInt16(front + size), at: 2)
      room.store(be16: UInt16(truncatingIfNeeded: identification), at: 4)
      room.store(be16: UInt16(offset / 8) | (isLast ? 0 : 0x2000), at: 6)
      room.store(be16: 0, at: 10)
      room.store(be16: InternetChecksum.of(room.bytes.extracting(first: headerLength)), at: 10)
    }
    offset += size
    return true
  }
}
