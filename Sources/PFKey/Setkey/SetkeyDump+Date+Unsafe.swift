// Local time as dumps show it.
import Glibc

extension SetkeyDump {
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// `Nov 21 18:56:35 2026` in the time zone of TZ; question marks for what no calendar has.
  @Sendable package static func localDate(_ seconds: UInt64) -> String {
    let unknown = String(repeating: "?", count: 20)
    guard var time = time_t(exactly: seconds) else { return unknown }
    var parts = unsafe tm()
    // SAFETY: both are this function's own; localtime_r writes one of them.
    guard unsafe localtime_r(&time, &parts) != nil, unsafe parts.tm_year < 8100 else { return unknown }
    func two(_ number: CInt, _ fill: String) -> String { (number < 10 ? fill : "") + "\(number)" }
    // SAFETY: numbers that localtime_r has written; its name of the zone is not read.
    let day = unsafe "\(months[Int(parts.tm_mon)]) \(two(parts.tm_mday, " "))"
    let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { two($0, "0") }.joined(separator: ":")
    return unsafe "\(day) \(clock) \(parts.tm_year + 1900)"
  }
}
