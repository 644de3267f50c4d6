// Upper protocols of policies: names of /etc/protocols as NetBSD has them, with setkey's own.

enum UpperNames {
  /// The first name of a number is the one that dumps show.
  private static let table: [(name: String, number: UInt8)] = [
    ("icmp", 1), ("igmp", 2), ("ipv4", 4), ("ip4", 4), ("ipencap", 4), ("tcp", 6), ("egp", 8), ("udp", 17),
    ("ipv6", 41), ("ip6", 41), ("rsvp", 46), ("gre", 47), ("esp", 50), ("ah", 51), ("mobile", 55),
    ("ipv6-icmp", 58), ("icmp6", 58), ("ipv6-nonxt", 59), ("ospf", 89), ("etherip", 97), ("pim", 103),
    ("ipcomp", 108), ("vrrp", 112), ("carp", 112), ("l2tp", 115), ("sctp", 132), ("udplite", 136),
    ("reserved", 255), ("any", 255),
  ]

  static let all = table.map(\.name).filter { $0 != "reserved" }

  /// By name or decimal number.
  static func number(of text: String) -> UInt8? {
    if let found = table.first(where: { $0.name == text }) { return found.number }
    return SetkeyParser.decimal(text).flatMap { UInt8(exactly: $0) }
  }

  /// `4(ipv4)`, `255(reserved)`, `200`
  static func shown(_ number: UInt8) -> String {
    table.first { $0.number == number }.map { "\(number)(\($0.name))" } ?? "\(number)"
  }

  /// The word that a file would have: what is read as this number again.
  static func word(_ number: UInt8) -> String {
    number == UpperProtocol.any ? "any" : table.first { $0.number == number }?.name ?? "\(number)"
  }

  static func hasTypeAndCode(_ number: UInt8) -> Bool { number == 1 || number == 58 }
}
