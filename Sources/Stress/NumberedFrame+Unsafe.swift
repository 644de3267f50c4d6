// Reading what a sender wrote into a frame.
internal import CPcapShim
import SwBPFBPF

/// A numbered frame, as a reader sees it.
struct NumberedFrame {
  let stream: Stream
  let number: UInt64

  /// nil for a frame of anybody else.
  init?(_ frame: RawSpan) {
    var (stream, number): (UInt8, UInt64) = (0, 0)
    // SAFETY: the function reads no more than the span's bytes.
    let isOurs = unsafe frame.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      return unsafe swpcap_numbered_read(base.assumingMemoryBound(to: UInt8.self), bytes.count, &stream, &number) == 1
    }
    guard isOurs, let known = Stream(rawValue: stream) else { return nil }
    (self.stream, self.number) = (known, number)
  }

  /// The same for bytes of an array.
  init?(_ frame: ArraySlice<UInt8>) {
    guard let found = unsafe NumberedFrame(frame.span.bytes) else { return nil }
    self = found
  }

  /// A frame to be written by a peer.
  static func injected(_ number: UInt64) -> [UInt8] { bytes(.injected, number) }

  static func bytes(_ stream: Stream, _ number: UInt64) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: 60)
    frame[0] = 2
    frame[5] = 1
    frame[12] = UInt8(SWPCAP_NUMBERED_TYPE >> 8)
    frame[13] = UInt8(SWPCAP_NUMBERED_TYPE & 0xff)
    for byte in 0..<4 {
      frame[16 + byte] = UInt8(truncatingIfNeeded: UInt32(SWPCAP_NUMBERED_MAGIC) >> UInt32(8 * byte))
    }
    frame[Int(SWPCAP_NUMBERED_STREAM)] = stream.rawValue
    for byte in 0..<8 {
      frame[Int(SWPCAP_NUMBERED_NUMBER) + byte] = UInt8(truncatingIfNeeded: number >> UInt64(8 * byte))
    }
    return frame
  }
}
