// Decimal numbers. Every line has about ten, so they are made eight digits at a time, without a loop.

extension TextBuffer {
  /// What turns eight numbers below 10 into digits.
  @inline(__always)
  private static var zeros: UInt64 { 0x3030_3030_3030_3030 }

  /// `%u`.
  @inline(__always)
  package mutating func append(decimal value: UInt32) {
    if value < 10 {
      append(byte: UInt8(truncatingIfNeeded: value) &+ 0x30)
    } else {
      appendDigits(value)
    }
  }

  /// `%0*u`, for a width up to ten.
  package mutating func append(decimal value: UInt32, width: Int) {
    if value >= 100_000_000 || width > 8 {
      let high = value / 100_000_000
      if high > 0 || width > 8 { append(decimal: high, width: width - 8) }
      return append(packed: eightDigits(value % 100_000_000) | Self.zeros, length: 8)
    }
    appendShort(value, width: max(1, width))
  }

  private mutating func appendDigits(_ value: UInt32) {
    if value >= 100_000_000 { return append(decimal: value, width: 1) }
    appendShort(value, width: 1)
  }

  /// A number below 100,000,000 with at least `width` digits, 1 to 8.
  @inline(__always)
  private mutating func appendShort(_ value: UInt32, width: Int) {
    let digits = eightDigits(value)
    let leading = min(digits.trailingZeroBitCount / 8, 8 - width)
    append(packed: (digits | Self.zeros) >> UInt64(8 * leading), length: 8 - leading)
  }

  /// Eight decimal digits of a number below 100,000,000, each a byte of 0 to 9, the first one lowest.
  @inline(__always)
  private func eightDigits(_ value: UInt32) -> UInt64 {
    // Split into fours, twos, ones, all parts of a step at once. A multiplication and a shift divide: by 100 for
    // numbers below 10,000, by 10 for numbers below 100.
    let fours = UInt64(value / 10_000) | UInt64(value % 10_000) << 32
    let hundreds = (fours &* 10_486) >> 20 & 0x0000_007f_0000_007f
    let twos = hundreds | (fours &- hundreds &* 100) << 16
    let tens = (twos &* 103) >> 10 & 0x000f_000f_000f_000f
    return tens | (twos &- tens &* 10) << 8
  }
}
