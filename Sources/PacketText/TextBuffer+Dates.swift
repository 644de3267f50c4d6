// Dates inside packets. Used by the printer of NTP.

extension TextBuffer {
  /// `2026-11-21T15:30:00Z`, for times from 1900 on.
  ///
  /// - Parameter seconds: since the first of January 1900, 00:00 UTC, without leap seconds, as NTP counts.
  package mutating func append(utcSince1900 seconds: UInt32) {
    // Days since the first of March 1600, the start of a cycle of 400 years; leap days are then the last of a year.
    var days = seconds / 86_400 + 109_513
    let cycles = days / 146_097
    days %= 146_097
    let centuries = min(3, days / 36_524)
    days -= centuries * 36_524
    let quads = days / 1461
    days %= 1461
    let years = min(3, days / 365)
    days -= years * 365
    let month = (5 * days + 2) / 153
    let day = days - (153 * month + 2) / 5 + 1
    let isNextYear: UInt32 = month >= 10 ? 1 : 0
    append(decimal: 1600 + 400 * cycles + 100 * centuries + 4 * quads + years + isNextYear, width: 4)
    append(byte: 0x2d)
    append(decimal: month < 10 ? month + 3 : month - 9, width: 2)
    append(byte: 0x2d)
    append(decimal: day, width: 2)
    append(byte: 0x54)
    append(decimal: seconds / 3600 % 24, width: 2)
    append(byte: 0x3a)
    append(decimal: seconds / 60 % 60, width: 2)
    append(byte: 0x3a)
    append(decimal: seconds % 60, width: 2)
    append(byte: 0x5a)
  }
}
