// Assigned numbers that more than one file needs: Ethernet types, IP protocols, link types.

/// Ethernet types (IEEE 802 numbers).
package enum EtherType {
  package static let ipv4: UInt16 = 0x0800
  package static let arp: UInt16 = 0x0806
  package static let trailer: UInt16 = 0x1000
  package static let bridging: UInt16 = 0x6558
  package static let reverseARP: UInt16 = 0x8035
  package static let vlan: UInt16 = 0x8100
  package static let ipv6: UInt16 = 0x86dd
  package static let ipx: UInt16 = 0x8137
  package static let ppp: UInt16 = 0x880b
  package static let jumboLLC: UInt16 = 0x8870
  package static let qinq: UInt16 = 0x88a8
  package static let vlan9100: UInt16 = 0x9100
  package static let vlan9200: UInt16 = 0x9200
  /// Values up to here are a length (802.3), not a type.
  package static let greatestLength: UInt16 = 1500

  /// A type after which four bytes of 802.1Q tag follow.
  @inlinable @inline(__always)
  package static func isTag(_ type: UInt16) -> Bool {
    type == vlan || type == qinq || type == vlan9100 || type == vlan9200
  }
}

/// IP protocol numbers.
package enum IPProtocol {
  package static let hopByHop: UInt8 = 0
  package static let icmp: UInt8 = 1
  package static let igmp: UInt8 = 2
  package static let ipv4: UInt8 = 4
  package static let tcp: UInt8 = 6
  package static let udp: UInt8 = 17
  package static let dccp: UInt8 = 33
  package static let ipv6: UInt8 = 41
  package static let routing: UInt8 = 43
  package static let fragment: UInt8 = 44
  package static let gre: UInt8 = 47
  package static let esp: UInt8 = 50
  package static let ah: UInt8 = 51
  package static let icmp6: UInt8 = 58
  package static let none: UInt8 = 59
  package static let destinationOptions: UInt8 = 60
  package static let ipcomp: UInt8 = 108
  package static let sctp: UInt8 = 132
}

/// Link types, both as DLT_ and as LINKTYPE_ numbers where these differ.
package enum LinkType {
  package static let null: Int32 = 0
  package static let ethernet: Int32 = 1
  /// DLT_RAW on Linux; a savefile says 101.
  package static let rawDLT: Int32 = 12
  package static let raw: Int32 = 101
  package static let loop: Int32 = 108
  package static let linuxCooked: Int32 = 113
  package static let linuxCooked2: Int32 = 276
  package static let nflog: Int32 = 239
}
