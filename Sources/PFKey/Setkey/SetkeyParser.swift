// The parser of setkey(8) files: statements, and every mistake with its place. It reads no files and looks up no names.

/// Reads a text once, from front to back. Memory is a small multiple of the text; nothing nests.
package struct SetkeyParser {
  /// More errors than these are not collected.
  static let mostErrors = 100
  /// Requests of one policy.
  static let mostRequests = 16

  private var lexer: SetkeyLexer
  /// Looked at, not yet taken.
  private var lookahead: SetkeyToken?
  /// Behind the token that was taken last: where a semicolon is missing.
  private var after = SetkeyPosition(line: 1, column: 1)
  private var file = SetkeyFile()
  var checks: SetkeyChecks

  private init(_ bytes: [UInt8], _ rules: SetkeyRules) {
    lexer = SetkeyLexer(bytes)
    checks = SetkeyChecks(rules)
  }

  /// Reads all of a text. It goes on behind a wrong statement, so that all errors are found at once.
  package static func parse(_ bytes: [UInt8], rules: SetkeyRules = SetkeyRules()) -> SetkeyFile {
    var parser = SetkeyParser(bytes, rules)
    parser.run()
    return parser.file
  }

  package static func parse(_ text: String, rules: SetkeyRules = SetkeyRules()) -> SetkeyFile {
    parse(Array(text.utf8), rules: rules)
  }

  private mutating func run() {
    var errors = 0
    while true {
      checks.remarks = []
      do {
        let first = try peek()
        if first.kind == .end { return }
        let action = try self.action()
        let statement = SetkeyStatement(action, at: first.position)
        try checks.keys(of: statement)
        file.statements.append(statement)
        file.remarks += checks.remarks
      } catch {
        file.remarks += checks.remarks + [error]
        errors += 1
        if errors == Self.mostErrors {
          file.remarks.append(SetkeyRemark("too many errors, the rest is not read", at: error.position))
          return
        }
        skipStatement()
      }
    }
  }

  /// Goes behind the next semicolon, or before a line that begins as a statement does.
  private mutating func skipStatement() {
    let line = after.line
    while true {
      // What the lexer complains about is part of what is skipped.
      guard let token = try? peek() else { continue }
      if token.kind == .end { return }
      if SetkeyKeyword(rawValue: token.text) != nil, token.position.line > line { return }
      _ = try? take()
      if token.kind == .semicolon { return }
    }
  }

  // MARK: Tokens

  mutating func peek() throws(SetkeyRemark) -> SetkeyToken {
    if let lookahead { return lookahead }
    let token = try lexer.next()
    lookahead = token
    return token
  }

  @discardableResult
  mutating func take() throws(SetkeyRemark) -> SetkeyToken {
    let token = try peek()
    lookahead = nil
    after = token.after
    return token
  }

  /// A word. - Parameter what: how an error names what is missing.
  mutating func word(_ what: String) throws(SetkeyRemark) -> SetkeyToken {
    let token = try peek()
    guard token.kind == .word else { throw missing(what, before: token) }
    return try take()
  }

  mutating func takes(_ kind: SetkeyToken.Kind) throws(SetkeyRemark) -> Bool {
    guard try peek().kind == kind else { return false }
    try take()
    return true
  }

  mutating func expect(_ kind: SetkeyToken.Kind, _ what: String) throws(SetkeyRemark) {
    let token = try peek()
    guard token.kind == kind else { throw missing(what, before: token) }
    try take()
  }

  /// The semicolon.
  mutating func end() throws(SetkeyRemark) {
    let token = try peek()
    if token.kind == .semicolon {
      try take()
      return
    }
    if token.kind == .end || SetkeyKeyword(rawValue: token.text) != nil {
      throw SetkeyRemark("';' is missing before \(token.shown)", at: after)
    }
    throw SetkeyRemark("unexpected \(token.shown) (a statement ends with ';')", at: token.position)
  }

  /// A missing piece: where it should stand if the statement stops there, else where something else stands.
  func missing(_ what: String, before token: SetkeyToken) -> SetkeyRemark {
    let isAtEnd = token.kind == .end || token.kind == .semicolon || token.position.line > after.line
    return SetkeyRemark("\(what) is missing before \(token.shown)", at: isAtEnd ? after : token.position)
  }

  // MARK: Statements

  private mutating func action() throws(SetkeyRemark) -> SetkeyStatement.Action {
    let first = try peek()
    guard first.kind == .word, let keyword = SetkeyKeyword(rawValue: first.text) else {
      // Taken here, so that the next statement is looked for behind it.
      try take()
      if first.kind == .semicolon { throw SetkeyRemark("nothing stands before ';'", at: first.position) }
      let way = SetkeyKeyword.nearest(to: first.text).map { " (try \($0))" } ?? ""
      throw SetkeyRemark("unknown statement \(first.shown)\(way)", at: first.position)
    }
    try take()
    let action: SetkeyStatement.Action =
      switch keyword {
      case .add: .add(try association(first))
      case .get: .get(try associationName())
      case .delete: .delete(try associationName())
      case .deleteall: try deleteAll()
      case .flush: .flush(try optionalProtocol())
      case .dump: .dump(try optionalProtocol())
      case .spdadd: .policyAdd(try policy())
      case .spdupdate: .policyUpdate(try policy())
      case .spddelete: .policyDelete(try deletedSelector())
      case .spdflush: .policyFlush
      case .spddump: .policyDump
      }
    try end()
    return action
  }

  private mutating func deleteAll() throws(SetkeyRemark) -> SetkeyStatement.Action {
    let flags = try addressFlags()
    let (source, destination) = try pair(flags)
    return .deleteAll(try proto(), from: source, to: destination)
  }

  private mutating func optionalProtocol() throws(SetkeyRemark) -> SetkeyProtocol? {
    let token = try peek()
    return token.kind == .word && SetkeyKeyword(rawValue: token.text) == nil ? try proto() : nil
  }

  mutating func warn(_ text: String, at position: SetkeyPosition) {
    checks.remarks.append(SetkeyRemark(text, at: position, severity: .warning))
  }
}

/// The first word of a statement.
enum SetkeyKeyword: String, CaseIterable {
  case add, get, delete, deleteall, flush, dump, spdadd, spdupdate, spddelete, spdflush, spddump

  static func nearest(to word: String) -> String? { Similar.nearest(to: word, among: allCases.map(\.rawValue)) }
}
