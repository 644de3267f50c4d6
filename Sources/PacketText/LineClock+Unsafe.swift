// Time stamps of lines. Owned by a LinePrinter.
import Glibc

/// Turns seconds into `HH:MM:SS`, asking the C library only when the second changes.
struct LineClock {
  private let style: StampStyle
  private let nanoseconds: Bool
  private var second: Int64 = .min
  /// Eight characters, first one lowest.
  private var text: UInt64 = 0

  init(style: StampStyle, nanoseconds: Bool) {
    self.style = style
    self.nanoseconds = nanoseconds
    tzset()
  }

  /// Appends the stamp and the blank behind it.
  mutating func append(seconds: Int64, nanoseconds fraction: UInt32, to out: inout TextBuffer) {
    if style == .none { return }
    // tcpdump's words for what its 31 bits of seconds cannot say.
    if UInt32(truncatingIfNeeded: seconds) & 0x8000_0000 != 0 { return out.append("[Error converting time] ") }
    if style == .epoch {
      out.append(decimal: UInt32(truncatingIfNeeded: seconds))
    } else {
      if seconds != second { convert(seconds) }
      out.append(packed: text, length: 8)
    }
    out.append(byte: 0x2e)
    if nanoseconds {
      out.append(decimal: fraction, width: 9)
    } else {
      out.append(decimal: fraction / 1000, width: 6)
    }
    out.append(byte: 0x20)
  }

  private mutating func convert(_ seconds: Int64) {
    var time = time_t(seconds)
    var parts = unsafe tm()
    // SAFETY: both arguments are local values that live through the call.
    _ = unsafe localtime_r(&time, &parts)
    second = seconds
    text =
      unsafe pair(parts.tm_hour) | 0x3a << 16 | pair(parts.tm_min) << 24 | 0x3a << 40 | pair(parts.tm_sec) << 48
  }

  private func pair(_ value: Int32) -> UInt64 {
    let value = UInt64(max(0, min(99, value)))
    return (0x30 + value / 10) | (0x30 + value % 10) << 8
  }
}
