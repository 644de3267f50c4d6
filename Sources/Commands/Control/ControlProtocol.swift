// What is said over a control socket, version 1.
import SwBPF

/// One request of a client: one line, `swbpf/1 VERB …`. Everything behind the verb is its value.
///
///     swbpf/1 status
///     swbpf/1 see-sent on|off|toggle
///     swbpf/1 direction in|out|inout
///     swbpf/1 filter EXPRESSION
enum ControlRequest: Equatable, Sendable {
  enum Switch: String, Sendable, CaseIterable {
    case on, off, toggle
  }

  case status
  case seeSent(Switch)
  case direction(BPF.Direction)
  case filter(String)

  /// Begins every request and every answer.
  static let hello = "swbpf/1"
  /// Bytes of a request, and of an answer, at most.
  static let limit = 64 << 10

  /// The line without its end.
  var line: String {
    switch self {
    case .status: return "\(ControlRequest.hello) status"
    case .seeSent(let value): return "\(ControlRequest.hello) see-sent \(value.rawValue)"
    case .direction(let value): return "\(ControlRequest.hello) direction \(value.word)"
    case .filter(let text):
      // A line ends at a newline; for libpcap it is white space like any other.
      return "\(ControlRequest.hello) filter \(String(text.map { $0.isNewline ? " " : $0 }))"
    }
  }

  /// Reads a line. - Throws: what to tell the client.
  init(line: String) throws(ControlFailure) {
    let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    guard let hello = words.first, hello == ControlRequest.hello else {
      throw ControlFailure("this capture speaks \(ControlRequest.hello): use the swbpf of its version")
    }
    let verb = words.count > 1 ? words[1] : ""
    let value = words.count > 2 ? words[2] : ""
    switch verb {
    case "status" where value.isEmpty: self = .status
    case "see-sent":
      guard let wanted = Switch(rawValue: value) else { throw ControlFailure("see-sent takes on, off or toggle") }
      self = .seeSent(wanted)
    case "direction":
      guard let wanted = BPF.Direction(word: value) else { throw ControlFailure("direction takes in, out or inout") }
      self = .direction(wanted)
    case "filter": self = .filter(value)
    default: throw ControlFailure("no such request")
    }
  }
}

/// A request that cannot be done, in words for the one who asked.
struct ControlFailure: Error, Equatable {
  let text: String
  init(_ text: String) { self.text = text }
}

/// The answer: `swbpf/1 ok` and then lines, or `swbpf/1 error TEXT`; then the connection is closed.
enum ControlAnswer: Equatable, Sendable {
  case done([String])
  case failed(String)

  var text: String {
    switch self {
    case .done(let lines): "\(ControlRequest.hello) ok\n" + lines.map { $0 + "\n" }.joined()
    case .failed(let text): "\(ControlRequest.hello) error \(String(text.map { $0.isNewline ? " " : $0 }))\n"
    }
  }

  /// nil for something that is no whole answer of this version.
  init?(text: String) {
    guard text.hasSuffix("\n") else { return nil }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    lines.removeLast()
    let head = lines.removeFirst()
    if head == ControlRequest.hello + " ok" {
      self = .done(lines)
    } else if head.hasPrefix(ControlRequest.hello + " error "), lines.isEmpty {
      self = .failed(String(head.dropFirst(ControlRequest.hello.count + 7)))
    } else {
      return nil
    }
  }
}

extension BPF.Direction {
  /// As options and requests spell it.
  var word: String {
    switch self {
    case .in: "in"
    case .out: "out"
    case .inOut: "inout"
    }
  }

  init?(word: String) {
    guard let one = BPF.Direction.allCases.first(where: { $0.word == word }) else { return nil }
    self = one
  }
}
