// Messages of ipsecif, byte by byte, checked by hand against NetBSD's headers: the judge of the encodings.

enum GoldenBytes {
  /// IPv4 outside and inside, out, unique.
  static let a = bytes(
    """
    02 0e 00 00 0b 00 00 00 00 00 00 00 00 00 00 00
    03 00 05 00 04 20 00 00 10 02 00 00 0a 00 00 01
    00 00 00 00 00 00 00 00 03 00 06 00 04 20 00 00
    10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
    03 00 12 00 02 00 02 00 00 00 00 00 00 00 00 00
    08 00 32 00 01 03 01 40
    """)
  /// The old shape of ``a``.
  static let a0 = bytes(
    """
    02 0e 00 00 0f 00 00 00 00 00 00 00 00 00 00 00
    03 00 05 00 04 20 00 00 10 02 00 00 0a 00 00 01
    00 00 00 00 00 00 00 00 03 00 06 00 04 20 00 00
    10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
    07 00 12 00 02 00 02 00 00 00 00 00 00 00 00 00
    28 00 32 00 01 03 01 40 10 02 00 00 0a 00 00 01
    00 00 00 00 00 00 00 00 10 02 00 00 0a 00 00 02
    00 00 00 00 00 00 00 00
    """)
  /// IPv6 outside, IPv4 inside, out, require.
  static let b = bytes(
    """
    02 0e 00 00 0f 00 00 00 00 00 00 00 00 00 00 00
    05 00 05 00 04 80 00 00 1c 18 00 00 00 00 00 00
    fc 00 10 01 00 00 00 00 00 00 00 00 00 00 00 02
    00 00 00 00 00 00 00 00 05 00 06 00 04 80 00 00
    1c 18 00 00 00 00 00 00 fc 00 10 01 00 00 00 00
    00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00
    03 00 12 00 02 00 02 00 00 00 00 00 00 00 00 00
    08 00 32 00 01 02 00 00
    """)
  /// The old shape of ``b``, with ports.
  static let b0 = bytes(
    """
    02 0e 00 00 16 00 00 00 00 00 00 00 00 00 00 00
    05 00 05 00 04 80 00 00 1c 18 00 00 00 00 00 00
    fc 00 10 01 00 00 00 00 00 00 00 00 00 00 00 02
    00 00 00 00 00 00 00 00 05 00 06 00 04 80 00 00
    1c 18 00 00 00 00 00 00 fc 00 10 01 00 00 00 00
    00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00
    0a 00 12 00 02 00 02 00 00 00 00 00 00 00 00 00
    40 00 32 00 01 02 01 40 1c 18 11 94 00 00 00 00
    fc 00 10 01 00 00 00 00 00 00 00 00 00 00 00 02
    00 00 00 00 1c 18 11 95 00 00 00 00 fc 00 10 01
    00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00
    """)
  /// IPv4 outside, IPv6 inside, out, discard.
  static let c = bytes(
    """
    02 0e 00 00 0a 00 00 00 00 00 00 00 00 00 00 00
    03 00 05 00 29 20 00 00 10 02 00 00 0a 00 00 01
    00 00 00 00 00 00 00 00 03 00 06 00 29 20 00 00
    10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
    02 00 12 00 00 00 02 00 00 00 00 00 00 00 00 00
    """)
  /// Removal of the policy 0x11.
  static let d = bytes(
    """
    02 16 00 00 04 00 00 00 00 00 00 00 00 00 00 00
    02 00 12 00 00 00 00 00 11 00 00 00 00 00 00 00
    """)

  static func bytes(_ text: String) -> [UInt8] {
    text.split(whereSeparator: \.isWhitespace).map { UInt8($0, radix: 16)! }
  }

  /// With another reqid in its only request, the last one or at `offset`.
  static func with(reqid: UInt16, in bytes: [UInt8], at offset: Int) -> [UInt8] {
    var bytes = bytes
    bytes[offset] = UInt8(truncatingIfNeeded: reqid)
    bytes[offset + 1] = UInt8(reqid >> 8)
    return bytes
  }
}
