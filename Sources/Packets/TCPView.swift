// The TCP header (RFC 9293) over captured bytes.

/// A TCP header and what was captured behind it.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct TCPView: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 20 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 20 else { return nil }
    self.bytes = bytes
  }

  @inlinable package var sourcePort: UInt16 { bytes.be16(at: 0) }
  @inlinable package var destinationPort: UInt16 { bytes.be16(at: 2) }
  @inlinable package var sequence: UInt32 { bytes.be32(at: 4) }
  @inlinable package var acknowledgement: UInt32 { bytes.be32(at: 8) }
  /// With options; below 20 in a broken segment.
  @inlinable package var headerLength: Int { Int(bytes.u8(at: 12) >> 4) * 4 }
  /// CWR ECE URG ACK PSH RST SYN FIN, from the high bit down.
  @inlinable package var flags: UInt8 { bytes.u8(at: 13) }
  @inlinable package var window: UInt16 { bytes.be16(at: 14) }
  @inlinable package var checksum: UInt16 { bytes.be16(at: 16) }
  @inlinable package var urgent: UInt16 { bytes.be16(at: 18) }
}
