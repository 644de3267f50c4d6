// The command line of ifconfig(8): options, then an interface with what is to be done.
import SwBPFInterfaces
import SwBPFPackets

/// One letter, for the parser, the help text and the completion.
struct IfconfigOption: Sendable {
  let letter: Character
  let about: String

  static let all: [IfconfigOption] = [
    IfconfigOption(letter: "a", about: "all interfaces; so without any word"),
    IfconfigOption(letter: "l", about: "only the names of all interfaces"),
    IfconfigOption(letter: "d", about: "with -a and -l: those that are down"),
    IfconfigOption(letter: "u", about: "with -a and -l: those that are up"),
    IfconfigOption(letter: "v", about: "what they have counted, too"),
    IfconfigOption(letter: "N", about: "names of hosts instead of addresses, where they have any"),
    IfconfigOption(letter: "C", about: "the kinds of interfaces that can be created"),
    IfconfigOption(letter: "h", about: "this text"),
  ]
}

/// A command line of ifconfig, understood.
struct IfconfigOptions: Equatable, Sendable {
  enum Task: Equatable, Sendable {
    /// The status of all; addresses of that family only.
    case all(IPAddress.Family?)
    case names
    case kinds
    case one(IfconfigLine)
    case help
  }

  var task = Task.help
  var isVerbose = false
  var namesHosts = false
  var onlyDown = false
  var onlyUp = false
  /// nil: the daemon of this network namespace.
  var socket: String?

  /// - Parameter words: what follows `ifconfig`.
  init(_ words: [String], links: LinkNames) throws(IfconfigError) {
    var rest = words[...]
    var letters: Set<Character> = []
    while let word = rest.first, word.hasPrefix("-"), word != "-" {
      rest = rest.dropFirst()
      if word == "--" { break }
      if try takeLong(word, &rest, &letters) { continue }
      for letter in word.dropFirst() {
        guard IfconfigOption.all.contains(where: { $0.letter == letter }) else {
          throw IfconfigError("unknown option \(IfconfigError.quoted("-\(letter)"))", isUsage: true)
        }
        letters.insert(letter)
      }
    }
    if letters.contains("h") { return }
    isVerbose = letters.contains("v")
    namesHosts = letters.contains("N")
    onlyDown = letters.contains("d")
    onlyUp = letters.contains("u")
    task = try Self.task(letters, Array(rest), links)
  }

  private mutating func takeLong(_ word: String, _ rest: inout ArraySlice<String>, _ letters: inout Set<Character>)
    throws(IfconfigError) -> Bool
  {
    if word == "--help" {
      letters.insert("h")
    } else if word == "--socket" {
      guard let path = rest.popFirst() else { throw IfconfigError("--socket needs a path", isUsage: true) }
      socket = path
    } else if word.hasPrefix("--socket=") {
      socket = String(word.dropFirst(9))
    } else if word.hasPrefix("--") {
      throw IfconfigError("unknown option \(IfconfigError.quoted(word))", isUsage: true)
    } else {
      return false
    }
    return true
  }

  private static func task(_ letters: Set<Character>, _ words: [String], _ links: LinkNames) throws(IfconfigError)
    -> Task
  {
    let listings = letters.intersection(["a", "l", "C"])
    if listings.count > 1 || letters.contains("v") && !letters.isDisjoint(with: ["l", "C"]) {
      let sorted = letters.sorted().map { "-\($0)" }.joined(separator: " ")
      throw IfconfigError("\(sorted) do not go together", isUsage: true)
    }
    if letters.contains("a") || words.isEmpty && listings.isEmpty {
      guard let word = words.first else { return .all(nil) }
      guard words.count == 1, let family = IfconfigLine.family(word) else {
        throw IfconfigError("-a takes inet or inet6, or no word", isUsage: true)
      }
      return .all(family)
    }
    guard let listing = listings.first else { return .one(try IfconfigLine(words: words, links: links)) }
    guard words.isEmpty else { throw IfconfigError("-\(listing) takes no word", isUsage: true) }
    return listing == "l" ? .names : .kinds
  }
}
