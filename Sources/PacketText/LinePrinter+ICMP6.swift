// ICMPv6 with neighbour discovery and multicast listener discovery.
import SwBPFPackets

extension LinePrinter {
  func printICMP6(_ bytes: RawSpan, length: UInt32, ip: RawSpan, isFragment: Bool, to out: inout TextBuffer) {
    if length == 0 {
      out.append("ICMP6, length 0")
      return out.appendInvalid()
    }
    if options.verbosity > 0, !isFragment, bytes.holds(Int(length)) {
      guard bytes.holds(4) else { return out.appendTruncation("icmp6") }
      let stored = bytes.be16(at: 2)
      let verdict = judge(bytes, length: length, stored: stored, transport: IPProtocol.icmp6, ip: ip)
      printVerdict(verdict, of: "icmp6", stored: stored, to: &out)
    }
    guard bytes.holds(1) else { return out.appendTruncation("icmp6") }
    let type = bytes.u8(at: 0)
    out.append("ICMP6, ")
    if let name = icmp6TypeName(type) {
      out.append(name)
    } else {
      out.append("unknown icmp6 type (")
      out.append(decimal: UInt32(type))
      out.append(byte: 0x29)
    }
    if options.verbosity > 0, hasLengthFirst(type) { printLength(length, to: &out) }
    guard bytes.holds(2) else { return out.appendTruncation("icmp6") }
    let code = bytes.u8(at: 1)
    let isWhole: Bool
    switch type {
    case 1:
      if code == 4, findPorts(bytes) == nil {
        out.append(", unreachable port")
        return out.appendTruncationMark("icmp6")
      }
      guard let found = printUnreachable6(bytes, code, length: length, to: &out) else { return }
      isWhole = found
    case 2: isWhole = printWord(", mtu ", bytes, to: &out)
    case 3:
      switch code {
      case 0: isWhole = printAddress6(" for ", bytes, at: 32, to: &out)
      case 1:
        out.append(" (reassembly)")
        isWhole = true
      default:
        out.append(", unknown code (")
        out.append(decimal: UInt32(code))
        out.append(byte: 0x29)
        isWhole = true
      }
    case 4 where !bytes.holds(48): return out.appendTruncationMark("icmp6")
    case 4: isWhole = printParameterProblem(bytes, code, to: &out)
    case 128, 129:
      isWhole = bytes.holds(8)
      if isWhole {
        out.append(", id ")
        out.append(decimal: UInt32(bytes.be16(at: 4)))
        out.append(", seq ")
        out.append(decimal: UInt32(bytes.be16(at: 6)))
      }
    case 130 where length != 24: isWhole = printListenerQuery(bytes, length: length, to: &out)
    case 130, 131, 132:
      // tcpdump leaves out what was not captured, without a mark.
      if bytes.holds(24) {
        out.append("max resp delay: ")
        out.append(decimal: UInt32(bytes.be16(at: 4)))
        out.append(" addr: ")
        out.append(ipv6: bytes, at: 8)
      }
      isWhole = true
    case 133, 134, 135, 136, 137: isWhole = printDiscovery(bytes, type: type, length: length, to: &out)
    case 143: isWhole = printListenerReport(bytes, length: length, to: &out)
    case 144, 146:
      isWhole = bytes.holds(6)
      if isWhole {
        out.append(", id 0x")
        out.append(hex: UInt32(bytes.be16(at: 4)), digits: 4)
      }
    case 141, 142: isWhole = true
    case 145, 147: isWhole = printMobility6(bytes, type: type, length: length, to: &out)
    case 138, 139, 140, 155:
      // Router renumbering, node information and RPL have printers in tcpdump that are not here.
      return printLength(length, to: &out)
    default:
      printLength(length, to: &out)
      if options.verbosity < 2 { out.appendHexLines(bytes.extracting(first: Int(length))) }
      return
    }
    if out.isCut { return }
    guard isWhole else { return out.appendTruncation("icmp6") }
    if options.verbosity == 0 { printLength(length, to: &out) }
  }

  /// Messages whose further lines come with -v, so that the length is printed before them.
  private func hasLengthFirst(_ type: UInt8) -> Bool {
    switch type {
    case 133...137, 145, 147: true
    default: false
    }
  }

  /// Nil when the line is complete, false when it ends in a truncation.
  private func printUnreachable6(
    _ bytes: RawSpan, _ code: UInt8, length: UInt32, to out: inout TextBuffer
  ) -> Bool? {
    switch code {
    case 0:
      out.append(", unreachable route")
      return printAddress6(" ", bytes, at: 32, to: &out)
    case 1:
      out.append(",  unreachable prohibited")
      return printAddress6(" ", bytes, at: 32, to: &out)
    case 2:
      out.append(", beyond scope")
      guard bytes.holds(48) else { return false }
      return printAddress6(" ", bytes, at: 32, to: &out)
        && printAddress6(", source address ", bytes, at: 16, to: &out)
    case 3:
      out.append(", unreachable address")
      return printAddress6(" ", bytes, at: 32, to: &out)
    case 4:
      out.append(", unreachable port")
      guard let inner = findPorts(bytes), bytes.holds(48) else { return false }
      _ = printAddress6(", ", bytes, at: 32, to: &out)
      out.append(inner.transport == IPProtocol.tcp ? " tcp port " : " udp port ")
      out.append(decimal: UInt32(bytes.be16(at: inner.offset + 2)))
      return true
    default:
      out.append(", unknown unreach code (")
      out.append(decimal: UInt32(code))
      out.append(byte: 0x29)
      if options.verbosity > 1 { return true }
      out.appendHexLines(bytes.extracting(first: Int(length)))
      return nil
    }
  }

  /// The transport header of the packet that an error message quotes; nil if it is not there or not known.
  private func findPorts(_ bytes: RawSpan) -> (transport: UInt8, offset: Int)? {
    guard bytes.holds(1, at: 14) else { return nil }
    var next = bytes.u8(at: 14)
    var start = 8
    var advance = 40
    while start < bytes.byteCount {
      start += advance
      switch next {
      case IPProtocol.tcp, IPProtocol.udp:
        return bytes.holds(4, at: start) ? (next, start) : nil
      case IPProtocol.hopByHop, IPProtocol.destinationOptions, IPProtocol.routing:
        guard bytes.holds(2, at: start) else { return nil }
        advance = (Int(bytes.u8(at: start + 1)) + 1) * 8
      case IPProtocol.fragment:
        guard bytes.holds(4, at: start), bytes.be16(at: start + 2) & 0xfff8 == 0 else { return nil }
        advance = 8
      case IPProtocol.ah:
        guard bytes.holds(2, at: start) else { return nil }
        advance = (Int(bytes.u8(at: start + 1)) + 2) * 4
      default: return nil
      }
      next = bytes.u8(at: start)
    }
    return nil
  }

  private func printParameterProblem(_ bytes: RawSpan, _ code: UInt8, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(48) else { return false }
    switch code {
    case 0: return printWord(", erroneous - octet ", bytes, to: &out)
    case 1: return printWord(", next header - octet ", bytes, to: &out)
    case 2: return printWord(", option - octet ", bytes, to: &out)
    case 3: return printWord(", incomplete header chain - octet ", bytes, to: &out)
    default:
      out.append(", code-#")
      out.append(decimal: UInt32(code))
      return true
    }
  }

  /// The 32-bit number behind the checksum; false when it was not captured.
  private func printWord(_ title: StaticString, _ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(8) else { return false }
    out.append(title)
    out.append(decimal: bytes.be32(at: 4))
    return true
  }

  func printAddress6(_ title: StaticString, _ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(16, at: offset) else { return false }
    out.append(title)
    out.append(ipv6: bytes, at: offset)
    return true
  }

  private func icmp6TypeName(_ type: UInt8) -> StaticString? {
    switch type {
    case 1: "destination unreachable"
    case 2: "packet too big"
    case 3: "time exceeded in-transit"
    case 4: "parameter problem"
    case 128: "echo request"
    case 129: "echo reply"
    case 130: "multicast listener query"
    case 131: "multicast listener report"
    case 132: "multicast listener done"
    case 133: "router solicitation"
    case 134: "router advertisement"
    case 135: "neighbor solicitation"
    case 136: "neighbor advertisement"
    case 137: "redirect"
    case 138: "router renumbering"
    case 139: "who-are-you request"
    case 140: "who-are-you reply"
    case 141: "inverse neighbor solicitation"
    case 142: "inverse neighbor advertisement"
    case 143: "multicast listener report v2"
    case 144: "ha discovery request"
    case 145: "ha discovery reply"
    case 146: "mobile router solicitation"
    case 147: "mobile router advertisement"
    case 155: "RPL"
    case 200: "mtrace response"
    case 201: "mtrace message"
    default: nil
    }
  }
}
