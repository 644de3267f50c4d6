// Assigned numbers that more than one file needs: Ethernet types, IP protocols, link types.

/// Ethernet types (IEEE 802 numbers).
@usableFromInline package enum EtherType {
  @inlinable package static var ipv4: UInt16 { 0x0800 }
  @inlinable package static var arp: UInt16 { 0x0806 }
  @inlinable package static var trailer: UInt16 { 0x1000 }
  @inlinable package static var bridging: UInt16 { 0x6558 }
  @inlinable package static var reverseARP: UInt16 { 0x8035 }
  @inlinable package static var vlan: UInt16 { 0x8100 }
  @inlinable package static var ipv6: UInt16 { 0x86dd }
  @inlinable package static var ipx: UInt16 { 0x8137 }
  @inlinable package static var ppp: UInt16 { 0x880b }
  @inlinable package static var jumboLLC: UInt16 { 0x8870 }
  @inlinable package static var qinq: UInt16 { 0x88a8 }
  @inlinable package static var vlan9100: UInt16 { 0x9100 }
  @inlinable package static var vlan9200: UInt16 { 0x9200 }
  /// Values up to here are a length (802.3), not a type.
  @inlinable package static var greatestLength: UInt16 { 1500 }

  /// A type after which four bytes of 802.1Q tag follow.
  @inlinable @inline(__always)
  package static func isTag(_ type: UInt16) -> Bool {
    type == vlan || type == qinq || type == vlan9100 || type == vlan9200
  }
}

/// IP protocol numbers.
@usableFromInline package enum IPProtocol {
  @inlinable package static var hopByHop: UInt8 { 0 }
  @inlinable package static var icmp: UInt8 { 1 }
  @inlinable package static var igmp: UInt8 { 2 }
  @inlinable package static var ipv4: UInt8 { 4 }
  @inlinable package static var tcp: UInt8 { 6 }
  @inlinable package static var udp: UInt8 { 17 }
  @inlinable package static var dccp: UInt8 { 33 }
  @inlinable package static var ipv6: UInt8 { 41 }
  @inlinable package static var routing: UInt8 { 43 }
  @inlinable package static var fragment: UInt8 { 44 }
  @inlinable package static var gre: UInt8 { 47 }
  @inlinable package static var esp: UInt8 { 50 }
  @inlinable package static var ah: UInt8 { 51 }
  @inlinable package static var icmp6: UInt8 { 58 }
  @inlinable package static var none: UInt8 { 59 }
  @inlinable package static var destinationOptions: UInt8 { 60 }
  @inlinable package static var ipcomp: UInt8 { 108 }
  @inlinable package static var sctp: UInt8 { 132 }
}

/// Link types, both as DLT_ and as LINKTYPE_ numbers where these differ.
@usableFromInline package enum LinkType {
  @inlinable package static var null: Int32 { 0 }
  @inlinable package static var ethernet: Int32 { 1 }
  /// DLT_RAW on Linux; a savefile says 101.
  @inlinable package static var rawDLT: Int32 { 12 }
  @inlinable package static var raw: Int32 { 101 }
  @inlinable package static var loop: Int32 { 108 }
  @inlinable package static var linuxCooked: Int32 { 113 }
  @inlinable package static var linuxCooked2: Int32 { 276 }
  @inlinable package static var nflog: Int32 { 239 }
}
