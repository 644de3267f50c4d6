// Statements as setkey(8) text: one line each, which reads as the same statement again. It shows keys.
import SwBPFPackets

extension SetkeyStatement {
  /// Without a newline.
  package var text: String {
    switch action {
    case .add(let sa): SetkeyText.add(sa)
    case .get(let name): "get \(SetkeyText.name(name)) ;"
    case .delete(let name): "delete \(SetkeyText.name(name)) ;"
    case .deleteAll(let proto, from: let source, to: let destination):
      "deleteall \(source) \(destination) \(proto.rawValue) ;"
    case .flush(let proto): "flush\(proto.map { " " + $0.rawValue } ?? "") ;"
    case .dump(let proto): "dump\(proto.map { " " + $0.rawValue } ?? "") ;"
    case .policyAdd(let policy): "spdadd \(SetkeyText.policy(policy)) ;"
    case .policyUpdate(let policy): "spdupdate \(SetkeyText.policy(policy)) ;"
    case .policyDelete(let selector): "spddelete \(SetkeyText.selector(selector)) ;"
    case .policyFlush: "spdflush ;"
    case .policyDump: "spddump ;"
    }
  }
}

/// Pieces of statements and dumps.
enum SetkeyText {
  static func add(_ sa: SecurityAssociation) -> String {
    let ports = sa.natTraversal
    var words = [
      "add",
      endpoint(sa.source, port: ports?.sourcePort), endpoint(sa.destination, port: ports?.destinationPort),
      ports == nil ? sa.proto.name : SetkeyProtocol.espUDP.rawValue, "\(sa.spi)",
    ]
    if sa.mode != .any { words += ["-m", sa.mode.name] }
    if sa.replay != 0 { words += ["-r", "\(sa.replay)"] }
    if sa.reqid != 0 { words += ["-u", "\(sa.reqid)"] }
    if sa.flags.contains(.randomPadding) { words += ["-f", "random-pad"] }
    if sa.flags.contains(.zeroPadding) { words += ["-f", "zero-pad"] }
    if !sa.flags.contains(.cyclicSequence) { words += ["-f", "nocyclic-seq"] }
    if sa.flags.contains(.extendedSequence) { words += ["-f", "esn"] }
    let limits = [
      ("-lh", sa.hard?.addTime), ("-ls", sa.soft?.addTime), ("-bh", sa.hard?.bytes), ("-bs", sa.soft?.bytes),
    ]
    for (option, limit) in limits {
      if let limit, limit != 0 { words += [option, "\(limit)"] }
    }
    if let fragment = ports?.fragment, fragment != 0 { words += ["-esp_frag", "\(fragment)"] }
    if sa.encryption != .none { words += ["-E", sa.encryption.names[0]] + key(sa.encryptionKey) }
    if sa.authentication != .none { words += ["-A", sa.authentication.names[0]] + key(sa.authenticationKey) }
    if let compression = sa.compression { words += ["-C", compression.names[0]] }
    return words.joined(separator: " ") + " ;"
  }

  static func name(_ name: AssociationName) -> String {
    let isUDP = name.proto == .espUDP
    let source = endpoint(name.source.address, port: isUDP ? name.source.port : nil)
    let destination = endpoint(name.destination.address, port: isUDP ? name.destination.port : nil)
    return "\(source) \(destination) \(name.proto.rawValue) \(name.spi)"
  }

  static func policy(_ policy: SecurityPolicy) -> String {
    ([selector(policy.selector), policy.type.name] + policy.requests.map { request($0, ports: true, made: false) })
      .joined(separator: " ")
  }

  /// Up to the direction.
  static func selector(_ selector: Selector) -> String {
    let isICMP = UpperNames.hasTypeAndCode(selector.upper)
    func range(_ range: AddressRange) -> String {
      "\(range.address)/\(range.prefix)" + (isICMP || range.port == 0 ? "" : "[\(range.port)]")
    }
    var words = [range(selector.source), range(selector.destination), UpperNames.word(selector.upper)]
    if isICMP, selector.source.port != 0 || selector.destination.port != 0 {
      words.append("\(selector.source.port),\(selector.destination.port)")
    }
    return (words + ["-P", selector.direction.name]).joined(separator: " ")
  }

  /// `esp/transport//unique#16386`
  /// - Parameters:
  ///   - ports: whether the ends of a tunnel are shown with their ports.
  ///   - made: whether a number that the engine has given is shown; a file cannot have one.
  static func request(_ request: PolicyRequest, ports: Bool, made: Bool) -> String {
    func end(_ end: Endpoint) -> String { "\(end.address)" + (ports && end.port != 0 ? "[\(end.port)]" : "") }
    let ends = request.ends.map { "\(end($0.source))-\(end($0.destination))" } ?? ""
    let isShown = made || request.reqid <= RequestID.greatestManual
    let suffix = isShown ? RequestID.suffix(request.reqid) : ""
    return "\(request.proto.name)/\(request.mode.name)/\(ends)/\(request.level.name)\(suffix)"
  }

  private static func endpoint(_ address: IPAddress, port: UInt16?) -> String {
    "\(address)" + (port.map { " [\($0)]" } ?? "")
  }

  private static func key(_ key: [UInt8]) -> [String] { key.isEmpty ? [] : ["0x" + hexadecimal(key[...])] }

  static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// `0x%08x`
  static func hexadecimal(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }
}
