// The Ethernet header over captured bytes.

/// An Ethernet header and what was captured behind it.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct EthernetView: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 14 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 14 else { return nil }
    self.bytes = bytes
  }

  /// Six bytes in the low end.
  @inlinable package var destination: UInt64 { bytes.be64(at: 0) >> 16 }
  @inlinable package var source: UInt64 { bytes.be64(at: 6) >> 16 }
  /// A type, or a length up to ``EtherType/greatestLength``.
  @inlinable package var type: UInt16 { bytes.be16(at: 12) }
}
