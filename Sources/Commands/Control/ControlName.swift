// The name of a control socket: PID-STARTTIME.sock. A process number alone may come again; with its start it does not.
import Glibc

/// Which process a control socket belongs to.
struct ControlName: Equatable, Sendable {
  let pid: pid_t
  /// Clock ticks since boot, as /proc/PID/stat has it.
  let start: UInt64

  var file: String { "\(pid)-\(start).sock" }
  /// Until it listens.
  var temporaryFile: String { "\(pid)-\(start).new" }

  init(pid: pid_t, start: UInt64) {
    self.pid = pid
    self.start = start
  }

  /// nil for a name that no capture gives.
  init?(file: String, suffix: String = ".sock") {
    guard file.hasSuffix(suffix) else { return nil }
    let parts = file.dropLast(suffix.count).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let pid = pid_t(parts[0]), pid > 0, let start = UInt64(parts[1]) else { return nil }
    self.init(pid: pid, start: start)
  }

  /// That of this process; nil without /proc.
  static var ofThisProcess: ControlName? {
    let pid = getpid()
    return startTime(of: pid).map { ControlName(pid: pid, start: $0) }
  }

  /// When a process was started; nil when there is none.
  static func startTime(of pid: pid_t) -> UInt64? {
    guard let text = Processes.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    // The name in parentheses may hold anything; behind it is the third field.
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 19 ? UInt64(fields[19]) : nil
  }
}
