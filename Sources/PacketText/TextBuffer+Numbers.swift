// Hexadecimal numbers and addresses, as tcpdump writes them. Built from TextBuffer's checked appends.
import SwBPFPackets

extension TextBuffer {
  /// Eight hexadecimal digits of a 32-bit number, first digit in the lowest byte.
  @inline(__always)
  private func hexDigits(_ value: UInt32) -> UInt64 {
    // Spread the nibbles over eight bytes, then turn all of them into digits at once.
    var spread = UInt64(value.byteSwapped)
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
    spread = (spread >> 4 & 0x000f_000f_000f_000f) | (spread & 0x000f_000f_000f_000f) << 8
    let letters = ((spread &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    return spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
  }

  /// `%0*x` for a number that fits into `digits`.
  @inline(__always)
  package mutating func append(hex value: UInt32, digits: Int) {
    append(packed: hexDigits(value) >> UInt64(8 * (8 - digits)), length: digits)
  }

  /// `%x`.
  package mutating func append(hex value: UInt32) {
    append(hex: value, digits: max(1, (35 - value.leadingZeroBitCount) / 4))
  }

  /// `%x` of 64 bits.
  package mutating func append(hex64 value: UInt64) {
    let high = UInt32(truncatingIfNeeded: value >> 32)
    if high == 0 { return append(hex: UInt32(truncatingIfNeeded: value)) }
    append(hex: high)
    append(hex: UInt32(truncatingIfNeeded: value), digits: 8)
  }

  /// `%u` of 64 bits.
  package mutating func append(decimal64 value: UInt64) {
    if value < 1_000_000_000 { return append(decimal: UInt32(truncatingIfNeeded: value)) }
    append(decimal64: value / 1_000_000_000)
    append(decimal: UInt32(truncatingIfNeeded: value % 1_000_000_000), width: 9)
  }

  /// All of `bytes` as pairs of digits, with `separator` between them if there is one.
  package mutating func append(hexOf bytes: RawSpan, separator: UInt8? = nil) {
    for offset in 0..<bytes.byteCount {
      if let separator, offset > 0 { append(byte: separator) }
      append(hex: UInt32(bytes.u8(at: offset)), digits: 2)
    }
  }

  /// The bytes as text in which nothing can steer a terminal: `^A` for control characters, `M-` before high bytes.
  package mutating func append(visible bytes: RawSpan) {
    for offset in 0..<bytes.byteCount {
      var byte = bytes.u8(at: offset)
      if byte > 0x7f {
        append("M-")
        byte &= 0x7f
      }
      if byte < 0x20 || byte == 0x7f {
        append(byte: 0x5e)
        byte ^= 0x40
      }
      append(byte: byte)
    }
  }

  /// Six bytes at `offset`, which must be there.
  package mutating func append(mac bytes: RawSpan, at offset: Int) {
    let high = hexDigits(bytes.be32(at: offset))
    let low = hexDigits(UInt32(bytes.be16(at: offset + 4)))
    append(packed: high & 0xffff | 0x3a << 16 | (high >> 16 & 0xffff) << 24 | 0x3a << 40, length: 6)
    append(packed: (high >> 32) & 0xffff | 0x3a << 16 | (high >> 48) << 24 | 0x3a << 40, length: 6)
    append(packed: (low >> 32) & 0xffff | 0x3a << 16 | (low >> 48) << 24, length: 5)
  }

  /// The longest run of zero words becomes `::` (RFC 5952), and an embedded IPv4 address is dotted.
  /// The sixteen bytes at `offset` must be there.
  package mutating func append(ipv6 bytes: RawSpan, at offset: Int) {
    append(ipv6High: bytes.be64(at: offset), low: bytes.be64(at: offset + 8))
  }

  /// An IPv6 address from its two halves.
  package mutating func append(ipv6High high: UInt64, low: UInt64) {
    var runStart = -1
    var runLength = 1
    var start = -1
    for index in 0..<8 {
      if word(index, high, low) != 0 {
        start = -1
        continue
      }
      if start < 0 { start = index }
      if index - start + 1 > runLength {
        runStart = start
        runLength = index - start + 1
      }
    }
    var index = 0
    while index < 8 {
      if index == runStart {
        append(byte: 0x3a)
        index += runLength
        continue
      }
      if index > 0 { append(byte: 0x3a) }
      if index == 6, runStart == 0, runLength == 6 || (runLength == 5 && word(5, high, low) == 0xffff) {
        return append(ipv4: UInt32(truncatingIfNeeded: low))
      }
      append(hex: word(index, high, low))
      index += 1
    }
    if runStart >= 0, runStart + runLength == 8 { append(byte: 0x3a) }
  }

  @inline(__always)
  private func word(_ index: Int, _ high: UInt64, _ low: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index & 3))) & 0xffff
  }

  /// ` [|tcp]`: the header of `layer` was not captured whole, and nothing more is printed of the packet.
  package mutating func appendTruncation(_ layer: StaticString) {
    appendTruncationMark(layer)
    isCut = true
  }

  /// ` [|tcp]` where tcpdump leaves only the printer of `layer`: printers around it go on.
  package mutating func appendTruncationMark(_ layer: StaticString) {
    append(" [|")
    append(layer)
    append(byte: 0x5d)
  }

  package mutating func appendInvalid() {
    append(" (invalid)")
  }
}
