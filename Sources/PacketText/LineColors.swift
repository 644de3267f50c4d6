// Colours of finished lines, for a terminal. Used by the command's output thread, and only when colour is on.
import SwBPFPackets

/// Paints lines that LinePrinter made: stamps and offsets dim, the protocol's word bold, addresses and directions coloured.
///
/// It looks at the text alone, so a form of line that it does not know stays plain. All it does is put escape sequences
/// (SGR) between the bytes: without these the text is what it was.
package struct LineColors: Sendable {
  private let hasInterfaces: Bool

  /// - Parameter linkType: lines of LINUX_SLL2 have an interface and a direction in front.
  package init(linkType: Int32) { hasInterfaces = linkType == LinkType.linuxCooked2 }

  private enum Paint { case bold, dim, green, yellow, cyan }

  /// Appends whole lines.
  package func paint(_ lines: RawSpan, to out: inout TextBuffer) {
    var start = 0
    while start < lines.byteCount {
      var end = start
      while end < lines.byteCount, lines.u8(at: end) != 0x0a { end += 1 }
      end = min(end + 1, lines.byteCount)
      paintLine(lines.extracting(start..<end), to: &out)
      start = end
    }
  }

  private func paintLine(_ line: RawSpan, to out: inout TextBuffer) {
    var offset = 0
    let dump = dumpOffset(line)
    if dump > 0 {
      put(line, 0, dump, .dim, to: &out)
      return out.append(line.extracting(droppingFirst: dump))
    }
    let stamp = stampEnd(line, from: numberEnd(line))
    if stamp > 0 {
      put(line, 0, stamp, .dim, to: &out)
      offset = stamp
    }
    if hasInterfaces { offset = paintDirection(line, offset, to: &out) }
    let word = skip(line, offset) { $0 == 0x20 }
    let wordEnd = wordEnd(line, from: word)
    if wordEnd > word {
      out.append(line.extracting(offset..<word))
      put(line, word, wordEnd, .bold, to: &out)
      offset = wordEnd
    }
    paintAddresses(line, from: offset, to: &out)
  }

  private func put(_ line: RawSpan, _ start: Int, _ end: Int, _ paint: Paint, to out: inout TextBuffer) {
    switch paint {
    case .bold: out.append("\u{1b}[1m")
    case .dim: out.append("\u{1b}[2m")
    case .green: out.append("\u{1b}[32m")
    case .yellow: out.append("\u{1b}[33m")
    case .cyan: out.append("\u{1b}[36m")
    }
    out.append(line.extracting(start..<end))
    out.append("\u{1b}[0m")
  }

  // MARK: The beginning of a line

  /// The end of `\t0x0010:`, or 0.
  private func dumpOffset(_ line: RawSpan) -> Int {
    guard line.holds(3), line.u8(at: 0) == 0x09, line.be16(at: 1) == 0x3078 else { return 0 }
    var end = 3
    while line.holds(1, at: end), isHexDigit(line.u8(at: end)) { end += 1 }
    return line.holds(1, at: end) && line.u8(at: end) == 0x3a ? end + 1 : 0
  }

  /// The end of a packet's number, `    1  `, or 0.
  private func numberEnd(_ line: RawSpan) -> Int {
    let start = skip(line, 0) { $0 == 0x20 }
    let end = skip(line, start) { isDigit($0) }
    return end > start && line.holds(2, at: end) && line.be16(at: end) == 0x2020 ? end + 2 : 0
  }

  /// The end of a time stamp from `start` on, or `start` if there is none: digits, dashes and colons with six or nine
  /// digits behind a point, and perhaps a date before.
  private func stampEnd(_ line: RawSpan, from start: Int) -> Int {
    var offset = skip(line, start) { $0 == 0x20 || $0 == 0x2d }
    let date = skip(line, offset) { isDigit($0) || $0 == 0x2d }
    if date - offset == 10, line.holds(1, at: date), line.u8(at: date) == 0x20 { offset = date + 1 }
    let point = skip(line, offset) { isDigit($0) || $0 == 0x3a }
    guard point > offset, line.holds(1, at: point), line.u8(at: point) == 0x2e else { return start }
    let end = skip(line, point + 1) { isDigit($0) }
    guard end - point == 7 || end - point == 10, line.holds(1, at: end), line.u8(at: end) == 0x20 else { return start }
    return end
  }

  /// ` eth0  In`: colours the direction and returns the end of it all, or `start` with nothing written.
  private func paintDirection(_ line: RawSpan, _ start: Int, to out: inout TextBuffer) -> Int {
    let name = skip(line, start) { $0 == 0x20 }
    let nameEnd = skip(line, name) { $0 > 0x20 }
    let word = skip(line, nameEnd) { $0 == 0x20 }
    let end = skip(line, word) { $0 > 0x20 }
    guard end > word, line.holds(1, at: end) else { return start }
    let isSent = line.u8(at: word) == 0x4f
    guard isSent ? end - word == 3 : end - word <= 2 else { return start }
    out.append(line.extracting(start..<word))
    put(line, word, end, isSent ? .yellow : .green, to: &out)
    return end
  }

  /// The end of `IP`, `IP6` or `ARP` at `word`, or `word`.
  private func wordEnd(_ line: RawSpan, from word: Int) -> Int {
    guard line.holds(1, at: word), (0x41...0x5a).contains(line.u8(at: word)) else { return word }
    let end = skip(line, word) { isDigit($0) || (0x41...0x5a).contains($0 & 0xdf) }
    guard line.holds(1, at: end), line.u8(at: end) == 0x20 || line.u8(at: end) == 0x2c else { return word }
    return end
  }

  // MARK: Addresses

  private func paintAddresses(_ line: RawSpan, from start: Int, to out: inout TextBuffer) {
    var written = start
    var offset = start
    while offset < line.byteCount {
      // A word of letters, digits, points, colons; an address is a word of its own.
      let end = skip(line, offset) { isDigit($0) || (0x41...0x5a).contains($0 & 0xdf) || $0 == 0x2e || $0 == 0x3a }
      if end == offset {
        offset += 1
        continue
      }
      let length = addressLength(line.extracting(offset..<end))
      if length > 0 {
        out.append(line.extracting(written..<offset))
        put(line, offset, offset + length, .cyan, to: &out)
        written = offset + length
      }
      offset = end
    }
    out.append(line.extracting(written..<line.byteCount))
  }

  /// How much of a word is an IPv4 (with a port), IPv6 or hardware address; 0 if it is none.
  private func addressLength(_ word: RawSpan) -> Int {
    var length = word.byteCount
    // The colon that ends `A > B:` is no part of B, but those of `fe80::` are.
    if length >= 2, word.u8(at: length - 1) == 0x3a,
      word.u8(at: length - 2) != 0x3a || (length >= 3 && word.u8(at: length - 3) == 0x3a)
    {
      length -= 1
    }
    if length < 2 { return 0 }
    var points = 0
    var colons = 0
    var hasDouble = false
    var hasLetter = false
    for offset in 0..<length {
      let byte = word.u8(at: offset)
      switch byte {
      case 0x2e: points += 1
      case 0x3a:
        colons += 1
        if offset > 0, word.u8(at: offset - 1) == 0x3a { hasDouble = true }
      case _ where isDigit(byte): break
      case _ where isHexDigit(byte): hasLetter = true
      default: return 0
      }
    }
    if colons == 0 { return (points == 3 || points == 4) && !hasLetter ? length : 0 }
    return hasDouble || colons == 5 || colons == 7 ? length : 0
  }

  // MARK: Bytes

  @inline(__always)
  private func skip(_ line: RawSpan, _ start: Int, while isWanted: (UInt8) -> Bool) -> Int {
    var offset = start
    while offset < line.byteCount, isWanted(line.u8(at: offset)) { offset += 1 }
    return offset
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
  private func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- 0x61 < 6 }
}
