// The statement `add`.
import SwBPFPackets

extension SetkeyParser {
  /// Everything behind the word `add`.
  mutating func association(_ first: SetkeyToken) throws(SetkeyRemark) -> SecurityAssociation {
    let name = try associationName()
    var sa = SecurityAssociation(
      name.proto.security, spi: name.spi, from: name.source.address, to: name.destination.address)
    sa.flags = .cyclicSequence
    if name.proto == .espUDP {
      sa.natTraversal = NATTraversal(sourcePort: name.source.port, destinationPort: name.destination.port)
    }
    var given = GivenOptions()
    while case let token = try peek(), token.kind == .word, token.text.first == "-" {
      try take()
      try given.note(token)
      try option(token, &given, &sa)
    }
    try given.finish(&sa, first)
    return sa
  }

  private mutating func option(
    _ token: SetkeyToken, _ given: inout GivenOptions, _ sa: inout SecurityAssociation
  ) throws(SetkeyRemark) {
    switch token.text {
    case "-m":
      let mode = try word("the mode")
      guard let value = SAMode(name: mode.text) else {
        throw SetkeyRemark("unknown mode \(mode.shown) (transport, tunnel or any)", at: mode.position)
      }
      sa.mode = value
    case "-r": sa.replay = UInt8(try decimal("-r", upTo: 255))
    case "-u": sa.reqid = UInt16(try decimal("-u", upTo: 65535))
    case "-f": try flag(&given, &sa)
    case "-lh": given.hard.addTime = try decimal("-lh", upTo: .max)
    case "-ls": given.soft.addTime = try decimal("-ls", upTo: .max)
    case "-bh": given.hard.bytes = try decimal("-bh", upTo: .max)
    case "-bs": given.soft.bytes = try decimal("-bs", upTo: .max)
    case "-esp_frag":
      let size = UInt16(try decimal("-esp_frag", upTo: 65535))
      guard sa.natTraversal != nil else { throw SetkeyRemark("-esp_frag is for esp-udp only", at: token.position) }
      sa.natTraversal?.fragment = size
    case "-E": (sa.encryption, sa.encryptionKey) = try encryption()
    case "-A": (sa.authentication, sa.authenticationKey) = try authentication()
    case "-C":
      let name = try word("the algorithm of -C")
      guard let algorithm = CompressionAlgorithm(name: name.text) else {
        throw SetkeyRemark("unknown compression \(name.shown) (deflate, lzs or oui)", at: name.position)
      }
      sa.compression = algorithm
    default:
      let way = Similar.nearest(to: token.text, among: GivenOptions.all).map { "try \($0)" }
      let all = GivenOptions.all.joined(separator: " ")
      throw SetkeyRemark("unknown option \(token.shown) (\(way ?? "there are \(all)"))", at: token.position)
    }
  }

  private mutating func flag(_ given: inout GivenOptions, _ sa: inout SecurityAssociation) throws(SetkeyRemark) {
    let token = try word("the word of -f")
    switch token.text {
    case "nocyclic-seq": sa.flags.remove(.cyclicSequence)
    case "esn": sa.flags.insert(.extendedSequence)
    case "seq-pad", "random-pad", "zero-pad":
      if let other = given.padding, other != token.text {
        throw SetkeyRemark("\(token.shown) and '\(other)' exclude each other", at: token.position)
      }
      given.padding = token.text
      if token.text == "random-pad" { sa.flags.insert(.randomPadding) }
      if token.text == "zero-pad" { sa.flags.insert(.zeroPadding) }
    default:
      let words = ["zero-pad", "random-pad", "seq-pad", "nocyclic-seq", "esn"]
      let way = Similar.nearest(to: token.text, among: words) ?? words.joined(separator: ", ")
      throw SetkeyRemark("unknown word of -f: \(token.shown) (try \(way))", at: token.position)
    }
  }

  private mutating func encryption() throws(SetkeyRemark) -> (EncryptionAlgorithm, [UInt8]) {
    let token = try word("the algorithm of -E")
    guard let algorithm = EncryptionAlgorithm(name: token.text) else {
      let names = EncryptionAlgorithm.allCases.filter(\.isOffered).flatMap(\.names)
      throw unknownAlgorithm(token, names, refused: SetkeyChecks.unofferedEncryption)
    }
    guard algorithm.isOffered else { throw refused(token, "aes-gcm-16") }
    if algorithm == .null { return (algorithm, []) }
    let salted = algorithm.isCounterMode ? " (32 of them are the salt)" : ""
    return (algorithm, try key(of: token.text, bits: algorithm.keyBits, note: salted))
  }

  private mutating func authentication() throws(SetkeyRemark) -> (AuthenticationAlgorithm, [UInt8]) {
    let token = try word("the algorithm of -A")
    guard let algorithm = AuthenticationAlgorithm(name: token.text) else {
      let names = AuthenticationAlgorithm.allCases.filter(\.isOffered).flatMap(\.names)
      throw unknownAlgorithm(token, names, refused: SetkeyChecks.unofferedAuthentication)
    }
    guard algorithm.isOffered else { throw refused(token, "hmac-sha256") }
    if algorithm == .null { return (algorithm, []) }
    if algorithm == .hmacSHA1 { warn("hmac-sha1 is weak (try hmac-sha256)", at: token.position) }
    return (algorithm, try key(of: token.text, bits: algorithm.keyBits, note: ""))
  }

  private func unknownAlgorithm(_ token: SetkeyToken, _ names: [String], refused words: [String]) -> SetkeyRemark {
    if words.contains(token.text) { return refused(token, names.contains("aes-gcm-16") ? "aes-gcm-16" : "hmac-sha256") }
    let way = Similar.nearest(to: token.text, among: names) ?? names.joined(separator: ", ")
    return SetkeyRemark("unknown algorithm \(token.shown) (try \(way))", at: token.position)
  }

  private func refused(_ token: SetkeyToken, _ instead: String) -> SetkeyRemark {
    SetkeyRemark("\(token.text) is not offered: Invalid argument (try \(instead))", at: token.position)
  }

  /// `0xHEX` or `"text"`, of a length that the algorithm takes.
  private mutating func key(of name: String, bits: [Int], note: String) throws(SetkeyRemark) -> [UInt8] {
    let token = try peek()
    guard token.kind == .word || token.kind == .quoted else { throw missing("the key of \(name)", before: token) }
    // An option or a statement stands where the key should.
    if token.kind == .word, token.text.first == "-" || SetkeyKeyword(rawValue: token.text) != nil {
      throw missing("the key of \(name)", before: token)
    }
    try take()
    let key = token.kind == .quoted ? Array(token.text.utf8) : try Self.hexadecimal(token)
    guard bits.contains(key.count * 8) else {
      let lengths = bits.map(String.init)
      let list = lengths.count == 1 ? lengths[0] : lengths.dropLast().joined(separator: ", ") + " or " + lengths.last!
      throw SetkeyRemark("\(name) takes a key of \(list) bits\(note), not \(key.count * 8)", at: token.position)
    }
    return key
  }

  private static func hexadecimal(_ token: SetkeyToken) throws(SetkeyRemark) -> [UInt8] {
    guard token.text.hasPrefix("0x") || token.text.hasPrefix("0X") else {
      throw SetkeyRemark("a key is 0x and hexadecimal digits, or a text in quotes", at: token.position)
    }
    let digits = Array(token.text.utf8.dropFirst(2))
    var key: [UInt8] = []
    key.reserveCapacity(digits.count / 2)
    var high: UInt8?
    for (place, digit) in digits.enumerated() {
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else {
        let position = SetkeyPosition(line: token.position.line, column: token.position.column + 2 + place)
        throw SetkeyRemark("'\(Character(Unicode.Scalar(digit)))' is no hexadecimal digit", at: position)
      }
      if let first = high {
        key.append(first << 4 | UInt8(value))
        high = nil
      } else {
        high = UInt8(value)
      }
    }
    if high != nil || digits.isEmpty {
      throw SetkeyRemark(
        "a key has two hexadecimal digits for each byte, not \(digits.count) in all", at: token.position)
    }
    return key
  }
}

/// What an `add` has said so far.
struct GivenOptions {
  static let all = ["-m", "-r", "-u", "-f", "-lh", "-ls", "-bh", "-bs", "-esp_frag", "-E", "-A", "-C"]

  var hard = Lifetime()
  var soft = Lifetime()
  var padding: String?
  private var places: [String: SetkeyPosition] = [:]

  /// Each option once, but -f.
  mutating func note(_ token: SetkeyToken) throws(SetkeyRemark) {
    if token.text != "-f", let before = places[token.text] {
      throw SetkeyRemark("\(token.text) stands in line \(before.line) already", at: token.position)
    }
    if Self.all.contains(token.text) { places[token.text] = token.position }
  }

  /// What one option says of another.
  func finish(_ sa: inout SecurityAssociation, _ first: SetkeyToken) throws(SetkeyRemark) {
    func allow(_ option: String, _ protocols: SecurityProtocol...) throws(SetkeyRemark) {
      if let place = places[option], !protocols.contains(sa.proto) {
        let names = protocols.map(\.name).joined(separator: " and ")
        throw SetkeyRemark("\(option) is for \(names) only, not for \(sa.proto.name)", at: place)
      }
    }
    try allow("-E", .esp)
    try allow("-A", .esp, .ah)
    try allow("-C", .ipcomp)
    let needed = sa.proto == .esp ? "-E" : sa.proto == .ah ? "-A" : "-C"
    guard places[needed] != nil else {
      let keyed = sa.proto == .ipcomp ? "ALGORITHM" : "ALGORITHM KEY"
      throw SetkeyRemark("\(needed) is missing: \(sa.proto.name) takes \(needed) \(keyed)", at: first.position)
    }
    if sa.encryption.isAuthenticated, sa.authentication != .none {
      let name = sa.encryption.names[0]
      throw SetkeyRemark("-A is not for \(name), which protects integrity itself", at: places["-A"]!)
    }
    for (one, place) in [(hard, "-lh"), (hard, "-bh"), (soft, "-ls"), (soft, "-bs")] {
      let other = place.hasSuffix("h") ? soft : hard
      if !one.isUnlimited, other.isUnlimited, let position = places[place] {
        let (kind, way) = place.hasSuffix("h") ? ("hard", "-ls or -bs") : ("soft", "-lh or -bh")
        throw SetkeyRemark("\(place) is a \(kind) limit without its other (give \(way), too)", at: position)
      }
    }
    if !hard.isUnlimited {
      sa.hard = hard
      sa.soft = soft
    }
  }
}
