// The Internet checksum (RFC 1071), 32 bytes at a time. Any thread.

/// A running one's-complement sum over parts that follow each other, such as a pseudo header and a segment.
///
/// The sum is kept in little-endian order and turned round once at the end: a one's-complement sum does not mind the
/// byte order as long as all words share it.
package struct InternetChecksum: Sendable {
  private var sum: UInt64 = 0
  /// The parts so far have an odd number of bytes, so the next part starts with the low half of a word.
  private var isOdd = false

  package init() {}

  /// Adds the bytes of `part` after those that were added before.
  package mutating func add(_ part: RawSpan) {
    var (partial, offset) = part.sumOfBlocks()
    let count = part.byteCount
    while count - offset >= 8 {
      let (next, overflow) = partial.addingReportingOverflow(part.le64(at: offset))
      partial = next &+ (overflow ? 1 : 0)
      offset += 8
    }
    var tail: UInt64 = 0
    var shift: UInt64 = 0
    while offset < count {
      tail |= UInt64(part.u8(at: offset)) << shift
      shift += 8
      offset += 1
    }
    let (next, overflow) = partial.addingReportingOverflow(tail)
    var folded = UInt64(Self.fold(next &+ (overflow ? 1 : 0)))
    if isOdd { folded = UInt64(UInt16(truncatingIfNeeded: folded).byteSwapped) }
    sum = UInt64(Self.fold(sum &+ folded))
    if count & 1 == 1 { isOdd.toggle() }
  }

  /// Adds one 16-bit number, as a field of a pseudo header. Only at an even offset.
  package mutating func add(_ word: UInt16) {
    precondition(!isOdd, "a word at an odd offset")
    sum = UInt64(Self.fold(sum &+ UInt64(word.byteSwapped)))
  }

  /// The checksum as a header carries it. A whole packet with a right checksum inside gives 0.
  package var value: UInt16 { ~UInt16(truncatingIfNeeded: sum).byteSwapped }

  /// The checksum of one run of bytes.
  package static func of(_ bytes: RawSpan) -> UInt16 {
    var checksum = InternetChecksum()
    checksum.add(bytes)
    return checksum.value
  }

  private static func fold(_ sum: UInt64) -> UInt16 {
    var sum = (sum & 0xffff_ffff) &+ (sum >> 32)
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    return UInt16(truncatingIfNeeded: sum)
  }
}
