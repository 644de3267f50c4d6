// What -v says of an IPv4 header, and its options.
import SwBPFPackets

extension LinePrinter {
  /// `(tos 0x0, ttl 64, …)` and the start of the next line; false when an option was not captured whole, which ends
  /// the packet's text.
  ///
  /// - Parameter packet: from the header to the end of what was captured; at least 20 bytes.
  func printIPv4Header(_ packet: RawSpan, headerLength: Int, to out: inout TextBuffer) -> Bool {
    let service = packet.u8(at: 1)
    out.append("(tos 0x")
    out.append(hex: UInt32(service))
    switch service & 3 {
    case 1: out.append(",ECT(1)")
    case 2: out.append(",ECT(0)")
    case 3: out.append(",CE")
    default: break
    }
    if packet.u8(at: 8) > 0 {
      out.append(", ttl ")
      out.append(decimal: UInt32(packet.u8(at: 8)))
    }
    out.append(", id ")
    out.append(decimal: UInt32(packet.be16(at: 4)))
    let fragment = packet.be16(at: 6)
    out.append(", offset ")
    out.append(decimal: UInt32(fragment & 0x1fff) * 8)
    out.append(", flags [")
    var names = NameList()
    names.append("+", if: fragment & 0x2000 != 0, to: &out)
    names.append("DF", if: fragment & 0x4000 != 0, to: &out)
    names.append("rsvd", if: fragment & 0x8000 != 0, to: &out)
    names.end(&out)
    out.append("], proto ")
    let transport = packet.u8(at: 9)
    out.append(ipProtocolName(transport) ?? "unknown")
    out.append(" (")
    out.append(decimal: UInt32(transport))
    out.append("), length ")
    out.append(decimal: UInt32(packet.be16(at: 2)))
    var isWhole = true
    if headerLength > 20 {
      out.append(", options (")
      isWhole = printIPv4Options(packet, end: headerLength, to: &out)
      if out.isCut { return false }
      if !isWhole { out.append(" [truncated-option]") }
      out.append(byte: 0x29)
    }
    if packet.holds(headerLength) {
      let sum = InternetChecksum.of(packet.extracting(first: headerLength))
      if sum != 0 {
        out.append(", bad cksum ")
        out.append(hex: UInt32(packet.be16(at: 10)))
        out.append(" (->")
        out.append(hex: UInt32(rightChecksum(packet.be16(at: 10), computed: sum)))
        out.append(")!")
      }
    }
    out.append(")\n    ")
    if isWhole { return true }
    printIPv4Addresses(packet, to: &out)
    out.append(": ")
    out.appendTruncationMark("ip")
    return false
  }

  /// False when an option was not captured whole.
  private func printIPv4Options(_ packet: RawSpan, end: Int, to out: inout TextBuffer) -> Bool {
    var offset = 20
    while offset < end {
      if offset > 20 { out.append(byte: 0x2c) }
      guard packet.holds(1, at: offset) else {
        out.appendTruncation("ip")
        return false
      }
      let kind = packet.u8(at: offset)
      printIPv4OptionName(kind, to: &out)
      var length = 1
      if kind > 1 {
        guard packet.holds(2, at: offset) else {
          out.appendTruncation("ip")
          return false
        }
        length = Int(packet.u8(at: offset + 1))
      }
      if length < (kind > 1 ? 2 : 1) || length > end - offset {
        printBadLength(length, to: &out)
        return true
      }
      guard packet.holds(length, at: offset) else { return false }
      // An option whose length is odd for its kind is read on behind its end, as tcpdump does.
      let option = packet.extracting(droppingFirst: offset)
      switch kind {
      case 0: return true
      case 68: if !printTimeStamps(option, length: length, to: &out) { return false }
      case 7, 131, 137: if !printRoute(option, length: length, to: &out) { return false }
      case 148:
        if length < 4 {
          printBadLength(length, to: &out)
        } else if option.be16(at: 2) != 0 {
          out.append(" value ")
          out.append(decimal: UInt32(option.be16(at: 2)))
        }
      default: break
      }
      offset += length
    }
    return true
  }

  private func printIPv4OptionName(_ kind: UInt8, to out: inout TextBuffer) {
    switch kind {
    case 0: out.append("EOL")
    case 1: out.append("NOP")
    case 7: out.append("RR")
    case 68: out.append("timestamp")
    case 82: out.append("traceroute")
    case 130: out.append("security")
    case 131: out.append("LSRR")
    case 137: out.append("SSRR")
    case 148: out.append("RA")
    default:
      out.append("unknown ")
      out.append(decimal: UInt32(kind))
    }
  }

  private func printBadLength(_ length: Int, to out: inout TextBuffer) {
    out.append(" [bad length ")
    out.append(decimal: UInt32(length))
    out.append(byte: 0x5d)
  }

  /// The addresses of a recorded or wanted route; false when they were not captured.
  private func printRoute(_ option: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    if length < 3 {
      printBadLength(length, to: &out)
      return true
    }
    if (length + 1) & 3 != 0 { printBadLength(length, to: &out) }
    let pointer = Int(option.u8(at: 2)) - 1
    if pointer < 3 || (pointer + 1) & 3 != 0 || pointer > length + 1 {
      out.append(" [bad ptr ")
      out.append(decimal: UInt32(option.u8(at: 2)))
      out.append(byte: 0x5d)
    }
    var offset = 3
    while offset < length {
      guard option.holds(4, at: offset) else { return false }
      out.append(byte: 0x20)
      out.append(ipv4: option.be32(at: offset))
      if pointer > offset || pointer < 0 { out.append(byte: 0x2c) }
      offset += 4
    }
    return true
  }

  private func printTimeStamps(_ option: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    if length < 4 {
      out.append("[bad length ")
      out.append(decimal: UInt32(length))
      out.append(byte: 0x5d)
      return true
    }
    out.append(" TS{")
    let kind = option.u8(at: 3) & 0xf
    let step = kind != 0 ? 8 : 4
    if (length - 4) & (step - 1) != 0 {
      out.append("[bad length ")
      out.append(decimal: UInt32(length))
      out.append(byte: 0x5d)
    }
    let pointer = Int(option.u8(at: 2)) - 1
    if pointer < 4 || (pointer - 4) & (step - 1) != 0 || pointer > length + 1 {
      out.append("[bad ptr ")
      out.append(decimal: UInt32(option.u8(at: 2)))
      out.append(byte: 0x5d)
    }
    var offset = 4
    switch kind {
    case 0: out.append("TSONLY")
    case 1: out.append("TS+ADDR")
    case 3: out.append("PRESPEC")
    default:
      out.append("[bad ts type ")
      out.append(decimal: UInt32(kind))
      out.append(byte: 0x5d)
      offset = length
    }
    var end = kind > 3 || kind == 2 ? 0 : 4
    while offset < length {
      guard option.holds(step, at: offset) else { return false }
      out.append(pointer == offset ? " ^ " : " ")
      out.append(decimal: option.be32(at: offset + step - 4))
      out.append(byte: 0x40)
      if step == 8 { out.append(ipv4: option.be32(at: offset)) }
      offset += step
      end = offset
    }
    if pointer == end { out.append(" ^ ") }
    let missed = option.u8(at: 3) >> 4
    if missed > 0 {
      out.append(" [")
      out.append(decimal: UInt32(missed))
      out.append(" hops not recorded]} ")
    } else {
      out.append(byte: 0x7d)
    }
    return true
  }
}

/// Names with commas and blanks between them, `none` if there are none.
struct NameList {
  private var isEmpty = true

  mutating func append(_ name: StaticString, if isSet: Bool, to out: inout TextBuffer) {
    guard isSet else { return }
    if !isEmpty { out.append(", ") }
    out.append(name)
    isEmpty = false
  }

  func end(_ out: inout TextBuffer) {
    if isEmpty { out.append("none") }
  }
}
