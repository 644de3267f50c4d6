// The UDP header (RFC 768) over captured bytes.

/// A UDP header and what was captured behind it.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct UDPView: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 8 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 8 else { return nil }
    self.bytes = bytes
  }

  @inlinable package var sourcePort: UInt16 { bytes.be16(at: 0) }
  @inlinable package var destinationPort: UInt16 { bytes.be16(at: 2) }
  @inlinable package var length: UInt16 { bytes.be16(at: 4) }
  @inlinable package var checksum: UInt16 { bytes.be16(at: 6) }
}
