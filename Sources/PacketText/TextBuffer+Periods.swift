// Spans of time, as tcpdump writes them.

extension TextBuffer {
  /// Seconds as years, weeks, days, hours, minutes and seconds, without those that are nought: `1h5s`.
  package mutating func append(period seconds: UInt32) {
    if seconds == 0 { return append("0s") }
    var rest = seconds
    appendUnit(&rest, of: 31_536_000, 0x79)
    appendUnit(&rest, of: 604_800, 0x77)
    appendUnit(&rest, of: 86400, 0x64)
    appendUnit(&rest, of: 3600, 0x68)
    appendUnit(&rest, of: 60, 0x6d)
    appendUnit(&rest, of: 1, 0x73)
  }

  private mutating func appendUnit(_ rest: inout UInt32, of seconds: UInt32, _ letter: UInt8) {
    guard rest >= seconds else { return }
    append(decimal: rest / seconds)
    append(byte: letter)
    rest %= seconds
  }
}
