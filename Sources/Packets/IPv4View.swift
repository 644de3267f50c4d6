// The IPv4 header (RFC 791) over captured bytes.

/// An IPv4 header and what was captured behind it.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct IPv4View: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 20 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 20 else { return nil }
    self.bytes = bytes
  }

  @inlinable package var version: UInt8 { bytes.u8(at: 0) >> 4 }
  /// With options; below 20 in a broken packet.
  @inlinable package var headerLength: Int { Int(bytes.u8(at: 0) & 0xf) * 4 }
  @inlinable package var totalLength: UInt16 { bytes.be16(at: 2) }
  @inlinable package var identification: UInt16 { bytes.be16(at: 4) }
  /// Reserved, DF, MF and the 13 bits of offset.
  @inlinable package var flagsAndOffset: UInt16 { bytes.be16(at: 6) }
  @inlinable package var moreFragments: Bool { flagsAndOffset & 0x2000 != 0 }
  /// In units of 8 bytes.
  @inlinable package var fragmentOffset: UInt16 { flagsAndOffset & 0x1fff }
  @inlinable package var timeToLive: UInt8 { bytes.u8(at: 8) }
  @inlinable package var transport: UInt8 { bytes.u8(at: 9) }
  @inlinable package var checksum: UInt16 { bytes.be16(at: 10) }
  @inlinable package var source: UInt32 { bytes.be32(at: 12) }
  @inlinable package var destination: UInt32 { bytes.be32(at: 16) }
}
