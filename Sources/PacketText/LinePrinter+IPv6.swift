// IPv6 and its extension headers.
import SwBPFPackets

extension LinePrinter {
  mutating func printIPv6(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard enter(&out) else { return }
    guard let header = IPv6View(bytes) else { return out.appendTruncationMark("ip6") }
    if length < 40 {
      out.append("truncated-ip6 ")
      return out.append(decimal: length)
    }
    if !options.linkHeader { out.append("IP6 ") }
    if header.version != 6 {
      out.append("version error: ")
      out.append(decimal: UInt32(header.version))
      return out.append(" != 6")
    }
    var payloadLength = UInt32(header.payloadLength)
    // Bytes from the current header on. A payload length of 0 may become known from a jumbo option.
    var left = (payloadLength != 0 ? payloadLength : length) &+ 40
    if payloadLength != 0, length < left { printMissing(left - length, to: &out) }
    if options.verbosity > 0 { printIPv6Header(header, to: &out) }
    var packet = bytes.extracting(first: Int(left))

    var offset = 0
    var advance = 40
    var next = header.nextHeader
    var isFragment = false
    var isFirst = true
    var hasExtension = false
    var hasHopByHop = false
    var hasJumbo = false
    while offset < packet.byteCount {
      if left < UInt32(truncatingIfNeeded: advance) { return out.appendTruncationMark("ip6") }
      offset += advance
      left -= UInt32(truncatingIfNeeded: advance)
      if offset == 40, !printsOwnAddresses(next) {
        printIPv6Addresses(packet, to: &out)
        out.append(": ")
      }
      let rest = packet.extracting(droppingFirst: offset)
      switch next {
      case IPProtocol.hopByHop:
        if hasHopByHop || !isFirst {
          out.append(
            hasHopByHop
              ? "[The Hop-by-Hop Options header was already found]"
              : "[The Hop-by-Hop Options header don't follow the IPv6 header]")
          return out.appendInvalid()
        }
        let end = printHopByHop(rest, payloadLength: &payloadLength, hasJumbo: &hasJumbo, to: &out)
        if end == .truncated { return out.appendTruncation("hbhopt") }
        if end == .broken { out.appendTruncationMark("hbhopt") }
        if payloadLength == 0, !hasJumbo {
          out.append("[No valid Jumbo Payload Hop-by-Hop option found]")
          return out.appendInvalid()
        }
        if end == .broken { return }
        advance = (Int(rest.u8(at: 1)) + 1) * 8
        hasHopByHop = true
      case IPProtocol.destinationOptions:
        guard rest.holds(2) else { return out.appendTruncation("dstopt") }
        advance = (Int(rest.u8(at: 1)) + 1) * 8
        guard rest.holds(advance) else { return out.appendTruncationMark("dstopt") }
        out.append("DSTOPT ")
        if options.verbosity > 0 {
          var jumbo = JumboPayload(payloadLength: nil)
          guard printOptions6(rest.extracting(first: advance), jumbo: &jumbo, to: &out) else {
            return out.appendTruncationMark("dstopt")
          }
        }
      case IPProtocol.fragment:
        guard rest.holds(options.verbosity > 0 ? 8 : 4) else { return out.appendTruncation("frag6") }
        let fragmentOffset = rest.be16(at: 2) & 0xfff8
        out.append("frag (")
        if options.verbosity > 0 {
          out.append("0x")
          out.append(hex: rest.be32(at: 4), digits: 8)
          out.append(byte: 0x3a)
        }
        out.append(decimal: UInt32(fragmentOffset))
        out.append(byte: 0x7c)
        // What is left by the header's length; tcpdump lets it wrap.
        out.append(decimal64: 40 &+ UInt64(header.payloadLength) &- UInt64(offset) &- 8)
        out.append(byte: 0x29)
        if fragmentOffset != 0 { return }
        out.append(byte: 0x20)
        if packet.byteCount <= offset + 8 { return }
        advance = 8
        isFragment = true
      case IPProtocol.routing:
        guard rest.holds(1) else { return out.appendTruncationMark("ip6") }
        guard printRouting(rest, to: &out) else { return }
        advance = (Int(rest.u8(at: 1)) + 1) * 8
      case 62, 135:
        return printUndissected("Mobility", length: left, to: &out)
      default:
        if hasJumbo {
          let whole = payloadLength &+ 40
          if whole < UInt32(truncatingIfNeeded: offset) { return out.appendTruncationMark("ip6") }
          if length < whole { printMissing(whole - length, to: &out) }
          packet = bytes.extracting(first: Int(whole))
          left = whole - UInt32(truncatingIfNeeded: offset)
        } else if payloadLength == 0 {
          if hasExtension { return out.appendTruncationMark("ip6") }
          packet = bytes.extracting(first: 40)
          left = 0
        }
        return printTransport(
          next, packet.extracting(droppingFirst: offset), length: left, ip: packet, isFragment: isFragment, to: &out)
      }
      hasExtension = true
      isFirst = false
      next = rest.u8(at: 0)
    }
  }

  /// `::1 > ::2` of the header at the start of `ip`.
  func printIPv6Addresses(_ ip: RawSpan, to out: inout TextBuffer) {
    out.append(ipv6: ip, at: 8)
    out.append(" > ")
    out.append(ipv6: ip, at: 24)
  }

  private func printMissing(_ count: UInt32, to out: inout TextBuffer) {
    out.append("truncated-ip6 - ")
    out.append(decimal: count)
    out.append(" bytes missing!")
  }

  private enum HopByHopEnd {
    case whole
    /// Not captured: the line ends.
    case truncated
    /// Its length or an option in it makes no sense.
    case broken
  }

  private func printHopByHop(
    _ bytes: RawSpan, payloadLength: inout UInt32, hasJumbo: inout Bool, to out: inout TextBuffer
  ) -> HopByHopEnd {
    guard bytes.holds(2) else { return .truncated }
    let length = (Int(bytes.u8(at: 1)) + 1) * 8
    guard bytes.holds(length) else { return .broken }
    out.append("HBH ")
    var jumbo = JumboPayload(payloadLength: payloadLength)
    let isWhole = printOptions6(bytes.extracting(first: length), jumbo: &jumbo, to: &out)
    if jumbo.isFound {
      hasJumbo = true
      payloadLength = jumbo.payloadLength
    }
    return isWhole ? .whole : .broken
  }

  /// A routing header; false when the line ends in it.
  private func printRouting(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    out.append("RT6")
    guard bytes.holds(2) else { return endRouting(&out) }
    let length = Int(bytes.u8(at: 1))
    out.append(" (len=")
    out.append(decimal: UInt32(length))
    guard bytes.holds(3) else { return endRouting(&out) }
    let type = bytes.u8(at: 2)
    out.append(", type=")
    out.append(decimal: UInt32(type))
    if type == 0 { out.append(" [Deprecated]") }
    guard bytes.holds(4) else { return endRouting(&out) }
    out.append(", segleft=")
    out.append(decimal: UInt32(bytes.u8(at: 3)))
    switch type {
    case 0, 2:
      guard bytes.holds(8) else { return endRouting(&out) }
      let reserved = bytes.be32(at: 4)
      if reserved != 0 || options.verbosity > 0 {
        out.append(", rsv=0x")
        out.append(hex: reserved)
      }
    case 4:
      guard bytes.holds(5) else { return endRouting(&out) }
      out.append(", last-entry=")
      out.append(decimal: UInt32(bytes.u8(at: 4)))
      guard bytes.holds(6) else { return endRouting(&out) }
      if bytes.u8(at: 5) != 0 || options.verbosity > 0 {
        out.append(", flags=0x")
        out.append(hex: UInt32(bytes.u8(at: 5)))
      }
      guard bytes.holds(8) else { return endRouting(&out) }
      out.append(", tag=")
      out.append(hex: UInt32(bytes.be16(at: 6)))
    default:
      out.append(" (unknown type)")
      out.appendInvalid()
      return false
    }
    if length % 2 == 1 {
      out.append(" (invalid length ")
      out.append(decimal: UInt32(length))
      out.append(byte: 0x29)
      out.appendInvalid()
      return false
    }
    for index in 0..<length / 2 {
      guard bytes.holds(16, at: 8 + 16 * index) else { return endRouting(&out) }
      out.append(", [")
      out.append(decimal: UInt32(index))
      out.append(byte: 0x5d)
      out.append(ipv6: bytes, at: 8 + 16 * index)
    }
    out.append(") ")
    return true
  }

  private func endRouting(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("rt6")
    return false
  }
}
