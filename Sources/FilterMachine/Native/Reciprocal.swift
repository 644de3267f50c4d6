// Division by a constant as a multiplication. Control paths.

enum Reciprocal {
  /// A factor and a count with `a / divisor == (a * factor) >> count` in 64 bits for every 32-bit a; nil where the factor
  /// would need more than 32 bits. (Granlund and Montgomery: the factor's error must stay below 2^(count - 32).)
  static func of(_ divisor: UInt32) -> (factor: UInt32, count: UInt8)? {
    let divisor = UInt64(divisor)
    for count in UInt64(32)...63 {
      let power = UInt64(1) << count
      let factor = (power + divisor - 1) / divisor
      if factor > UInt64(UInt32.max) { return nil }
      if factor * divisor - power <= 1 << (count - 32) { return (UInt32(factor), UInt8(count)) }
    }
    return nil
  }
}
