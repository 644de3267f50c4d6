// Takes the words of one ifconfig(8) call from left to right.
import SwBPFPackets

struct IfconfigParser {
  private(set) var family: IPAddress.Family?
  private var changes: [IfconfigLine.Step] = []
  private var addresses: [IfconfigAddress] = []

  private var words: ArraySlice<String>
  private let name: String
  private let links: LinkNames

  init(words: ArraySlice<String>, name: String, links: LinkNames) {
    self.words = words
    self.name = name
    self.links = links
  }

  var steps: [IfconfigLine.Step] { changes + addresses.compactMap(\.operation).map { .change($0) } }

  mutating func parse() throws(IfconfigError) {
    switch words.first {
    case "create":
      words = words.dropFirst()
      changes.append(.create)
    case "destroy":
      words = words.dropFirst()
      changes.append(.destroy)
      if let word = words.first { throw usage("\(quoted(word)) after destroy") }
    default: break
    }
    while let word = words.popFirst() { try take(word) }
    for index in addresses.indices { try addresses[index].finish() }
  }

  private mutating func take(_ word: String) throws(IfconfigError) {
    if let family = Self.families[word] {
      self.family = family
      if addresses.last?.isEmpty != true { addresses.append(IfconfigAddress()) }
      addresses[addresses.count - 1].family = family
      return
    }
    switch word {
    case "create", "destroy": throw usage("\(word) comes first, after the interface")
    case "up": change(.up)
    case "down": change(.down)
    case "mtu": change(.mtu(UInt32(try number(word, 0...Int64(Int32.max)))))
    case "link0", "link1", "link2": change(.link(UInt8(ascii: word.utf8.last), true))
    case "-link0", "-link1", "-link2": change(.link(UInt8(ascii: word.utf8.last), false))
    case "unnumbered": change(.unnumbered(true))
    case "-unnumbered": change(.unnumbered(false))
    case "tunnel": change(.tunnel(try ends()))
    case "deletetunnel": change(.deleteTunnel)
    case "session":
      let ids = 0...Int64(UInt32.max)
      let local = UInt32(try number("the local id of session", ids))
      change(.session(L2TPSession(local: local, remote: UInt32(try number("the remote id of session", ids)))))
    case "deletesession": change(.deleteSession)
    case "cookie": change(.cookie(try cookies()))
    case "deletecookie": change(.deleteCookie)
    case "netmask", "prefixlen", "alias", "-alias", "delete": try modify(word)
    default: try takeAddress(word)
    }
  }

  private mutating func change(_ operation: InterfaceOperation) { changes.append(.change(operation)) }

  /// A word that changes the address before or after it.
  private mutating func modify(_ word: String) throws(IfconfigError) {
    if addresses.isEmpty { addresses.append(IfconfigAddress()) }
    let last = addresses.count - 1
    switch word {
    case "netmask": try addresses[last].setMask(try next("netmask needs a mask"))
    case "prefixlen": try addresses[last].setPrefix(UInt8(try number(word, 0...128)))
    case "alias": addresses[last].isAlias = true
    default: addresses[last].isAlias = false
    }
  }

  private mutating func takeAddress(_ word: String) throws(IfconfigError) {
    if addresses.isEmpty { addresses.append(IfconfigAddress()) }
    guard try addresses[addresses.count - 1].take(word, links) else {
      throw usage("\(quoted(word)) is neither a keyword nor a numeric address")
    }
  }

  /// `SRC[,PORT] DST[,PORT]`
  private mutating func ends() throws(IfconfigError) -> TunnelEnds {
    let source = try endpoint(try next("tunnel needs two addresses"))
    let destination = try endpoint(try next("tunnel needs two addresses"))
    guard let ends = TunnelEnds(source: source, destination: destination) else {
      throw IfconfigError("source and destination address families do not match")
    }
    if source.address.isIPv6 {
      guard source.address.scope == destination.address.scope else { throw IfconfigError("scope mismatch") }
      guard !source.address.isMulticast, !destination.address.isMulticast else {
        throw IfconfigError("tunnel src/dst is multicast")
      }
    }
    return ends
  }

  private func endpoint(_ word: String) throws(IfconfigError) -> Endpoint {
    let parts = word.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = links.address(String(first)) else {
      throw usage("\(quoted(word)) is no numeric address")
    }
    guard parts.count == 2 else { return Endpoint(address) }
    guard let port = Self.decimal(parts[1]), (0...65535).contains(port) else {
      throw usage("\(quoted(word)): a port is a number from 0 to 65535")
    }
    return Endpoint(address, port: UInt16(port))
  }

  /// `LLEN LCOOKIE RLEN RCOOKIE`
  private mutating func cookies() throws(IfconfigError) -> L2TPCookies {
    let lengths = 0...Int64(UInt16.max)
    let values = Int64.min...Int64.max
    let localLength = UInt16(try number("the local length of cookie", lengths))
    let local = UInt64(bitPattern: try number("the local value of cookie", values))
    let remoteLength = UInt16(try number("the remote length of cookie", lengths))
    let remote = UInt64(bitPattern: try number("the remote value of cookie", values))
    return L2TPCookies(localLength: localLength, local: local, remoteLength: remoteLength, remote: remote)
  }

  private mutating func next(_ need: String) throws(IfconfigError) -> String {
    guard let word = words.popFirst() else { throw usage(need) }
    return word
  }

  /// The next word as a decimal number.
  private mutating func number(_ what: String, _ range: ClosedRange<Int64>) throws(IfconfigError) -> Int64 {
    let need = "\(what) needs a number from \(range.lowerBound) to \(range.upperBound)"
    let word = try next(need)
    guard let number = Self.decimal(word[...]), range.contains(number) else {
      throw usage("\(need), not \(quoted(word))")
    }
    return number
  }

  private func usage(_ text: String) -> IfconfigError { IfconfigError(text, isUsage: true) }
  private func quoted(_ word: String) -> String { IfconfigError.quoted(word) }

  static let families: [String: IPAddress.Family] = ["inet": .v4, "inet6": .v6]

  /// Decimal digits, with a minus where the number is below 0.
  static func decimal(_ text: Substring) -> Int64? {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text
    guard !digits.isEmpty, digits.utf8.allSatisfy({ 48...57 ~= $0 }) else { return nil }
    return Int64(text)
  }

  /// Every keyword; addresses are the only other words.
  static let keywords = [
    "create", "destroy", "inet", "inet6", "up", "down", "mtu", "link0", "link1", "link2", "-link0", "-link1", "-link2",
    "unnumbered", "-unnumbered", "netmask", "prefixlen", "alias", "-alias", "delete", "tunnel", "deletetunnel",
    "session", "deletesession", "cookie", "deletecookie",
  ]
}

extension IfconfigLine {
  /// Every keyword, for completions and manuals.
  package static let keywords = IfconfigParser.keywords

  /// The family that `inet` or `inet6` names.
  package static func family(_ word: String) -> IPAddress.Family? { IfconfigParser.families[word] }
}

extension UInt8 {
  /// The number of a decimal digit. - Precondition: it is one.
  fileprivate init(ascii digit: UInt8?) { self = (digit ?? 48) - 48 }
}
