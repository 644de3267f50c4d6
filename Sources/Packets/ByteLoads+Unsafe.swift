// Loads of network-order numbers from a RawSpan. Used by every header view and by the text printer, on any thread.

extension RawSpan {
  /// Whether `count` bytes from `offset` on were captured. Never traps: negative and huge values are simply "no".
  @inlinable @inline(__always)
  package func holds(_ count: Int, at offset: Int = 0) -> Bool {
    count >= 0 && offset >= 0 && offset <= byteCount && byteCount - offset >= count
  }

  /// The byte at `offset`. Traps outside of the span, as all loads here do: ask ``holds(_:at:)`` first.
  @inlinable @inline(__always)
  package func u8(at offset: Int) -> UInt8 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt8.
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
  }

  @inlinable @inline(__always)
  package func be16(at offset: Int) -> UInt16 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt16.
    unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inlinable @inline(__always)
  package func be24(at offset: Int) -> UInt32 {
    UInt32(u8(at: offset)) << 16 | UInt32(be16(at: offset + 1))
  }

  @inlinable @inline(__always)
  package func be32(at offset: Int) -> UInt32 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt32.
    unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable @inline(__always)
  package func be64(at offset: Int) -> UInt64 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt64.
    unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inlinable @inline(__always)
  package func le16(at offset: Int) -> UInt16 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt16.
    unsafe UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inlinable @inline(__always)
  package func le32(at offset: Int) -> UInt32 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt32.
    unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable @inline(__always)
  package func le64(at offset: Int) -> UInt64 {
    // SAFETY: unsafeLoadUnaligned checks the bounds; every bit pattern is a UInt64.
    unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}

extension RawSpan {
  /// The sum of the little-endian 32-bit words in the front, as many as fill blocks of 32 bytes.
  /// - Returns: 64 bits that are still to be folded, and how many bytes that were.
  package func sumOfBlocks() -> (sum: UInt64, count: Int) {
    let end = byteCount & ~31
    // Halves of what is loaded, in lanes of 64 bits: nothing is carried out of them.
    let half = SIMD4<UInt64>(repeating: 0xffff_ffff)
    var (low, high) = (SIMD4<UInt64>.zero, SIMD4<UInt64>.zero)
    // SAFETY: every load ends at `end` at most; every bit pattern is a number. This system's processors are little-endian.
    unsafe withUnsafeBytes { bytes in
      guard end > 0, let base = bytes.baseAddress else { return }
      var offset = 0
      while offset < end {
        let words = unsafe base.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
        low &+= words & half
        high &+= words &>> 32
        offset &+= 32
      }
    }
    let sum = low &+ high
    return (sum[0] &+ sum[1] &+ sum[2] &+ sum[3], end)
  }
}
