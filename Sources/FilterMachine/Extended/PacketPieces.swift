// A packet that lies in pieces, as a program sees it. (a chain of mbufs)

/// Bytes of a packet in any number of pieces, empty ones too; for programs the same as if they were contiguous.
public struct PacketPieces: Sendable {
  /// The pieces in the order of the packet's bytes.
  public let pieces: [[UInt8]]
  /// Bytes in all pieces.
  public let count: Int

  /// - Parameter pieces: in the order of the packet's bytes; any number, any length.
  public init(_ pieces: [[UInt8]]) {
    self.pieces = pieces
    count = pieces.reduce(0) { $0 + $1.count }
  }

  /// A big-endian number of 1, 2 or 4 bytes, over as many pieces as it takes; nil when it does not lie in the packet.
  public func number(at offset: UInt64, width: Int) -> UInt32? {
    let (end, overflow) = offset.addingReportingOverflow(UInt64(width))
    if overflow || end > UInt64(count) { return nil }
    var skip = Int(offset)
    var value: UInt32 = 0
    var left = width
    for piece in pieces {
      if skip >= piece.count {
        skip -= piece.count
        continue
      }
      while skip < piece.count && left > 0 {
        value = value << 8 | UInt32(piece[skip])
        skip += 1
        left -= 1
      }
      if left == 0 { return value }
      skip = 0
    }
    return nil
  }
}
