// Domain names as DNS writes them (RFC 1035), inside the options of neighbour discovery.
import SwBPFPackets

extension LinePrinter {
  /// tcpdump prints no more characters of a name.
  private static var longestName: Int { 255 }

  /// Prints the name at `start`, which must be there; pointers in it count from the first byte of `bytes`.
  ///
  /// - Returns: where the name ends, nil when it is broken or was not captured.
  func printOptionDomain(_ bytes: RawSpan, at start: Int, to out: inout TextBuffer) -> Int? {
    if bytes.u8(at: start) == 0 {
      out.append(byte: 0x2e)
      return start + 1
    }
    var offset = start
    var end: Int?
    var limit = start
    var characters = 0
    while true {
      guard bytes.holds(1, at: offset) else { return nil }
      let length = Int(bytes.u8(at: offset))
      if length == 0 { break }
      if length >> 6 == 2 || (length >> 6 == 1 && length != 0x41) {
        printBadLabel(length, to: &out)
        return nil
      }
      guard bytes.holds(2, at: offset) else {
        // The last byte that was captured: tcpdump believes it.
        if length == 0x41 || (length >= 0xc0 && offset == start) { return nil }
        return end ?? offset + 1 + length
      }
      switch length >> 6 {
      case 3:
        if end == nil { end = offset + 2 }
        offset = Int(bytes.be16(at: offset) & 0x3fff)
        // Pointers go backwards only, so they end.
        guard offset < limit else {
          out.append("<BAD PTR>")
          return nil
        }
        limit = offset
        continue
      case 0:
        let shown = min(length, max(0, Self.longestName - characters))
        let name = bytes.extracting(droppingFirst: offset + 1).extracting(first: shown)
        out.append(visible: name)
        guard name.byteCount == shown else { return nil }
        characters += length
        offset += 1 + length
      default:
        let bits = bytes.u8(at: offset + 1) == 0 ? 256 : Int(bytes.u8(at: offset + 1))
        guard printBits(bytes, at: offset + 2, count: bits, to: &out) else { return nil }
        let used = (bits + 7) / 8 + 1
        offset += 1 + used
      }
      if characters <= Self.longestName { out.append(byte: 0x2e) }
      characters += 1
    }
    if characters > Self.longestName { out.append("<DOMAIN NAME TOO LONG>") }
    return end ?? offset + 1
  }

  private func printBadLabel(_ length: Int, to out: inout TextBuffer) {
    if length >> 6 == 2 { return out.append("<BAD LABEL TYPE>") }
    out.append("<ELT ")
    out.append(decimal: UInt32(length & 0x3f))
    out.append(byte: 0x3e)
  }

  /// A bit label (RFC 2673); false when it was not captured.
  private func printBits(_ bytes: RawSpan, at start: Int, count: Int, to out: inout TextBuffer) -> Bool {
    out.append("\\[x")
    var offset = start
    var left = count
    while left > 0 {
      guard bytes.holds(1, at: offset) else {
        out.appendTruncation("icmp6")
        return false
      }
      let byte = UInt32(bytes.u8(at: offset))
      if left > 4 {
        out.append(hex: left > 7 ? byte : byte & (0xff << UInt32(8 - left)), digits: 2)
      } else {
        out.append(hex: (byte >> 4) & (0xf << UInt32(4 - left)) & 0xf)
      }
      offset += 1
      left -= min(8, left)
    }
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(count))
    out.append(byte: 0x5d)
    return true
  }
}
