// The fixed part of ARP (RFC 826) over captured bytes.

/// An ARP packet; the four addresses follow the fixed part.
///
/// The initialiser checks the fixed part once; after that no accessor can fail.
@usableFromInline package struct ARPView: ~Escapable {
  @usableFromInline package let bytes: RawSpan
  /// Bytes of the fixed part.
  @inlinable package static var fixedLength: Int { 8 }

  @inlinable @inline(__always)
  @_lifetime(copy bytes)
  package init?(_ bytes: RawSpan) {
    guard bytes.byteCount >= 8 else { return nil }
    self.bytes = bytes
  }

  @inlinable package var hardware: UInt16 { bytes.be16(at: 0) }
  @inlinable package var network: UInt16 { bytes.be16(at: 2) }
  @inlinable package var hardwareLength: Int { Int(bytes.u8(at: 4)) }
  @inlinable package var networkLength: Int { Int(bytes.u8(at: 5)) }
  @inlinable package var operation: UInt16 { bytes.be16(at: 6) }
  // Where the addresses start; whether they were captured is for the caller to ask.
  @inlinable package var senderHardware: Int { 8 }
  @inlinable package var senderNetwork: Int { 8 + hardwareLength }
  @inlinable package var targetHardware: Int { 8 + hardwareLength + networkLength }
  @inlinable package var targetNetwork: Int { 8 + 2 * hardwareLength + networkLength }
}
