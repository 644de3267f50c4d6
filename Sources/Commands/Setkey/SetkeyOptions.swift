// The command line of setkey(8): letters in groups, as getopt(3) takes them.

/// One letter, for the parser, the help text and the completion.
struct SetkeyOption: Sendable {
  let letter: Character
  /// The name of its value; nil for a flag.
  let value: String?
  let about: String
  /// Whether it says what is to be done: one of these is given.
  let isTask: Bool

  init(_ letter: Character, value: String? = nil, isTask: Bool = false, _ about: String) {
    self.letter = letter
    self.value = value
    self.about = about
    self.isTask = isTask
  }

  static let all: [SetkeyOption] = [
    SetkeyOption("f", value: "FILE", isTask: true, "statements of a file (- standard input)"),
    SetkeyOption("c", isTask: true, "statements of standard input"),
    SetkeyOption("D", isTask: true, "list associations; with -P policies"),
    SetkeyOption("F", isTask: true, "remove all associations; with -P policies"),
    SetkeyOption("x", isTask: true, "show messages as they come"),
    SetkeyOption("n", "check the statements, change nothing"),
    SetkeyOption("v", "print the statements as they were understood"),
    SetkeyOption("P", "policies"),
    SetkeyOption("p", "with -DP: ports of tunnels"),
    SetkeyOption("a", "with -D: dead associations, too"),
    SetkeyOption("h", "this text"),
  ]
}

/// A command line of setkey, understood.
struct SetkeyOptions: Equatable, Sendable {
  enum Task: Equatable, Sendable {
    /// Statements of a file; nil is standard input.
    case statements(file: String?)
    case dump
    case flush
    case monitor
    case help
  }

  var task: Task
  var onlyChecks = false
  var isVerbose = false
  var policies = false
  var ports = false
  var showsDead = false
  /// As net.ipsec.noauth=1 has it: for checks without a daemon.
  var allowsNoIntegrity = false
  /// The daemon's socket; nil: that of this network namespace.
  var socket: String?

  /// - Parameter words: what follows `setkey`.
  init(_ words: [String]) throws(UsageError) {
    var given: [(letter: Character, task: Task)] = []
    task = .help
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--help" {
        given.append(("h", .help))
      } else if word == "--noauth" {
        allowsNoIntegrity = true
      } else if word == "--socket" {
        socket = rest.popFirst()
        if socket == nil { throw UsageError("setkey: option --socket needs a value") }
      } else if word.hasPrefix("--socket=") {
        socket = String(word.dropFirst(9))
      } else if word.first == "-", word.count > 1, !word.hasPrefix("--") {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
          guard let option = SetkeyOption.all.first(where: { $0.letter == letter }) else {
            throw UsageError("setkey: unknown option -\(Printable.text(String(letter)))")
          }
          var value: String?
          if option.value != nil {
            value = letters.isEmpty ? rest.popFirst() : String(letters)
            letters = ""
            if value == nil { throw UsageError("setkey: option -\(letter) needs a value") }
          }
          if let task = take(letter, value) { given.append((letter, task)) }
        }
      } else {
        throw UsageError("setkey takes no word \(Printable.text(word)) (a file is named with -f)")
      }
    }
    if given.contains(where: { $0.task == .help }) { return }
    guard let only = given.first else { throw UsageError("setkey takes -f FILE, -c, -D, -F or -x") }
    if given.count > 1 { throw UsageError("setkey: -\(only.letter) and -\(given[1].letter) cannot be used together") }
    task = only.task
    if onlyChecks {
      guard case .statements = task else { throw UsageError("setkey: -n is for -f and -c") }
    }
  }

  private mutating func take(_ letter: Character, _ value: String?) -> Task? {
    switch letter {
    case "f": return .statements(file: value == "-" ? nil : value)
    case "c": return .statements(file: nil)
    case "D": return .dump
    case "F": return .flush
    case "x": return .monitor
    case "h": return .help
    case "n": onlyChecks = true
    case "v": isVerbose = true
    case "P": policies = true
    case "p": ports = true
    default: showsDead = true
    }
    return nil
  }
}
