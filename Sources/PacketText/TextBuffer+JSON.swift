// Pieces of JSON text. Keys come with their punctuation, as `,"ttl":`, so that each is one literal.
import SwBPFPackets

extension TextBuffer {
  @inline(__always)
  mutating func append(_ key: StaticString, number value: UInt32) {
    append(key)
    append(decimal: value)
  }

  @inline(__always)
  mutating func append(_ key: StaticString, flag value: Bool) {
    append(key)
    if value { append("true") } else { append("false") }
  }

  @inline(__always)
  mutating func append(_ key: StaticString, ipv4 address: UInt32) {
    append(key)
    append(byte: 0x22)
    append(ipv4: address)
    append(byte: 0x22)
  }

  /// The sixteen bytes at `offset` must be there.
  mutating func append(_ key: StaticString, ipv6 bytes: RawSpan, at offset: Int) {
    append(key)
    append(byte: 0x22)
    append(ipv6: bytes, at: offset)
    append(byte: 0x22)
  }

  /// The six bytes at `offset` must be there.
  @inline(__always)
  mutating func append(_ key: StaticString, mac bytes: RawSpan, at offset: Int) {
    append(key)
    append(byte: 0x22)
    append(mac: bytes, at: offset)
    append(byte: 0x22)
  }

  /// All of `bytes` as `"00:11:22"`.
  mutating func append(_ key: StaticString, hexOf bytes: RawSpan) {
    append(key)
    append(byte: 0x22)
    append(hexOf: bytes, separator: 0x3a)
    append(byte: 0x22)
  }

  /// The header of `layer` was not captured whole.
  mutating func appendTruncated(_ layer: StaticString) {
    append(#","truncated":""#)
    append(layer)
    append(byte: 0x22)
  }

  /// What the header of `layer` says of itself cannot be.
  mutating func appendMalformed(_ layer: StaticString) {
    append(#","malformed":""#)
    append(layer)
    append(byte: 0x22)
  }

  /// Bytes behind the last header that was taken apart.
  @inline(__always)
  mutating func appendPayload(_ length: UInt32) { append(#","payload":"#, number: length) }

  /// A string with its quotes. Control characters are escaped, those above ASCII too. Not for the packet path.
  mutating func append(quoted text: String) {
    append(byte: 0x22)
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x22, 0x5c:
        append(byte: 0x5c)
        append(byte: UInt8(truncatingIfNeeded: scalar.value))
      case 0..<0x20, 0x7f...0x9f:
        append("\\u")
        append(hex: scalar.value, digits: 4)
      default:
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(byte: byte) }
      }
    }
    append(byte: 0x22)
  }
}
