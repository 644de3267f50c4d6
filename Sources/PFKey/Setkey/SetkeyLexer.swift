// The words of a file of setkey(8).

/// A word, a key in quotes, or one of `; / [ ]`.
struct SetkeyToken: Equatable {
  enum Kind: Equatable {
    case word, quoted, semicolon, slash, open, close, end
  }

  let kind: Kind
  /// The word; what stands between the quotes; the one character.
  let text: String
  let position: SetkeyPosition
  /// The place behind its last character.
  let after: SetkeyPosition

  func isWord(_ text: String) -> Bool { kind == .word && self.text == text }

  /// How an error names it. Keys are not shown.
  var shown: String {
    switch kind {
    case .end: "the end of the file"
    case .quoted: "a text in quotes"
    case .word where text.hasPrefix("0x") || text.hasPrefix("0X"): "a hexadecimal number"
    case .word where mayBeKey: "a word of \(text.utf8.count) characters"
    default: "'\(text)'"
    }
  }

  /// Whether it may be a key without its 0x or its quotes: no name and no number of the language is like that.
  private var mayBeKey: Bool {
    let count = text.utf8.count
    return count > 40 || text.contains("0x") || (count > 20 && text.allSatisfy { $0.isLetter || $0.isNumber })
  }
}

/// Takes a text apart. One token at a time, so that a large file costs no more than its bytes.
struct SetkeyLexer {
  /// No word and no text in quotes may be longer, in bytes.
  static let longestWord = 1024

  private let bytes: [UInt8]
  private var offset = 0
  private var position = SetkeyPosition(line: 1, column: 1)

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next token; at the end of the text always ``SetkeyToken/Kind/end``.
  /// - Throws: at a byte that begins no token, at an open quote and at a word that is too long. What was wrong is skipped.
  mutating func next() throws(SetkeyRemark) -> SetkeyToken {
    skipBlanks()
    guard offset < bytes.count else {
      return SetkeyToken(kind: .end, text: "", position: position, after: position)
    }
    switch bytes[offset] {
    case UInt8(ascii: ";"): return single(.semicolon)
    case UInt8(ascii: "/"): return single(.slash)
    case UInt8(ascii: "["): return single(.open)
    case UInt8(ascii: "]"): return single(.close)
    case UInt8(ascii: "\""): return try quoted()
    case let byte where Self.isWordByte(byte): return try word()
    case let byte:
      let start = position
      // The other bytes of a character of UTF-8 go with its first.
      repeat { advance() } while offset < bytes.count && bytes[offset] & 0xc0 == 0x80
      throw SetkeyRemark("unexpected \(Self.name(of: byte))", at: start)
    }
  }

  /// Letters, digits and what addresses, names and options are made of.
  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "%"),
      UInt8(ascii: ","), UInt8(ascii: "+"):
      true
    default: false
    }
  }

  private static func name(of byte: UInt8) -> String {
    if (0x21...0x7e).contains(byte) { return "'\(Character(Unicode.Scalar(byte)))'" }
    let digits = String(byte, radix: 16)
    return byte < 0x80 ? "control character 0x\(byte < 16 ? "0" : "")\(digits)" : "character outside ASCII"
  }

  private mutating func advance() {
    if bytes[offset] == UInt8(ascii: "\n") {
      position.line += 1
      position.column = 1
    } else {
      position.column += 1
    }
    offset += 1
  }

  private mutating func skipBlanks() {
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): advance()
      case UInt8(ascii: "#"): while offset < bytes.count && bytes[offset] != UInt8(ascii: "\n") { advance() }
      default: return
      }
    }
  }

  private mutating func single(_ kind: SetkeyToken.Kind) -> SetkeyToken {
    let (start, text) = (position, String(decoding: bytes[offset...offset], as: UTF8.self))
    advance()
    return SetkeyToken(kind: kind, text: text, position: start, after: position)
  }

  private mutating func word() throws(SetkeyRemark) -> SetkeyToken {
    let (start, first) = (position, offset)
    while offset < bytes.count && Self.isWordByte(bytes[offset]) { advance() }
    try checkLength(offset - first, start)
    let text = String(decoding: bytes[first..<offset], as: UTF8.self)
    return SetkeyToken(kind: .word, text: text, position: start, after: position)
  }

  private mutating func quoted() throws(SetkeyRemark) -> SetkeyToken {
    let start = position
    advance()
    let first = offset
    while offset < bytes.count && bytes[offset] != UInt8(ascii: "\"") && bytes[offset] != UInt8(ascii: "\n") {
      advance()
    }
    let last = offset
    guard offset < bytes.count && bytes[offset] == UInt8(ascii: "\"") else {
      throw SetkeyRemark("the quote is not closed in its line (put \" behind the text)", at: start)
    }
    advance()
    try checkLength(last - first, start)
    let content = bytes[first..<last]
    guard content.allSatisfy({ (0x20...0x7e).contains($0) }) else {
      throw SetkeyRemark("a text in quotes may have printable ASCII only (give the key as 0x and digits)", at: start)
    }
    return SetkeyToken(
      kind: .quoted, text: String(decoding: content, as: UTF8.self), position: start, after: position)
  }

  private func checkLength(_ length: Int, _ start: SetkeyPosition) throws(SetkeyRemark) {
    guard length <= Self.longestWord else {
      throw SetkeyRemark("a word of \(length) bytes (\(Self.longestWord) at most)", at: start)
    }
  }
}
