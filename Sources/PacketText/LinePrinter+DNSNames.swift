// Domain names (RFC 1035) with compression and bit labels. Used by the printers of DNS, DHCPv6 and neighbour discovery.
import SwBPFPackets

extension LinePrinter {
  /// tcpdump prints no more characters of a name.
  private static let greatestName = 255

  /// `example.org.`
  ///
  /// - Parameter bytes: what was captured of the message and, perhaps, behind it.
  /// - Parameter base: where the message starts; the pointers of compressed names count from there. Each pointer must
  ///   lead to before the one that led to it, so there are no loops.
  /// - Parameter layer: the protocol that the packet's text ends with when the bits of a label were not captured.
  /// - Returns: where the bytes behind the name start, which may be behind what was captured; nil for a name that is
  ///   malformed or was not captured whole.
  func printDomainName(
    _ bytes: RawSpan, at start: Int, base: Int = 0, of layer: StaticString, to out: inout TextBuffer
  ) -> Int? {
    guard var length = labelLength(bytes, at: start, to: &out) else { return nil }
    // A base behind the name (tcpdump gives one to names inside options) leaves the first pointer free to go anywhere.
    var limit = UInt32(truncatingIfNeeded: start - base)
    var kind = bytes.u8(at: start)
    var position = start + 1
    var isCompressed = false
    var end: Int? = kind >> 6 == 3 ? nil : position + length
    var characters = 0
    if kind == 0 { out.append(byte: 0x2e) }
    while kind != 0, position < bytes.byteCount {
      if kind >> 6 == 3 {
        if !isCompressed {
          end = position + 1
          isCompressed = true
        }
        let target = UInt32(kind & 0x3f) << 8 | UInt32(bytes.u8(at: position))
        if target >= limit {
          out.append("<BAD PTR>")
          return nil
        }
        limit = target
        position = base + Int(target)
      } else {
        if kind >> 6 == 1 {
          guard printBitLabel(bytes, at: position, to: &out) else {
            out.appendTruncation(layer)
            return nil
          }
        } else {
          let shown = max(0, min(length, Self.greatestName - characters))
          guard out.append(visible: bytes, at: position, count: shown) else { return nil }
          characters += length
        }
        position += length
        if characters <= Self.greatestName { out.append(byte: 0x2e) }
        characters += 1
      }
      guard let next = labelLength(bytes, at: position, to: &out) else { return nil }
      kind = bytes.u8(at: position)
      position += 1
      length = next
      if !isCompressed, let known = end { end = known + length + 1 }
    }
    if characters > Self.greatestName { out.append("<DOMAIN NAME TOO LONG>") }
    return end
  }

  /// How many bytes follow the first one of the label; nil for a label of an unknown type or one not captured.
  private func labelLength(_ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) -> Int? {
    guard bytes.holds(1, at: offset) else { return nil }
    let kind = bytes.u8(at: offset)
    switch kind >> 6 {
    case 1:
      if kind & 0x3f != 1 {
        out.append("<ELT ")
        out.append(decimal: UInt32(kind & 0x3f))
        out.append(byte: 0x3e)
        return nil
      }
      guard bytes.holds(1, at: offset + 1) else { return nil }
      return (bitCount(bytes.u8(at: offset + 1)) + 7) / 8 + 1
    case 2:
      out.append("<BAD LABEL TYPE>")
      return nil
    default:
      return Int(kind)
    }
  }

  private func bitCount(_ byte: UInt8) -> Int { byte == 0 ? 256 : Int(byte) }

  /// `\[x0a80/9]` (RFC 2673) from the count of bits on, which was captured; false when its bits were not.
  private func printBitLabel(_ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) -> Bool {
    out.append("\\[x")
    var bits = bitCount(bytes.u8(at: offset))
    var position = offset + 1
    while bits > 0 {
      guard bytes.holds(1, at: position) else { return false }
      let byte = UInt32(bytes.u8(at: position))
      if bits > 4 {
        out.append(hex: bits > 7 ? byte : byte & 0xff << UInt32(8 - bits), digits: 2)
      } else {
        out.append(hex: byte >> 4 & 0xf << UInt32(4 - bits) & 0xf, digits: 1)
      }
      bits -= 8
      position += 1
    }
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(bitCount(bytes.u8(at: offset))))
    out.append(byte: 0x5d)
    return true
  }

  /// Where the bytes behind the name start, which may be behind what was captured; nil for a malformed one.
  func skipDomainName(_ bytes: RawSpan, at start: Int) -> Int? {
    var position = start
    while bytes.holds(1, at: position) {
      let kind = bytes.u8(at: position)
      position += 1
      if kind == 0 { return position }
      switch kind >> 6 {
      case 3: return position + 1
      case 2: return nil
      case 1:
        guard kind & 0x3f == 1, bytes.holds(1, at: position) else { return nil }
        position += 1 + (bitCount(bytes.u8(at: position)) + 7) / 8
      default: position += Int(kind)
      }
    }
    return nil
  }
}
