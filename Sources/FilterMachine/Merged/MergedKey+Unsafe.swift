// What several programs compare with constants of their own: the one load that a merged form makes for all of them.
// Made on control paths; read by taps.

/// A value of a frame, as a load and perhaps an AND leave it in A.
package struct MergedKey: Hashable, Sendable {
  enum Source: UInt8 {
    /// Bytes of the frame at k.
    case absolute
    /// At k behind a header whose length is four times the lower half of the byte at `header`.
    case indexed
    case metadata
    case length
  }

  var source: Source
  /// 1, 2 or 4 bytes.
  var width: UInt8
  var k: UInt32
  var header: UInt32 = 0
  var mask = UInt32.max

  /// No value is greater.
  var greatest: UInt32 {
    let all: UInt32 = source == .metadata || width == 4 ? .max : width == 2 ? 0xffff : 0xff
    return min(all, mask)
  }

  /// The value; negative when the load fails, which ends a program with 0.
  @inline(__always)
  func value(
    packet: UnsafeRawPointer, wireLength: UInt32, captured: UInt32, metadata: UnsafePointer<FrameMetadata>?
  ) -> Int64 {
    let end = Int(captured)
    var at = Int(k)
    switch source {
    case .absolute: break
    case .indexed:
      if Int(header) >= end { return -1 }
      // SAFETY: compared with the frame's end, here and below; no sum of these can wrap in 64 bits.
      at &+= Int(unsafe packet.load(fromByteOffset: Int(header), as: UInt8.self) & 15) &* 4
    case .metadata:
      // SAFETY: the caller keeps it for the call.
      guard let metadata = unsafe metadata, let value = unsafe metadata.pointee.load(at: k) else { return -1 }
      return Int64(value & mask)
    case .length: return Int64(wireLength & mask)
    }
    if at &+ Int(width) > end { return -1 }
    let value: UInt32
    switch width {
    case 4: value = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    case 2: value = unsafe UInt32(UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
    default: value = unsafe UInt32(packet.load(fromByteOffset: at, as: UInt8.self))
    }
    return Int64(value & mask)
  }
}
