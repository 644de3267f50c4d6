// Addresses, ports, numbers and protocols of setkey(8).
import SwBPFPackets

/// `-4`, `-6`, `-n` behind the first word of a statement. Names are never looked up, so n changes nothing.
struct AddressFlags {
  var family: IPAddress.Family?
}

extension SetkeyParser {
  mutating func addressFlags() throws(SetkeyRemark) -> AddressFlags {
    var flags = AddressFlags()
    while case let token = try peek(), token.kind == .word, token.text.first == "-", token.text.utf8.count > 1 {
      for letter in token.text.dropFirst() {
        switch letter {
        case "4": flags.family = .v4
        case "6": flags.family = .v6
        case "n": break
        default: throw SetkeyRemark("unknown option \(token.shown) (here are -4, -6 and -n)", at: token.position)
        }
      }
      try take()
    }
    return flags
  }

  mutating func address(_ what: String, _ flags: AddressFlags) throws(SetkeyRemark) -> IPAddress {
    let token = try word(what)
    return try address(token.text, token, flags)
  }

  func address(_ text: String, _ token: SetkeyToken, _ flags: AddressFlags) throws(SetkeyRemark) -> IPAddress {
    guard let address = IPAddress(text) else {
      let way =
        text.contains("%") ? "give the scope as a number, as in fe80::1%2" : "give a number, names are not looked up"
      throw SetkeyRemark("\(token.shown) is no address (\(way))", at: token.position)
    }
    if let family = flags.family, family != address.family {
      throw SetkeyRemark("\(token.shown) is not an IPv\(family == .v4 ? 4 : 6) address", at: token.position)
    }
    return address
  }

  /// `[PORT]`, `[any]` or nothing, which are 0, too.
  mutating func port() throws(SetkeyRemark) -> UInt16 {
    guard try takes(.open) else { return 0 }
    let token = try word("a port")
    var port: UInt16 = 0
    if token.text != "any" {
      guard let number = Self.decimal(token.text), let value = UInt16(exactly: number) else {
        throw SetkeyRemark("\(token.shown) is no port (0 to 65535, or any)", at: token.position)
      }
      port = value
    }
    try expect(.close, "']'")
    return port
  }

  /// Two addresses of one family.
  mutating func pair(_ flags: AddressFlags) throws(SetkeyRemark) -> (IPAddress, IPAddress) {
    let source = try address("the source address", flags)
    let second = try peek()
    let destination = try address("the destination address", flags)
    try checkFamilies(source, destination, at: second.position)
    return (source, destination)
  }

  func checkFamilies(_ one: IPAddress, _ other: IPAddress, at position: SetkeyPosition) throws(SetkeyRemark) {
    if one.family != other.family {
      throw SetkeyRemark("source and destination must both be IPv4 or both IPv6", at: position)
    }
  }

  /// `SRC [PORT] DST [PORT] PROTO SPI`
  mutating func associationName() throws(SetkeyRemark) -> AssociationName {
    let flags = try addressFlags()
    let source = try address("the source address", flags)
    let sourcePosition = try peek().position
    let sourcePort = try peek().kind == .open ? port() : nil
    let second = try peek()
    let destination = try address("the destination address", flags)
    try checkFamilies(source, destination, at: second.position)
    let destinationPosition = try peek().position
    let destinationPort = try peek().kind == .open ? port() : nil
    let proto = try proto()
    if proto != .espUDP, sourcePort != nil || destinationPort != nil {
      throw SetkeyRemark(
        "ports are for esp-udp only", at: sourcePort == nil ? destinationPosition : sourcePosition)
    }
    func effective(_ given: UInt16?) -> UInt16 { proto != .espUDP ? 0 : given == nil || given == 0 ? 4500 : given! }
    return AssociationName(
      proto, spi: try spi(), from: Endpoint(source, port: effective(sourcePort)),
      to: Endpoint(destination, port: effective(destinationPort)))
  }

  mutating func proto() throws(SetkeyRemark) -> SetkeyProtocol {
    let token = try word("a protocol")
    guard let proto = SetkeyProtocol(rawValue: token.text) else {
      let names = SetkeyProtocol.allCases.map(\.rawValue)
      switch token.text {
      case "esp-old", "ah-old", "tcp":
        throw SetkeyRemark("\(token.text) is not supported (\(names.joined(separator: ", ")) are)", at: token.position)
      default:
        let way = Similar.nearest(to: token.text, among: names) ?? names.joined(separator: ", ")
        throw SetkeyRemark("unknown protocol \(token.shown) (try \(way))", at: token.position)
      }
    }
    return proto
  }

  /// Any number of 32 bits: those that nobody may use are the engine's matter.
  private mutating func spi() throws(SetkeyRemark) -> UInt32 {
    let token = try word("the SPI")
    guard let number = Self.number(token.text), let spi = UInt32(exactly: number) else {
      let way = "a decimal number, or 0x and digits, up to 0xffffffff"
      throw SetkeyRemark("\(token.shown) is no SPI (\(way))", at: token.position)
    }
    return spi
  }

  /// The decimal number behind an option.
  mutating func decimal(_ option: String, upTo limit: UInt64) throws(SetkeyRemark) -> UInt64 {
    let token = try word("the number of \(option)")
    guard let number = Self.decimal(token.text), number <= limit else {
      let range = limit == .max ? "a decimal number" : "0 to \(limit)"
      throw SetkeyRemark("\(option) takes \(range), not \(token.shown)", at: token.position)
    }
    return number
  }

  static func decimal(_ text: String) -> UInt64? {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return UInt64(text)
  }

  static func number(_ text: String) -> UInt64? {
    guard text.hasPrefix("0x") || text.hasPrefix("0X") else { return decimal(text) }
    let digits = text.dropFirst(2)
    // UInt64's initializer takes a sign.
    return digits.utf8.first == UInt8(ascii: "+") ? nil : UInt64(digits, radix: 16)
  }
}
