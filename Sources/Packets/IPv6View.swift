// The IPv6 header (RFC 8200) over captured bytes.

/// An IPv6 header and what was captured behind it.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct IPv6View: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 40 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 40 else { return nil }
    self.bytes = bytes
  }

  @inlinable package var version: UInt8 { bytes.u8(at: 0) >> 4 }
  @inlinable package var flow: UInt32 { bytes.be32(at: 0) }
  @inlinable package var payloadLength: UInt16 { bytes.be16(at: 4) }
  @inlinable package var nextHeader: UInt8 { bytes.u8(at: 6) }
  @inlinable package var hopLimit: UInt8 { bytes.u8(at: 7) }
}
