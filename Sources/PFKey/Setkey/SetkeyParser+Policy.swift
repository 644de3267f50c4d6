// The statements spdadd, spdupdate and spddelete.
import SwBPFPackets

extension SetkeyParser {
  /// Everything behind the word `spdadd`.
  mutating func policy() throws(SetkeyRemark) -> SecurityPolicy {
    let flags = try addressFlags()
    let (source, destination, upper) = try ranges(flags)
    let direction = try self.direction()
    let token = try word("discard, none or ipsec")
    guard let type = PolicyType(name: token.text), type != .entrust, type != .bypass else {
      switch token.text {
      case "entrust", "bypass":
        throw SetkeyRemark("\(token.text) is for sockets only: Invalid argument", at: token.position)
      case "prio", "priority":
        throw SetkeyRemark("policies have no priority: the first that matches is taken", at: token.position)
      default: throw SetkeyRemark("\(token.shown) is no policy (discard, none or ipsec)", at: token.position)
      }
    }
    let selector = Selector(direction, from: source, to: destination, upper: upper)
    return SecurityPolicy(selector, type, requests: type == .ipsec ? try requests() : [])
  }

  /// Everything behind the word `spddelete`. What setkey(8) takes behind the direction says nothing, and is only checked.
  mutating func deletedSelector() throws(SetkeyRemark) -> Selector {
    let flags = try addressFlags()
    let (source, destination, upper) = try ranges(flags)
    let direction = try self.direction()
    let rest = try peek()
    if rest.isWord("ipsec") {
      try take()
      _ = try requests()
    } else if rest.isWord("discard") || rest.isWord("none") {
      try take()
    }
    return Selector(direction, from: source, to: destination, upper: upper)
  }

  private mutating func direction() throws(SetkeyRemark) -> PolicyDirection {
    let option = try peek()
    guard option.isWord("-P") else { throw missing("-P in or -P out", before: option) }
    try take()
    let token = try word("in or out")
    guard let direction = PolicyDirection(name: token.text) else {
      throw SetkeyRemark("\(token.shown) is no direction (in or out)", at: token.position)
    }
    return direction
  }

  /// Both ranges and the upper protocol. Type and code of ICMP go into the ports.
  private mutating func ranges(
    _ flags: AddressFlags
  ) throws(SetkeyRemark) -> (AddressRange, AddressRange, UInt8) {
    var source = try range("the source", flags)
    let second = try peek()
    var destination = try range("the destination", flags)
    try checkFamilies(source.address, destination.address, at: second.position)
    let token = try word("the upper protocol")
    guard let upper = UpperNames.number(of: token.text) else {
      let way = Similar.nearest(to: token.text, among: UpperNames.all) ?? "any, tcp, udp, icmp6, ip4 or a number"
      throw SetkeyRemark("unknown protocol \(token.shown) (try \(way))", at: token.position)
    }
    if UpperNames.hasTypeAndCode(upper) {
      if source.port != 0 || destination.port != 0 {
        throw SetkeyRemark("\(token.text) has no ports (give its type and code: \(token.text) 8,0)", at: token.position)
      }
      (source.port, destination.port) = try typeAndCode()
    }
    return (source, destination, upper)
  }

  /// `ADDRESS[/LEN][PORT]`
  private mutating func range(_ what: String, _ flags: AddressFlags) throws(SetkeyRemark) -> AddressRange {
    let address = try address("\(what) address", flags)
    var prefix: UInt8?
    if try takes(.slash) {
      let token = try word("the prefix length")
      guard let length = Self.decimal(token.text), length <= address.family.bits else {
        throw SetkeyRemark("\(token.shown) is no prefix length (0 to \(address.family.bits))", at: token.position)
      }
      prefix = UInt8(length)
    }
    return AddressRange(address, prefix: prefix, port: try port())
  }

  /// `TYPE,CODE` or nothing.
  private mutating func typeAndCode() throws(SetkeyRemark) -> (UInt16, UInt16) {
    let token = try peek()
    guard token.kind == .word, !token.isWord("-P") else { return (0, 0) }
    let parts = token.text.split(separator: ",", omittingEmptySubsequences: false).map { Self.decimal(String($0)) }
    guard parts.count == 2, let type = parts[0], let code = parts[1], type < 256, code < 256 else {
      throw SetkeyRemark("\(token.shown) is not TYPE,CODE of ICMP", at: token.position)
    }
    try take()
    return (UInt16(type), UInt16(code))
  }

  /// One or more of `PROTO/MODE/[A-B]/LEVEL`.
  private mutating func requests() throws(SetkeyRemark) -> [PolicyRequest] {
    var list: [PolicyRequest] = []
    while case let token = try peek(), token.kind == .word, SetkeyKeyword(rawValue: token.text) == nil {
      guard list.count < Self.mostRequests else {
        throw SetkeyRemark("more than \(Self.mostRequests) rules in one policy", at: token.position)
      }
      list.append(try request())
    }
    if list.isEmpty { throw missing("PROTOCOL/MODE/[A-B]/LEVEL", before: try peek()) }
    return list
  }

  private mutating func request() throws(SetkeyRemark) -> PolicyRequest {
    let first = try take()
    guard let proto = SecurityProtocol(name: first.text) else {
      throw SetkeyRemark("\(first.shown) is no protocol of a policy (esp, ah or ipcomp)", at: first.position)
    }
    try expect(.slash, "'/'")
    let modeToken = try word("the mode")
    guard let mode = SAMode(name: modeToken.text), mode != .any else {
      throw SetkeyRemark("\(modeToken.shown) is no mode of a policy (transport or tunnel)", at: modeToken.position)
    }
    try expect(.slash, "'/'")
    let ends = try self.ends()
    if mode == .tunnel, ends == nil {
      throw SetkeyRemark("tunnel mode needs both ends: \(proto.name)/tunnel/A-B/LEVEL", at: first.position)
    }
    try expect(.slash, "'/'")
    let level = try word("the level")
    let parts = level.text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let value = PolicyLevel(name: parts[0]) else {
      throw SetkeyRemark("unknown level \(level.shown) (default, use, require or unique)", at: level.position)
    }
    var reqid: UInt16 = 0
    if parts.count == 2 {
      let greatest = RequestID.greatestManual
      guard value == .unique, let number = Self.decimal(parts[1]), (1...UInt64(greatest)).contains(number) else {
        throw SetkeyRemark("\(level.shown) is no level (unique:1 to unique:\(greatest))", at: level.position)
      }
      reqid = UInt16(number)
    }
    return PolicyRequest(proto, mode, value, reqid: reqid, ends: ends)
  }

  /// `A-B`, each with a port in brackets if one is meant, or nothing.
  private mutating func ends() throws(SetkeyRemark) -> PolicyRequest.Ends? {
    let first = try peek()
    var text = ""
    while case let token = try peek(), [.word, .open, .close].contains(token.kind) {
      text += token.text
      guard text.utf8.count <= 128 else { throw SetkeyRemark("these are no ends of a tunnel", at: first.position) }
      try take()
    }
    if text.isEmpty { return nil }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let source = Self.endpoint(parts[0]), let destination = Self.endpoint(parts[1]) else {
      throw SetkeyRemark("the ends of a tunnel are two numeric addresses, as in 10.0.0.1-10.0.0.2", at: first.position)
    }
    try checkFamilies(source.address, destination.address, at: first.position)
    return PolicyRequest.Ends(from: source, to: destination)
  }

  /// `ADDRESS` or `ADDRESS[PORT]`
  private static func endpoint(_ text: Substring) -> Endpoint? {
    guard let open = text.firstIndex(of: "[") else { return IPAddress(String(text)).map { Endpoint($0) } }
    let rest = text[open...].dropFirst()
    guard rest.last == "]", let address = IPAddress(String(text[..<open])) else { return nil }
    if rest.dropLast() == "any" { return Endpoint(address) }
    guard let port = decimal(String(rest.dropLast())).flatMap({ UInt16(exactly: $0) }) else { return nil }
    return Endpoint(address, port: port)
  }
}
