// The command line of sysctl(8).
import SwBPFInterfaces

/// One letter, for the parser, the help text and the completion.
struct SysctlOption: Sendable {
  let letter: Character
  let about: String

  static let all: [SysctlOption] = [
    SysctlOption(letter: "a", about: "all settings; so without any word"),
    SysctlOption(letter: "n", about: "only values, without names"),
    SysctlOption(letter: "d", about: "what a setting is, and what it may be"),
    SysctlOption(letter: "q", about: "nothing about what was set"),
    SysctlOption(letter: "w", about: "set: each word is NAME=VALUE; needless"),
    SysctlOption(letter: "h", about: "this text"),
  ]
}

/// A command line of sysctl, understood.
struct SysctlOptions: Equatable, Sendable {
  enum Item: Equatable, Sendable {
    /// A setting or a node; empty for all.
    case show(String)
    case set(String, to: String)
  }

  var items: [Item] = []
  var isHelp = false
  var onlyValues = false
  var describes = false
  var isQuiet = false
  /// nil: the daemon of this network namespace.
  var socket: String?

  /// - Parameter words: what follows `sysctl`.
  init(_ words: [String]) throws(UsageError) {
    var rest = words[...]
    var letters: Set<Character> = []
    var operands: [String] = []
    while let word = rest.popFirst() {
      switch word {
      case "--":
        operands += rest
        rest = []
      case "--help": letters.insert("h")
      case "--socket":
        guard let path = rest.popFirst() else { throw UsageError("sysctl: --socket needs a path") }
        socket = path
      case _ where word.hasPrefix("--socket="): socket = String(word.dropFirst(9))
      case _ where word.hasPrefix("-") && word != "-":
        for letter in word.dropFirst() {
          guard SysctlOption.all.contains(where: { $0.letter == letter }) else {
            throw UsageError("sysctl: unknown option \(IfconfigError.quoted(word))")
          }
          letters.insert(letter)
        }
      default: operands.append(word)
      }
    }
    isHelp = letters.contains("h")
    if isHelp { return }
    onlyValues = letters.contains("n")
    describes = letters.contains("d")
    isQuiet = letters.contains("q")
    try take(operands, letters)
  }

  private mutating func take(_ operands: [String], _ letters: Set<Character>) throws(UsageError) {
    if describes && letters.contains("w") { throw UsageError("sysctl: -d and -w do not go together") }
    if letters.contains("a") {
      if !operands.isEmpty || letters.contains("w") { throw UsageError("sysctl: -a takes no name") }
      items = [.show("")]
      return
    }
    if letters.contains("w") && operands.isEmpty { throw UsageError("sysctl: -w needs NAME=VALUE") }
    for word in operands {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard Setting.isName(parts[0]) else {
        throw UsageError("sysctl: \(IfconfigError.quoted(parts[0])) is no name of a setting")
      }
      if parts.count == 2 {
        if describes { throw UsageError("sysctl: -d sets nothing") }
        items.append(.set(parts[0], to: parts[1]))
      } else if letters.contains("w") {
        throw UsageError("sysctl: -w needs \(parts[0])=VALUE")
      } else {
        items.append(.show(parts[0]))
      }
    }
    if items.isEmpty { items = [.show("")] }
  }
}
