// Inner IPv4 packets cut before they enter ESP: the far end gets fragments, each in a packet of its own. (RFC 791; esp_frag)
// Pure functions over one packet; any thread.
import SwBPFPackets

/// The fragments of one packet, one after the other. The packet may be a fragment itself.
package struct InnerFragments {
  private let headerLength: Int
  /// Of the header of all but the first: options that are not to be copied are left out.
  private let laterOptions: [UInt8]
  private let length: Int
  private let limit: Int
  /// Of the packet: place and whether more follow.
  private let firstOffset: Int
  private let hasMore: Bool
  private var offset = 0

  /// - Parameter limit: bytes of a fragment; where not even 8 bytes of payload fit, 8 are taken.
  /// - Returns: nil for what is no whole IPv4 packet.
  package init?(of packet: borrowing PacketRoom, limit: Int) {
    let bytes = packet.bytes
    guard bytes.holds(IPv4View.fixedLength), bytes.u8(at: 0) >> 4 == 4 else { return nil }
    headerLength = Int(bytes.u8(at: 0) & 0xf) * 4
    let total = Int(bytes.be16(at: 2))
    guard headerLength >= IPv4View.fixedLength, total > headerLength, total <= packet.count else { return nil }
    length = total - headerLength
    self.limit = limit
    let word = bytes.be16(at: 6)
    firstOffset = Int(word & 0x1fff) * 8
    hasMore = word & 0x2000 != 0
    laterOptions = InnerFragments.copied(bytes, headerLength)
  }

  /// Options with the copied flag, padded to whole words.
  private static func copied(_ bytes: borrowing RawSpan, _ headerLength: Int) -> [UInt8] {
    var options: [UInt8] = []
    var place = IPv4View.fixedLength
    while place < headerLength {
      let kind = bytes.u8(at: place)
      if kind == 0 { break }
      if kind == 1 {
        place += 1
        continue
      }
      guard place + 1 < headerLength else { break }
      let size = Int(bytes.u8(at: place + 1))
      guard size >= 2, place + size <= headerLength else { break }
      if kind & 0x80 != 0 { for index in 0..<size { options.append(bytes.u8(at: place + index)) } }
      place += size
    }
    while options.count % 4 != 0 { options.append(0) }
    return options
  }

  /// Writes the next fragment.
  /// - Parameter room: becomes the fragment, behind the headroom that it has.
  /// - Returns: false when all have been written, or when the fragment does not fit.
  package mutating func next(of packet: borrowing PacketRoom, into room: inout PacketRoom) -> Bool {
    guard offset < length else { return false }
    let header = offset == 0 ? headerLength : IPv4View.fixedLength + laterOptions.count
    let step = max(8, (limit - header) & ~7)
    let size = min(step, length - offset)
    guard header + size <= room.room else { return false }
    let isLast = offset + size == length
    room.reset(headroom: room.start, count: header + size)
    room.copy(from: packet.bytes.extracting(first: min(header, headerLength)), at: 0)
    if offset > 0 {
      for index in laterOptions.indices { room.store(laterOptions[index], at: IPv4View.fixedLength + index) }
      room.store(0x40 | UInt8(header / 4), at: 0)
    }
    room.copy(from: packet.bytes.extracting(droppingFirst: headerLength + offset).extracting(first: size), at: header)
    room.store(be16: UInt16(header + size), at: 2)
    let place = UInt16((firstOffset + offset) / 8)
    room.store(be16: place | (isLast && !hasMore ? 0 : 0x2000), at: 6)
    room.store(be16: 0, at: 10)
    room.store(be16: InternetChecksum.of(room.bytes.extracting(first: header)), at: 10)
    offset += size
    return true
  }
}
