import Foundation
import TestSupport
import Testing

@testable import SwBPFPacketText

/// Compares the fields of objects with those of tshark, which dissects the same savefile.
///
/// Each field's values over all levels of a packet must be the first of tshark's values for it, for tshark also dissects
/// what ICMP errors quote. Packets that either of us finds malformed are left out.
@Suite(.needsTool("tshark"), .timeLimit(.minutes(3)))
struct JSONReferenceTests {
  /// A field of tshark and where the object has it.
  struct Field: Sendable {
    let name: String
    let values: @Sendable (Object) -> [String]

    init(_ name: String, _ header: String, _ key: String) {
      self.name = name
      values = { object in
        object.all(header).compactMap { one in
          one.text(key) ?? one.number(key).map(String.init)
        }
      }
    }

    init(_ name: String, _ values: @escaping @Sendable (Object) -> [String]) {
      self.name = name
      self.values = values
    }
  }

  private static func ip(_ version: Int, _ name: String, _ key: String) -> Field {
    Field(name) { object in
      object.all("ip").filter { $0.number("version") == version }.compactMap { header in
        header.text(key) ?? header.number(key).map(String.init)
      }
    }
  }

  private static func option(_ name: String, _ key: String) -> Field {
    Field(name) { object in
      object.all("tcp").flatMap { $0.fields["options"] as? [[String: Any]] ?? [] }
        .compactMap { ($0[key] as? NSNumber).map { "\($0.intValue)" } }
    }
  }

  static let fields: [Field] = [
    Field("eth.src", "ethernet", "source"), Field("eth.dst", "ethernet", "destination"),
    Field("eth.type", "ethernet", "type"), Field("eth.len", "ethernet", "length"),
    Field("vlan.id") { $0.tags("id", service: false) }, Field("vlan.priority") { $0.tags("priority", service: false) },
    Field("ieee8021ad.id") { $0.tags("id", service: true) },
    Field("arp.opcode", "arp", "operation"), Field("arp.hw.type", "arp", "hardware_type"),
    Field("arp.proto.type", "arp", "protocol_type"),
    Field("llc.dsap", "llc", "dsap"), Field("llc.oui", "llc", "oui"),
    Field("sll.pkttype", "cooked", "packet_type"), Field("sll.ifindex", "cooked", "interface_index"),
    Field("sll.hatype", "cooked", "hardware_type"),
    ip(4, "ip.src", "source"), ip(4, "ip.dst", "destination"), ip(4, "ip.ttl", "ttl"), ip(4, "ip.proto", "protocol"),
    ip(4, "ip.id", "id"), ip(4, "ip.len", "length"), ip(4, "ip.hdr_len", "header_length"),
    ip(4, "ip.checksum", "checksum"), ip(4, "ip.flags.df", "dont_fragment"),
    ip(6, "ipv6.src", "source"), ip(6, "ipv6.dst", "destination"), ip(6, "ipv6.hlim", "ttl"),
    ip(6, "ipv6.tclass", "tos"), ip(6, "ipv6.flow", "flow"),
    Field("tcp.srcport", "tcp", "source"), Field("tcp.dstport", "tcp", "destination"),
    Field("tcp.seq_raw", "tcp", "seq"), Field("tcp.window_size_value", "tcp", "window"),
    Field("tcp.checksum", "tcp", "checksum"), Field("tcp.hdr_len", "tcp", "header_length"),
    option("tcp.options.mss_val", "mss"), option("tcp.options.wscale.shift", "scale"),
    option("tcp.options.timestamp.tsval", "value"), option("tcp.options.timestamp.tsecr", "echo"),
    Field("udp.srcport", "udp", "source"), Field("udp.dstport", "udp", "destination"),
    Field("udp.length", "udp", "length"), Field("udp.checksum", "udp", "checksum"),
    Field("icmp.type", "icmp", "type"), Field("icmp.code", "icmp", "code"), Field("icmp.mtu", "icmp", "mtu"),
    Field("icmpv6.type", "icmp6", "type"), Field("icmpv6.code", "icmp6", "code"),
    Field("icmpv6.echo.identifier", "icmp6", "id"), Field("icmpv6.echo.sequence_number", "icmp6", "sequence"),
    Field("igmp.type", "igmp", "type"), Field("sctp.srcport", "sctp", "source"), Field("esp.spi", "esp", "spi"),
    Field("esp.sequence", "esp", "sequence"), Field("ah.spi", "ah", "spi"), Field("ah.sequence", "ah", "sequence"),
    Field("gre.proto", "gre", "type"), Field("gre.key", "gre", "key"), Field("gre.sequence_number", "gre", "sequence"),
  ]

  /// tshark's PI_ERROR.
  private static let error = "8388608"

  /// What tshark says of each record: the values of each field.
  private func judge(_ records: [Record], linkType: Int32) throws -> [[[String]]] {
    try withFile(savefile(records, linkType: linkType)) { path in
      var command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"]
      for preference in ["ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams", "tcp.try_heuristic_first"] {
        command += ["-o", preference + ":FALSE"]
      }
      // Last, the severities of what tshark finds wrong.
      for field in Self.fields.map(\.name) + ["_ws.expert.severity"] { command += ["-e", field] }
      let output = try Child(command, environment: ["TZ": "UTC", "LC_ALL": "C"]).finish(timeout: 120)
      try #require(output.status == .exited(0), "\(output.err)")
      return output.out.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { line in
        line.split(separator: "\t", omittingEmptySubsequences: false).map { cell in
          cell.split(separator: ",").map { Self.decimal(String($0)) }
        }
      }
    }
  }

  /// Numbers in decimal.
  private static func decimal(_ text: String) -> String {
    if text.hasPrefix("0x"), let number = Int(text.dropFirst(2), radix: 16) { return "\(number)" }
    return text == "True" ? "1" : text == "False" ? "0" : text
  }

  /// tshark takes no first fragment apart that has extension headers behind its own, shows no length of 0, and has other
  /// fields for DVMRP and PIM version 1, which are types 19 and 20 of IGMP.
  private func isComparable(_ object: Object) -> Bool {
    object.levels.allSatisfy { level in
      let isFragment = level["ip"]?.number("version") == 6 && level["ip"]?.has("fragment") ?? false
      return !level.has("truncated") && !level.has("malformed") && !isFragment && !level.hasUnknownTag
        && level["ip"]?.number("length") != 0 && ![19, 20].contains(level["igmp"]?.number("type"))
    }
  }

  /// - Parameter wanted: fields that must have been compared often.
  private func compare(_ records: [Record], linkType: Int32, wanted: [String]) throws {
    let ours = try json(records, plain(linkType)).map { try Object($0) }
    let theirs = try judge(records, linkType: linkType)
    try #require(ours.count == theirs.count)
    var packets = 0
    var compared: [String: Int] = [:]
    var shown = 0
    for index in records.indices {
      if theirs[index].last?.contains(Self.error) ?? true || !isComparable(ours[index]) { continue }
      packets += 1
      for (place, field) in Self.fields.enumerated() {
        let values = field.values(ours[index])
        compared[field.name, default: 0] += values.count
        if values == Array(theirs[index][place].prefix(values.count)) { continue }
        shown += 1
        if shown > 12 { return }
        let hex = records[index].frame.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        Issue.record("\(field.name): ours \(values), tshark's \(theirs[index][place]) of \(hex)")
      }
    }
    #expect(packets > records.count / 3)
    for field in wanted { #expect(compared[field, default: 0] >= records.count / 50, "\(field)") }
  }

  @Test("the fields of generated frames are tshark's", arguments: [Int32(1), 101, 0, 113, 276])
  func frames(_ linkType: Int32) throws {
    var builder = FrameBuilder(seed: 11)
    let records = (0..<effort(1500)).map { _ in Record(builder.frame(linkType)) }
    var wanted = ["ip.src", "ip.ttl", "ipv6.dst", "ipv6.hlim", "ipv6.flow", "udp.srcport", "udp.length", "icmp.type"]
    if linkType == 1 { wanted += ["eth.src", "eth.type", "vlan.id", "vlan.priority", "arp.opcode", "llc.dsap"] }
    if linkType == 113 || linkType == 276 { wanted += ["sll.pkttype", "sll.hatype", "arp.opcode", "llc.dsap"] }
    if linkType == 276 { wanted.append("sll.ifindex") }
    try compare(records, linkType: linkType, wanted: wanted)
  }

  @Test("the fields of TCP, IPsec, SCTP, IGMP and of packets in tunnels are tshark's")
  func transports() throws {
    var builder = FrameBuilder(seed: 12)
    let records = (0..<effort(2500)).map { _ in Record(builder.transport(depth: 0)) }
    try compare(
      records, linkType: 101,
      wanted: [
        "tcp.srcport", "tcp.seq_raw", "tcp.hdr_len", "tcp.options.mss_val", "tcp.options.wscale.shift",
        "tcp.options.timestamp.tsval", "tcp.options.timestamp.tsecr", "gre.proto", "gre.key", "gre.sequence_number",
        "ah.spi", "ah.sequence", "esp.spi", "esp.sequence", "sctp.srcport", "igmp.type", "eth.src",
        "icmpv6.echo.identifier",
      ])
  }
}

extension FrameBuilder {
  /// IPv4 or IPv6 with sound lengths, and one of the transports that ``frame(_:)`` does not make in it.
  fileprivate mutating func transport(depth: Int) -> [UInt8] {
    let isVersion6 = below(2) == 0
    var (number, payload) = carried(isVersion6, depth: depth)
    if below(6) == 0 {
      payload = [number, 4, 0, 0] + some(20) + payload
      number = 51
    }
    let source = isVersion6 ? ipv6Address() : ipv4Address()
    let destination = isVersion6 ? ipv6Address() : ipv4Address()
    if isVersion6 { return [0x60, 1, 2, 3] + be16(payload.count) + [number, 9] + source + destination + payload }
    return [0x45, byte()] + be16(20 + payload.count) + some(2) + [0x40, 0, 64, number] + some(2) + source + destination
      + payload
  }

  private mutating func carried(_ isVersion6: Bool, depth: Int) -> (UInt8, [UInt8]) {
    switch below(depth < 3 ? 10 : 6) {
    case 0, 1: return (6, soundTCP())
    case 2: return (50, some(40))
    case 3: return (132, port() + port() + some(8))
    case 4: return isVersion6 ? (58, [oneOf([128, 129]), 0] + some(6)) : (2, [0x16, 0, 0x09, 0xfa, 224, 0, 0, 5])
    case 5: return (17, port() + port() + be16(12) + some(6))
    case 6:
      let inner = transport(depth: depth + 1)
      return (inner[0] >> 4 == 6 ? 41 : 4, inner)
    default: return (47, gre(depth: depth))
    }
  }

  private mutating func gre(depth: Int) -> [UInt8] {
    let flags = oneOf([0, 0x80, 0x20, 0x10, 0x30, 0xb0, 0xa0]) as UInt8
    let words = some(4 * (flags & 0xf0).nonzeroBitCount)
    let inner = transport(depth: depth + 1)
    let type = inner[0] >> 4 == 6 ? be16(0x86dd) : be16(0x800)
    if below(3) != 0 { return [flags, 0] + type + words + inner }
    return [flags, 0] + be16(0x6558) + words + [2] + some(5) + [2] + some(5) + type + inner
  }

  private mutating func soundTCP() -> [UInt8] {
    var options: [UInt8] = []
    if below(2) == 0 { options += [2, 4] + some(2) }
    if below(2) == 0 { options += [4, 2] }
    if below(2) == 0 { options += [3, 3, UInt8(below(14))] }
    if below(2) == 0 { options += [1, 1, 8, 10] + some(8) }
    if below(4) == 0 { options += [5, 10] + some(8) }
    while options.count % 4 != 0 { options.append(1) }
    let words = UInt8(5 + options.count / 4)
    return port() + port() + some(8) + [words << 4, byte()] + some(6) + options + some(below(9))
  }
}

extension Object {
  /// The tags of this level, with the type that announced each.
  private var announcedTags: [(type: Int, tag: [String: Any])] {
    let tags = fields["vlan"] as? [[String: Any]] ?? []
    let types = tags.map { ($0["type"] as? NSNumber)?.intValue ?? 0 }
    return Array(zip([(self["ethernet"] ?? self["cooked"])?.number("type") ?? 0] + types, tags))
  }

  /// - Parameter service: the tags of type 0x88a8, or all others.
  fileprivate func tags(_ key: String, service: Bool) -> [String] {
    levels.flatMap(\.announcedTags).filter { ($0.type == 0x88a8) == service }
      .map { "\(($0.tag[key] as? NSNumber)?.intValue ?? -1)" }
  }

  /// Tags that tshark shows in other ways, or not at all.
  fileprivate var hasUnknownTag: Bool {
    let tags = announcedTags
    let isLone = tags.count == 1 && !has("llc")
    return tags.contains { $0.type == 0x9200 || ($0.type == 0x88a8 && !isLone) }
  }
}
