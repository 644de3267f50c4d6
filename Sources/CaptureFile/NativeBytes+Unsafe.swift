// Fields of a savefile in the machine's byte order, which is how the file is written.

extension [UInt8] {
  mutating func appendNative<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    // SAFETY: the bytes of an integer, for the closure.
    unsafe Swift.withUnsafeBytes(of: value) { unsafe append(contentsOf: $0) }
  }

  /// The array's bytes, for the closure.
  func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    // SAFETY: bytes of the array, which self keeps for the call.
    try unsafe body(span.bytes)
  }
}

extension RawSpan {
  func native32(at offset: Int) -> UInt32 {
    // SAFETY: any bit pattern is a UInt32; the span checks the bounds.
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
  }
}
