// The keyboard of a capture: single keys while it is in the foreground of a terminal. Main thread only.
internal import CPcapShim
import Glibc

/// Reads keys from standard input, and gives the terminal back as it was: at the end, at a stop, and (the shim's handlers)
/// when a signal kills the process.
final class Keys {
  enum Key: Equatable {
    case seeSent, direction, statistics, quit
    /// A whole line that was asked for; empty for none.
    case filter(String)
    /// The question for a filter was given up.
    case noFilter
  }

  private enum Mode {
    case off, keys
    /// A line is being typed; the terminal edits it.
    case line
  }

  static let hint = "keys: s see-sent, d direction, p statistics, f filter, q quit"

  private var mode = Mode.off
  /// Told before the question for a filter is asked, and by ``settle()``.
  var onQuestion: ((Bool) -> Void)?
  private var hasAsked = false
  /// Wanted, though perhaps not possible now.
  private var isStarted = false
  private var hasHinted = false
  private var line: [UInt8] = []

  /// Whether keys can ever be read: from a terminal, with nothing behind a pipe that has the terminal for itself.
  static var isPossible: Bool { isatty(STDIN_FILENO) == 1 && !isPipe(STDOUT_FILENO) && !isPipe(STDERR_FILENO) }

  private static func isPipe(_ descriptor: CInt) -> Bool {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return false }
    return [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
  }

  /// What to wait for input on; -1 while there are no keys.
  var input: CInt { mode == .off ? -1 : STDIN_FILENO }

  func start() {
    isStarted = true
    turnOn()
  }

  /// Gives the terminal back for good.
  func end() {
    isStarted = false
    turnOff()
  }

  /// The stop key: gives the terminal back, stops, and takes it again when the process goes on in the foreground.
  func stop() {
    turnOff()
    swpcap_stop_self()
    turnOn()
  }

  /// The process goes on after a stop, which may have come without a word (SIGSTOP).
  func resume() {
    if mode == .off { return turnOn() }
    if swpcap_terminal_foreground(STDIN_FILENO) == 0 {
      mode = .off
    } else {
      mode = .keys
      _ = swpcap_terminal_keys(STDIN_FILENO)
    }
  }

  private func turnOn() {
    guard isStarted, mode == .off, swpcap_terminal_foreground(STDIN_FILENO) == 1 else { return }
    guard swpcap_terminal_save(STDIN_FILENO) == 0, swpcap_terminal_keys(STDIN_FILENO) == 0 else { return }
    mode = .keys
    if !hasHinted { Messages.say("swbpf: " + Keys.hint) }
    hasHinted = true
  }

  private func turnOff() {
    if mode == .off { return }
    if mode == .line { Messages.write("\n", to: STDERR_FILENO) }
    swpcap_terminal_restore(STDIN_FILENO)
    mode = .off
  }

  /// When what was typed has been dealt with: a question that is over is so for others too.
  func settle() {
    guard hasAsked, mode != .line else { return }
    hasAsked = false
    onQuestion?(false)
  }

  // MARK: Reading

  /// After input came: a key, if it was one. Reads one byte, so that what is typed ahead of a line stays with the terminal.
  func take() -> Key? {
    if mode == .line { return takeLine() }
    var byte: UInt8 = 0
    let count = unsafe read(STDIN_FILENO, &byte, 1)
    guard count == 1 else {
      // The terminal is gone, or another group has it.
      if count == 0 || (errno != EINTR && errno != EAGAIN) { turnOff() }
      return nil
    }
    switch byte {
    case UInt8(ascii: "s"): return .seeSent
    case UInt8(ascii: "d"): return .direction
    case UInt8(ascii: "p"): return .statistics
    case UInt8(ascii: "q"): return .quit
    case UInt8(ascii: "f"): ask()
    case UInt8(ascii: "h"), UInt8(ascii: "?"): Messages.say("swbpf: " + Keys.hint)
    case 0x1b: skipSequence()
    default: break
    }
    return nil
  }

  /// What an arrow or function key sends behind its escape.
  private func skipSequence() {
    var set = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    for _ in 0..<8 {
      guard unsafe poll(&set, 1, 0) == 1, unsafe read(STDIN_FILENO, &byte, 1) == 1 else { return }
      let isInside = byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") || byte < 0x40
      if !isInside { return }
    }
  }

  private func ask() {
    line = []
    hasAsked = true
    onQuestion?(true)
    mode = .line
    Messages.write("filter: ", to: STDERR_FILENO)
    _ = swpcap_terminal_lines(STDIN_FILENO)
  }

  private func takeLine() -> Key? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(STDIN_FILENO, &buffer, buffer.count)
    if count < 0 {
      if errno != EINTR && errno != EAGAIN { turnOff() }
      return nil
    }
    line += buffer[..<count]
    let isWhole = line.last == 10 || line.last == 13
    guard count == 0 || isWhole || line.count > 1 << 16 else { return nil }
    mode = .keys
    _ = swpcap_terminal_keys(STDIN_FILENO)
    if !isWhole { Messages.write("\n", to: STDERR_FILENO) }
    return isWhole ? .filter(String(decoding: line.dropLast(), as: UTF8.self)) : .noFilter
  }
}
