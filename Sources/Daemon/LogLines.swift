// The daemon's log: lines of fields on standard error. A log that nobody reads holds nothing up: its lines are lost and counted.
import Glibc
import Logging
import SwBPFKern

/// `time=2026-11-21T20:00:00.123Z level=info message="interface made" interface=gif0`; under a service manager, whose journal
/// has the time, `<6>message="interface made" interface=gif0`.
package struct LogLines: LogHandler {
  package var metadata: Logger.Metadata = [:]
  package var logLevel: Logger.Level
  private let output: LogOutput
  private let isJournal: Bool

  package init(
    _ output: LogOutput, level: Logger.Level = .info, isJournal: Bool = Environment.value("JOURNAL_STREAM") != nil
  ) {
    self.output = output
    self.isJournal = isJournal
    logLevel = level
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }
    var line =
      isJournal ? "<\(Self.priority(event.level))>" : "time=\(Self.stamp(Clock.wall())) level=\(event.level.rawValue) "
    line += "message=" + Self.quoted("\(event.message)")
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(name)=" + Self.quoted("\(value)") }
    output.write(line)
  }

  /// syslog's number.
  private static func priority(_ level: Logger.Level) -> Int {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }

  /// UTC, with thousandths. - Parameter time: ns since 1970.
  static func stamp(_ time: Int64) -> String {
    func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + String(number) }
    let seconds = time / 1_000_000_000
    // Days are counted from 1 March of the year 0, so that a leap day is the last of its year.
    let days = seconds / 86400 + 719_468
    let era = days / 146_097
    let ofEra = days % 146_097
    let year = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let month = (5 * ofYear + 2) / 153
    let day = "\(two(month < 10 ? month + 3 : month - 9))-\(two(ofYear - (153 * month + 2) / 5 + 1))"
    let thousandths = String(1000 + time / 1_000_000 % 1000).dropFirst()
    let clock = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
    return "\(year + era * 400 + (month < 10 ? 0 : 1))-\(day)T\(clock).\(thousandths)Z"
  }

  /// As it is where it is one plain word; nothing in it can begin another line or field, or command a terminal.
  static func quoted(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    if isPlain { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      case _
      where scalar.value < 0x20 || 0x7f..<0xa0 ~= scalar.value || 0x2028...0x202e ~= scalar.value
        || 0x2066...0x2069 ~= scalar.value || 0x200e...0x200f ~= scalar.value:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Where lines go, whole or not at all.
/// - Threads: any.
package final class LogOutput: @unchecked Sendable {
  /// Lines in a second: what clients make the daemon say is bounded.
  static let rate = 100

  private let descriptor: CInt
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var second: Int64 = 0
  private var written = 0
  private var lost = 0

  package init(_ descriptor: CInt = STDERR_FILENO) { self.descriptor = descriptor }

  func write(_ line: String) {
    lock.withLock {
      let now = Clock.monotonic() / 1_000_000_000
      if now != second { (second, written) = (now, 0) }
      guard written < Self.rate, isReady else {
        lost += 1
        return
      }
      written += 1
      if lost > 0 {
        put("message=\"log lines were lost\" count=\(lost)\n")
        lost = 0
      }
      put(line + "\n")
    }
  }

  private var isReady: Bool {
    var set = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&set, 1, 0) == 1 && set.revents & Int16(POLLOUT) != 0
  }

  private func put(_ text: String) {
    let bytes = Array(text.utf8.prefix(4000))
    _ = unsafe Glibc.write(descriptor, bytes, bytes.count)
  }
}
