// Link types that carry no Ethernet header: Linux cooked captures, BSD's loopback, and bare IP.
import SwBPFPackets

extension LinePrinter {
  /// DLT_LINUX_SLL.
  mutating func printCooked(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(16) else { return out.appendTruncation("sll") }
    if options.linkHeader { printCookedHeader(frame, length: length, to: &out) }
    linkHeaderLength = 16
    if frame.be16(at: 2) == Self.radiotap { return printUndissected("802.11 radiotap", length: length &- 16, to: &out) }
    printCookedPayload(frame, type: frame.be16(at: 14), headerLength: 16, length: length, to: &out)
  }

  /// DLT_LINUX_SLL2, with the interface's name and the direction first.
  mutating func printCooked2(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(20) else { return out.appendTruncation("sll2") }
    interfaces.append(frame.be32(at: 4), to: &out)
    out.append(byte: 0x20)
    switch frame.u8(at: 10) {
    case 0: out.append("In  ")
    case 1: out.append("B   ")
    case 2: out.append("M   ")
    case 3: out.append("P   ")
    case 4: out.append("Out ")
    default: out.append("?   ")
    }
    if options.linkHeader { printCooked2Header(frame, length: length, to: &out) }
    linkHeaderLength = 20
    if frame.be16(at: 8) == Self.radiotap { return printUndissected("802.11 radiotap", length: length &- 20, to: &out) }
    printCookedPayload(frame, type: frame.be16(at: 0), headerLength: 20, length: length, to: &out)
  }

  /// ARPHRD_IEEE80211_RADIOTAP
  private static var radiotap: UInt16 { 803 }
  /// ETH_P_802_3 and ETH_P_802_2, which stand where an Ethernet type would.
  private static var novell: UInt16 { 1 }
  private static var llc: UInt16 { 4 }

  private mutating func printCookedPayload(
    _ frame: RawSpan, type first: UInt16, headerLength: Int, length whole: UInt32, to out: inout TextBuffer
  ) {
    var type = first
    var offset = headerLength
    while type == EtherType.vlan {
      guard frame.holds(4, at: offset) else {
        linkHeaderLength = frame.byteCount
        return out.appendTruncationMark("vlan")
      }
      if options.linkHeader { printTag(frame.be16(at: offset), to: &out) }
      type = frame.be16(at: offset + 2)
      if type <= EtherType.greatestLength { type = Self.llc }
      if !options.quiet {
        out.append("ethertype ")
        out.append(etherTypeName(type) ?? "Unknown")
        out.append(", ")
      }
      offset += 4
    }
    linkHeaderLength = offset
    let payload = frame.extracting(droppingFirst: offset)
    let length = whole &- UInt32(truncatingIfNeeded: offset)
    if type <= EtherType.greatestLength {
      if type == Self.novell { return printUndissected("IPX", length: length, to: &out) }
      if type == Self.llc {
        let headers = printLLC(payload, length: length, link: nil, to: &out)
        if headers >= 0 {
          linkHeaderLength += headers
          return
        }
      }
      return printUnknown(payload, to: &out)
    }
    if printPayload(of: type, payload, length: length, to: &out) { return }
    if !options.linkHeader {
      // The length behind the tags, as tcpdump counts it here.
      let counted = length &+ UInt32(truncatingIfNeeded: headerLength)
      if headerLength == 16 {
        printCookedHeader(frame, length: counted, to: &out)
      } else {
        printCooked2Header(frame, length: counted, to: &out)
      }
    }
    printUnknown(payload, to: &out)
  }

  private func printCookedHeader(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    switch frame.be16(at: 0) {
    case 0: out.append(" In ")
    case 1: out.append("  B ")
    case 2: out.append("  M ")
    case 3: out.append("  P ")
    case 4: out.append("Out ")
    default: out.append("  ? ")
    }
    if frame.be16(at: 4) == 6 {
      out.append(mac: frame, at: 6)
      out.append(byte: 0x20)
    }
    printCookedType(frame.be16(at: 14), length: length, to: &out)
  }

  private func printCooked2Header(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    out.append("ifindex ")
    out.append(decimal: frame.be32(at: 4))
    out.append(byte: 0x20)
    if frame.u8(at: 11) == 6 {
      out.append(mac: frame, at: 12)
      out.append(byte: 0x20)
    }
    printCookedType(frame.be16(at: 0), length: length, to: &out)
  }

  private func printCookedType(_ type: UInt16, length: UInt32, to out: inout TextBuffer) {
    if options.quiet { return }
    if type == Self.novell {
      out.append("802.3")
    } else if type == Self.llc {
      out.append("802.2")
    } else {
      out.append("ethertype ")
      printNameAndNumber(type <= EtherType.greatestLength ? nil : etherTypeName(type), of: type, to: &out)
    }
    printLengthColon(length, to: &out)
  }

  /// DLT_NULL and DLT_LOOP: an address family, in the byte order of whoever captured.
  mutating func printNull(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(4) else { return out.appendTruncation("null") }
    linkHeaderLength = 4
    var family = frame.le32(at: 0)
    if family & 0xffff_0000 != 0 { family = family.byteSwapped }
    if options.linkHeader { printNullHeader(family, length: length, to: &out) }
    let payload = frame.extracting(droppingFirst: 4)
    switch family {
    case 2: printIPv4(payload, length: length &- 4, to: &out)
    case 24, 28, 30: printIPv6(payload, length: length &- 4, to: &out)
    case 7: printUndissected("OSI", length: length &- 4, to: &out)
    case 16: printUndissected("Appletalk", length: length &- 4, to: &out)
    case 23: printUndissected("IPX", length: length &- 4, to: &out)
    default:
      if !options.linkHeader { printNullHeader(family, length: length, to: &out) }
      printUnknown(payload, to: &out)
    }
  }

  private func printNullHeader(_ family: UInt32, length: UInt32, to out: inout TextBuffer) {
    let name = addressFamilyName(family)
    if options.quiet {
      out.append(name ?? "Unknown AF ")
      if name == nil { out.append(decimal: family) }
    } else {
      out.append("AF ")
      out.append(name ?? "Unknown")
      out.append(" (")
      out.append(decimal: family)
      out.append(byte: 0x29)
    }
    printLengthColon(length, to: &out)
  }

  /// DLT_RAW: the version of IP is in the first byte.
  mutating func printRaw(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if options.linkHeader { out.append("ip: ") }
    let version = frame.u8(at: 0) >> 4
    switch version {
    case 4: printIPv4(frame, length: length, to: &out)
    case 6: printIPv6(frame, length: length, to: &out)
    default:
      out.append("unknown ip ")
      out.append(decimal: UInt32(version))
    }
  }
}
