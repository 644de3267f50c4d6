// What -v says of an IPv6 header, and the options of hop-by-hop and destination headers.
import SwBPFPackets

/// What options say about a payload that is longer than the header's 16 bits can tell (RFC 2675).
struct JumboPayload {
  /// Of the IPv6 header, or of the option once it was found; nil where the option has no place.
  private var length: UInt32?
  private(set) var isFound = false
  private var isSeen = false

  init(payloadLength: UInt32?) { length = payloadLength }

  var payloadLength: UInt32 { length ?? 0 }

  enum Verdict {
    case valid
    case repeated
    case misplaced
    case needless
    case short
  }

  mutating func take(_ value: UInt32) -> Verdict {
    if isSeen { return .repeated }
    isSeen = true
    guard let length else { return .misplaced }
    if length != 0 { return .needless }
    if value < 65536 { return .short }
    isFound = true
    self.length = value
    return .valid
  }
}

extension LinePrinter {
  /// `(flowlabel 0x12345, hlim 64, next-header UDP (17) payload length: 12) `
  func printIPv6Header(_ header: borrowing IPv6View, to out: inout TextBuffer) {
    let flow = header.flow
    out.append(byte: 0x28)
    if flow & 0x0ff0_0000 != 0 {
      out.append("class 0x")
      out.append(hex: flow >> 20 & 0xff, digits: 2)
      out.append(", ")
    }
    if flow & 0x000f_ffff != 0 {
      out.append("flowlabel 0x")
      out.append(hex: flow & 0xfffff, digits: 5)
      out.append(", ")
    }
    out.append("hlim ")
    out.append(decimal: UInt32(header.hopLimit))
    out.append(", next-header ")
    out.append(ipProtocolName(header.nextHeader) ?? "unknown")
    out.append(" (")
    out.append(decimal: UInt32(header.nextHeader))
    out.append(") payload length: ")
    out.append(decimal: UInt32(header.payloadLength))
    out.append(") ")
  }

  /// The options of a header, which was captured whole; false when one of them makes no sense.
  func printOptions6(_ bytes: RawSpan, jumbo: inout JumboPayload, to out: inout TextBuffer) -> Bool {
    let length = bytes.byteCount
    let isVerbose = options.verbosity > 0
    var offset = 2
    while offset < length {
      let kind = bytes.u8(at: offset)
      if kind == 0 {
        if isVerbose { out.append("(pad1)") }
        offset += 1
        continue
      }
      guard offset + 1 < length else { return false }
      let claimed = Int(bytes.u8(at: offset + 1))
      guard offset + claimed + 2 <= length else { return false }
      switch kind {
      case 0x05:
        if !checkOption("rtalert", claimed, exactly: 2, left: length - offset, to: &out) { return false }
        if isVerbose {
          out.append("(rtalert: 0x")
          out.append(hex: UInt32(bytes.be16(at: offset + 2)), digits: 4)
          out.append(") ")
        }
      case 0xc2:
        if !checkOption("jumbo", claimed, exactly: 4, left: length - offset, to: &out) { return false }
        let value = bytes.be32(at: offset + 2)
        let verdict = jumbo.take(value)
        if isVerbose { printJumbo(value, verdict, to: &out) }
      case 0xc9:
        if length - offset < 18 {
          out.append("(homeaddr: trunc)")
          return false
        }
        if claimed < 16 {
          out.append("(homeaddr: invalid len ")
          out.append(decimal: UInt32(claimed))
          out.append(byte: 0x29)
          return false
        }
        if isVerbose {
          out.append("(homeaddr: ")
          out.append(ipv6: bytes, at: offset + 2)
          let rest = bytes.extracting(first: offset + claimed + 2).extracting(droppingFirst: offset + 18)
          guard printSuboptions(rest, to: &out) else { return false }
          out.append(byte: 0x29)
        }
      default:
        if !isVerbose { break }
        if kind == 1 {
          out.append("(padn)")
        } else {
          out.append("(opt_type 0x")
          out.append(hex: UInt32(kind), digits: 2)
          out.append(": len=")
          out.append(decimal: UInt32(claimed))
          out.append(byte: 0x29)
        }
      }
      offset += claimed + 2
    }
    if isVerbose { out.append(byte: 0x20) }
    return true
  }

  private func printJumbo(_ value: UInt32, _ verdict: JumboPayload.Verdict, to out: inout TextBuffer) {
    out.append("(jumbo: ")
    out.append(decimal: value)
    switch verdict {
    case .valid: break
    case .repeated: out.append(" - already seen")
    case .misplaced: out.append(" - not a hop-by-hop option")
    case .needless: out.append(" - payload len != 0")
    case .short: out.append(" - < 65536")
    }
    out.append(") ")
  }

  /// What follows the address in a home address option; false when it makes no sense.
  private func printSuboptions(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    var offset = 0
    while offset < bytes.byteCount {
      let kind = bytes.u8(at: offset)
      if kind == 0 {
        out.append(", pad1")
        offset += 1
        continue
      }
      guard bytes.holds(2, at: offset) else { return false }
      let claimed = Int(bytes.u8(at: offset + 1))
      guard bytes.holds(claimed + 2, at: offset) else { return false }
      if kind == 1 {
        out.append(", padn")
      } else {
        out.append(", sopt_type 0x")
        out.append(hex: UInt32(kind), digits: 2)
        out.append(": len=")
        out.append(decimal: UInt32(claimed))
      }
      offset += claimed + 2
    }
    return true
  }

  private func checkOption(
    _ name: StaticString, _ claimed: Int, exactly: Int, left: Int, to out: inout TextBuffer
  ) -> Bool {
    if left >= exactly + 2, claimed == exactly { return true }
    out.append(byte: 0x28)
    out.append(name)
    if left < exactly + 2 {
      out.append(": trunc)")
    } else {
      out.append(": invalid len ")
      out.append(decimal: UInt32(claimed))
      out.append(byte: 0x29)
    }
    return false
  }
}
