// Text from packets that ends at a length or at a zero. Used by the printers of protocols that carry strings.
import SwBPFPackets

extension TextBuffer {
  /// `count` bytes of text from `offset` on, as far as they were captured; false when some were not.
  package mutating func append(visible bytes: RawSpan, at offset: Int, count: Int) -> Bool {
    let there = max(0, min(count, bytes.byteCount - offset))
    append(visible: bytes.extracting(droppingFirst: offset).extracting(first: there))
    return there == count
  }

  /// As many of these bytes as there are before the first zero; false when there is none.
  package mutating func append(visibleUntilZero bytes: RawSpan) -> Bool {
    for offset in 0..<bytes.byteCount where bytes.u8(at: offset) == 0 {
      append(visible: bytes.extracting(first: offset))
      return true
    }
    append(visible: bytes)
    return false
  }
}
