// What the command says on standard error, and its exit status.
import Glibc
import SwBPF
import SwBPFKern

/// A command line that cannot be: the text, then the usage line, exit status 1.
struct UsageError: Error, Equatable {
  let text: String
  init(_ text: String) { self.text = text }
}

/// Something that cannot be done: one line, exit status 1.
struct CommandError: Error, Equatable {
  let text: String
  init(_ text: String) { self.text = text }
}

enum Messages {
  /// Short, so that the error before it stands out.
  static let usage = "Usage: swbpf [OPTION ...] [EXPRESSION]   (swbpf -h lists the options, man swbpf explains them)"

  /// Writes one line to standard error, at once.
  static func say(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// Writes one line to standard error if it can be written at once: for words that nobody at the terminal asked for.
  static func sayUnlessBlocked(_ text: String) {
    var set = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    if unsafe poll(&set, 1, 0) == 1, set.revents & Int16(POLLOUT) != 0 { say(String(text.prefix(1024))) }
  }

  static func write(_ text: String, to descriptor: CInt) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while unsafe !rest.isEmpty {
        let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
          if errno == EINTR { continue }
          return
        }
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  static func text(of error: CInt) -> String { unsafe String(cString: strerror(error)) }

  /// An error of a capture in one line: the thing, the cause, the way out.
  static func explain(_ error: any Error, interface: String, arguments: [String]) -> String {
    switch error {
    case let error as CommandError: return error.text
    case let error as FilterExpression.Failure:
      return "cannot compile the filter expression \u{201c}\(error.expression)\u{201d}: \(error.reason)"
    case BPF.Failure.noSuchInterface(let name): return "\(name): no such interface (try swbpf -D)"
    case BPF.Failure.departed: return "\(interface): the interface went away"
    case BPF.Failure.system(let number, let call) where number == EPERM || number == EACCES:
      return "\(interface): no permission to capture (\(call)): \(wayToRights(arguments))"
    case BPF.Failure.system(let number, let call) where number == ENOMEM:
      return "\(interface): not enough memory (\(call)): try a smaller --ring or -B"
    case BPF.Failure.system(let number, let call): return "\(interface): \(call): \(text(of: number))"
    case BPF.Failure.invalid(let text), BPF.Failure.noTapPoint(let text): return text
    default: return "\(interface): \(error)"
    }
  }

  /// The exact command that has the rights that this one lacks.
  static func wayToRights(_ arguments: [String]) -> String {
    "try: sudo " + ([CommandLine.arguments[0]] + arguments.map(quoted)).joined(separator: " ")
  }

  /// A word as the shell takes it.
  static func quoted(_ word: String) -> String {
    let plain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:,=+@%".contains($0)) }
    return plain && !word.isEmpty
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  static func mixed(_ device: String) -> String {
    "\(device): cannot be captured together with devices of another link type (start one swbpf for each)"
  }

  /// "1 packet", "2 packets".
  static func packets(_ count: UInt64) -> String { "\(count) packet\(count == 1 ? "" : "s")" }
}
