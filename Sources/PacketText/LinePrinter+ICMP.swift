// ICMP for IPv4.
import SwBPFPackets

extension LinePrinter {
  /// A message is printed whole or not at all, so each branch asks first for the last byte it needs.
  mutating func printICMP(_ bytes: RawSpan, length: UInt32, isFragment: Bool, to out: inout TextBuffer) {
    guard bytes.holds(2), bytes.holds(neededICMP(bytes)) else { return endICMP(bytes, to: &out) }
    let type = bytes.u8(at: 0)
    let code = bytes.u8(at: 1)
    out.append("ICMP ")
    switch type {
    case 0, 8:
      out.append(type == 8 ? "echo request" : "echo reply")
      printIdentifierAndSequence(bytes, comma: true, to: &out)
    case 3: printUnreachable(bytes, code, to: &out)
    case 4: out.append("source quench")
    case 5: printRedirect(bytes, code, to: &out)
    case 9: printRouterAdvertisement(bytes, to: &out)
    case 10: out.append("router solicitation")
    case 11:
      switch code {
      case 0: out.append("time exceeded in-transit")
      case 1: out.append("ip reassembly time exceeded")
      default:
        out.append("time exceeded-#")
        out.append(decimal: UInt32(code))
      }
    case 12:
      out.append(code != 0 ? "parameter problem - code " : "parameter problem - octet ")
      out.append(decimal: UInt32(code != 0 ? code : bytes.u8(at: 4)))
    case 13:
      out.append("time stamp query")
      printIdentifierAndSequence(bytes, comma: false, to: &out)
    case 14:
      out.append("time stamp reply")
      printIdentifierAndSequence(bytes, comma: false, to: &out)
      out.append(": org ")
      printMilliseconds(bytes.be32(at: 8), to: &out)
      out.append(", recv ")
      printMilliseconds(bytes.be32(at: 12), to: &out)
      out.append(", xmit ")
      printMilliseconds(bytes.be32(at: 16), to: &out)
    case 15: out.append("information request")
    case 16: out.append("information reply")
    case 17: out.append("address mask request")
    case 18:
      out.append("address mask is 0x")
      out.append(hex: bytes.be32(at: 8), digits: 8)
    default:
      out.append("type-#")
      out.append(decimal: UInt32(type))
    }
    printLength(length, to: &out)
    if options.verbosity == 0 { return }
    if !isFragment, bytes.holds(Int(length)) { printICMPChecksum(bytes.extracting(first: Int(length)), to: &out) }
    if out.isCut { return }
    printQuoted(bytes, type: type, length: length, to: &out)
  }

  /// ` [|icmp]`. tcpdump asks for some fields before it reads them, and leaves only this printer then.
  private func endICMP(_ bytes: RawSpan, to out: inout TextBuffer) {
    guard bytes.holds(2) else { return out.appendTruncation("icmp") }
    let asksFirst =
      switch bytes.u8(at: 0) {
      case 3: bytes.u8(at: 1) == 3 && !bytes.holds(18)
      case 9, 11, 14: true
      default: false
      }
    if asksFirst { out.appendTruncationMark("icmp") } else { out.appendTruncation("icmp") }
  }

  /// How many bytes the message's text is made from.
  private func neededICMP(_ bytes: RawSpan) -> Int {
    switch bytes.u8(at: 0) {
    case 0, 8, 13: 8
    case 3:
      // The port lies behind the inner header, whose length is in its first byte.
      if bytes.u8(at: 1) == 3, bytes.holds(18) {
        max(28, 8 + Int(bytes.u8(at: 8) & 0xf) * 4 + 4)
      } else {
        28
      }
    case 5, 11: 28
    case 9:
      if bytes.holds(8), bytes.u8(at: 5) == 2 { 8 + 8 * Int(bytes.u8(at: 4)) } else { 8 }
    case 12: bytes.u8(at: 1) != 0 ? 2 : 5
    case 14: 20
    case 18: 12
    default: 2
    }
  }

  private func printIdentifierAndSequence(_ bytes: RawSpan, comma: Bool, to out: inout TextBuffer) {
    out.append(comma ? ", id " : " id ")
    out.append(decimal: UInt32(bytes.be16(at: 4)))
    out.append(comma ? ", seq " : " seq ")
    out.append(decimal: UInt32(bytes.be16(at: 6)))
  }

  private func printUnreachable(_ bytes: RawSpan, _ code: UInt8, to out: inout TextBuffer) {
    switch code {
    case 0, 6, 9, 11: out.append("net ")
    case 1, 7, 10, 12, 13, 14, 15: out.append("host ")
    default: break
    }
    out.append(ipv4: bytes.be32(at: 24))
    let transport = bytes.u8(at: 17)
    switch code {
    case 2:
      out.append(" protocol ")
      out.append(decimal: UInt32(transport))
      out.append(" unreachable")
    case 3:
      switch transport {
      case IPProtocol.tcp: out.append(" tcp port ")
      case IPProtocol.udp: out.append(" udp port ")
      default:
        out.append(" protocol ")
        out.append(decimal: UInt32(transport))
        out.append(" port ")
      }
      out.append(decimal: UInt32(bytes.be16(at: 8 + Int(bytes.u8(at: 8) & 0xf) * 4 + 2)))
      out.append(" unreachable")
    case 4:
      out.append(" unreachable - need to frag")
      let mtu = bytes.be16(at: 6)
      if mtu != 0 {
        out.append(" (mtu ")
        out.append(decimal: UInt32(mtu))
        out.append(byte: 0x29)
      }
    case 0, 1: out.append(" unreachable")
    case 5: out.append(" unreachable - source route failed")
    case 6, 7: out.append(" unreachable - unknown")
    case 8: out.append(" unreachable - source host isolated")
    case 9, 10: out.append(" unreachable - admin prohibited")
    case 11, 12: out.append(" unreachable - tos prohibited")
    case 13: out.append(" unreachable - admin prohibited filter")
    case 14: out.append(" unreachable - host precedence violation")
    case 15: out.append(" unreachable - precedence cutoff")
    default:
      out.append(" unreachable - #")
      out.append(decimal: UInt32(code))
    }
  }

  private func printRedirect(_ bytes: RawSpan, _ code: UInt8, to out: inout TextBuffer) {
    switch code {
    case 0, 1: out.append("redirect ")
    case 2, 3: out.append("redirect-tos ")
    default:
      out.append("redirect-#")
      out.append(decimal: UInt32(code))
      out.append(byte: 0x20)
    }
    out.append(ipv4: bytes.be32(at: 24))
    switch code {
    case 0, 2: out.append(" to net ")
    case 1, 3: out.append(" to host ")
    default: out.append(" to ")
    }
    out.append(ipv4: bytes.be32(at: 4))
  }

  private func printRouterAdvertisement(_ bytes: RawSpan, to out: inout TextBuffer) {
    let start = out.count
    out.append("router advertisement lifetime ")
    let lifetime = UInt32(bytes.be16(at: 6))
    if lifetime >= 3600 {
      out.append(decimal: lifetime / 3600)
      out.append(byte: 0x3a)
    }
    if lifetime >= 60 {
      out.append(decimal: lifetime % 3600 / 60, width: lifetime >= 3600 ? 2 : 1)
      out.append(byte: 0x3a)
    }
    out.append(decimal: lifetime % 60, width: lifetime >= 60 ? 2 : 1)
    out.append(byte: 0x20)
    let count = Int(bytes.u8(at: 4))
    out.append(decimal: UInt32(count))
    out.append(byte: 0x3a)
    if bytes.u8(at: 5) != 2 {
      out.append(" [size ")
      out.append(decimal: UInt32(bytes.u8(at: 5)))
      out.append(byte: 0x5d)
      return
    }
    for index in 0..<count {
      out.append(" {")
      out.append(ipv4: bytes.be32(at: 8 + 8 * index))
      out.append(byte: 0x20)
      out.append(decimal: bytes.be32(at: 12 + 8 * index))
      out.append(byte: 0x7d)
    }
    // tcpdump builds the message in a buffer of 64 + 100 bytes.
    out.truncate(to: start + 163)
  }

  /// `hh:mm:ss.mmm` since midnight.
  private func printMilliseconds(_ value: UInt32, to out: inout TextBuffer) {
    let seconds = value / 1000
    out.append(decimal: seconds / 3600, width: 2)
    out.append(byte: 0x3a)
    out.append(decimal: seconds / 60 % 60, width: 2)
    out.append(byte: 0x3a)
    out.append(decimal: seconds % 60, width: 2)
    out.append(byte: 0x2e)
    out.append(decimal: value % 1000, width: 3)
  }
}
