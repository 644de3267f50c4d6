// --color: whether lines are coloured.
import Glibc

/// The value of --color.
enum ColorChoice: String, Sendable {
  case auto, always, never

  init(_ text: String?) throws(UsageError) {
    guard let text else {
      self = .auto
      return
    }
    guard let choice = ColorChoice(rawValue: text.lowercased()) else {
      throw UsageError("--color takes auto, always or never, not \(text)")
    }
    self = choice
  }

  /// Asks the terminal and the environment: `auto` is on when standard output is a terminal that can do it, and nobody
  /// has set NO_COLOR (https://no-color.org).
  var isOn: Bool {
    switch self {
    case .always: true
    case .never: false
    case .auto:
      isatty(STDOUT_FILENO) == 1 && (Self.environment("NO_COLOR") ?? "").isEmpty
        && !["", "dumb"].contains(Self.environment("TERM") ?? "")
    }
  }

  private static func environment(_ name: String) -> String? {
    // SAFETY: no thread of ours changes the environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
