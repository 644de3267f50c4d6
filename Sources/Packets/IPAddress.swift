// IP addresses as numbers that compare quickly. Values; any thread.

/// An IPv4 or IPv6 address. (`sockaddr_in`, `sockaddr_in6` without their ports)
package struct IPAddress: Hashable, Sendable {
  package enum Family: UInt8, Sendable, CaseIterable {
    /// NetBSD's AF_INET.
    case v4 = 2
    /// NetBSD's AF_INET6, not Linux's.
    case v6 = 24

    /// Bits of an address.
    @inlinable package var bits: UInt8 { self == .v4 ? 32 : 128 }
  }

  package let family: Family
  /// The first 8 bytes of an IPv6 address, big-endian; 0 for IPv4.
  package let high: UInt64
  /// The last 8 bytes, or the IPv4 address in the low 32 bits.
  package let low: UInt64
  /// sin6_scope_id; 0 for IPv4.
  package let scope: UInt32

  @inlinable package init(v4 address: UInt32) {
    family = .v4
    high = 0
    low = UInt64(address)
    scope = 0
  }

  @inlinable package init(v6 high: UInt64, _ low: UInt64, scope: UInt32 = 0) {
    family = .v6
    self.high = high
    self.low = low
    self.scope = scope
  }

  /// 4 or 16 bytes in network order.
  package init?(bytes: [UInt8], scope: UInt32 = 0) {
    switch bytes.count {
    case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      let high = bytes[..<8].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      self.init(v6: high, bytes[8...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }, scope: scope)
    default: return nil
    }
  }

  /// The address at an offset of a packet. Traps outside of it.
  @inlinable package init(v4At offset: Int, of bytes: RawSpan) { self.init(v4: bytes.be32(at: offset)) }
  @inlinable package init(v6At offset: Int, of bytes: RawSpan) {
    self.init(v6: bytes.be64(at: offset), bytes.be64(at: offset + 8))
  }

  @inlinable package var isIPv6: Bool { family == .v6 }

  /// An IPv4 address as a number; of an IPv6 address the last four bytes.
  @inlinable package var v4: UInt32 { UInt32(truncatingIfNeeded: low) }

  /// In network order: 4 or 16 bytes.
  package var bytes: [UInt8] {
    let words = family == .v4 ? [] : stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: high >> $0) }
    let shift = family == .v4 ? 24 : 56
    return words + stride(from: shift, through: 0, by: -8).map { UInt8(truncatingIfNeeded: low >> $0) }
  }

  /// Whether both have the same first `length` bits and the same family; lengths beyond the address mean all of it.
  @inlinable package func matches(_ other: IPAddress, prefix length: UInt8) -> Bool {
    guard family == other.family else { return false }
    let bits = min(length, family.bits)
    if bits == 0 { return true }
    if family == .v4 { return (low ^ other.low) >> UInt64(32 - bits) == 0 }
    if scope != 0 && other.scope != 0 && scope != other.scope { return false }
    if bits <= 64 { return (high ^ other.high) >> UInt64(64 - bits) == 0 }
    return high == other.high && (low ^ other.low) >> UInt64(128 - bits) == 0
  }

  /// 255.255.255.255 is no multicast address.
  @inlinable package var isMulticast: Bool { family == .v4 ? low >> 28 == 0xe : high >> 56 == 0xff }
  @inlinable package var isUnspecified: Bool { high == 0 && low == 0 }
  /// fe80::/10: belongs to one link, which the scope names.
  @inlinable package var isLinkLocal: Bool { family == .v6 && high >> 54 == 0x3fa }
}

/// An address with a port.
package struct Endpoint: Hashable, Sendable {
  package var address: IPAddress
  /// Host order; 0 is any or none.
  package var port: UInt16

  @inlinable package init(_ address: IPAddress, port: UInt16 = 0) {
    self.address = address
    self.port = port
  }
}
