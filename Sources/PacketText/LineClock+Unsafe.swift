// Time stamps of lines. Owned by a LinePrinter.
import Glibc

/// Turns stamps into text, asking the C library only when the second changes.
struct LineClock {
  private let style: StampStyle
  private let nanoseconds: Bool
  private var second: Int64 = .min
  /// `HH:MM:SS`, first character lowest.
  private var text: UInt64 = 0
  /// `YYYY-MM-` and `DD `, first characters lowest.
  private var date: (UInt64, UInt64) = (0, 0)
  /// What relative stamps count from: the stamp of the first line or of the one before, 0 before any.
  private var reference: (seconds: Int64, fraction: Int64) = (0, 0)

  init(style: StampStyle, nanoseconds: Bool) {
    self.style = style
    self.nanoseconds = nanoseconds
    tzset()
  }

  /// Appends the stamp and the blank behind it.
  mutating func append(seconds: Int64, nanoseconds fraction: UInt32, to out: inout TextBuffer) {
    switch style {
    case .none: return
    case .sincePrevious, .sinceFirst: return appendDifference(seconds, fraction, to: &out)
    case .clock, .epoch, .date: break
    }
    // tcpdump's words for what its 31 bits of seconds cannot say.
    if UInt32(truncatingIfNeeded: seconds) & 0x8000_0000 != 0 { return out.append("[Error converting time] ") }
    if style == .epoch {
      out.append(decimal: UInt32(truncatingIfNeeded: seconds))
    } else {
      if seconds != second { convert(seconds) }
      if style == .date {
        out.append(packed: date.0, length: 8)
        out.append(packed: date.1, length: 3)
      }
      out.append(packed: text, length: 8)
    }
    append(fraction: nanoseconds ? fraction : fraction / 1000, to: &out)
    out.append(byte: 0x20)
  }

  private func append(fraction: UInt32, to out: inout TextBuffer) {
    out.append(byte: 0x2e)
    out.append(decimal: fraction, width: nanoseconds ? 9 : 6)
  }

  /// ` 00:00:01.000002 `, with a sign where time went backwards.
  private mutating func appendDifference(_ whole: Int64, _ nanosecond: UInt32, to out: inout TextBuffer) {
    // 32 bits with a sign, as a savefile's stamps are read.
    let seconds = Int64(Int32(truncatingIfNeeded: whole))
    let fraction = Int64(nanoseconds ? nanosecond : nanosecond / 1000)
    if reference == (0, 0) { reference = (seconds, fraction) }
    let isNegative = (seconds, fraction) < reference
    var difference = (seconds: seconds - reference.seconds, fraction: fraction - reference.fraction)
    if isNegative { difference = (-difference.seconds, -difference.fraction) }
    if difference.fraction < 0 {
      difference.seconds -= 1
      difference.fraction += nanoseconds ? 1_000_000_000 : 1_000_000
    }
    out.append(byte: isNegative ? 0x2d : 0x20)
    if UInt32(truncatingIfNeeded: difference.seconds) & 0x8000_0000 != 0 {
      out.append("[Error converting time]")
    } else {
      let time = difference.seconds % 86400
      out.append(decimal: UInt32(time / 3600), width: 2)
      out.append(byte: 0x3a)
      out.append(decimal: UInt32(time / 60 % 60), width: 2)
      out.append(byte: 0x3a)
      out.append(decimal: UInt32(time % 60), width: 2)
      append(fraction: UInt32(difference.fraction), to: &out)
    }
    out.append(byte: 0x20)
    if style == .sincePrevious { reference = (seconds, fraction) }
  }

  private mutating func convert(_ seconds: Int64) {
    var time = time_t(seconds)
    var parts = unsafe tm()
    // SAFETY: both arguments are local values that live through the call.
    _ = unsafe localtime_r(&time, &parts)
    second = seconds
    text =
      unsafe pair(parts.tm_hour) | 0x3a << 16 | pair(parts.tm_min) << 24 | 0x3a << 40 | pair(parts.tm_sec) << 48
    if style != .date { return }
    let year = unsafe parts.tm_year + 1900
    date.0 = unsafe pair(year / 100) | pair(year % 100) << 16 | 0x2d << 32 | pair(parts.tm_mon + 1) << 40 | 0x2d << 56
    date.1 = unsafe pair(parts.tm_mday) | 0x20 << 16
  }

  private func pair(_ value: Int32) -> UInt64 {
    let value = UInt64(max(0, min(99, value)))
    return (0x30 + value / 10) | (0x30 + value % 10) << 8
  }
}
