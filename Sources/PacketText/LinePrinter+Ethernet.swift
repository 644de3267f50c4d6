// Ethernet II and 802.3 frames with their VLAN tags, and what an Ethernet type stands for.
import SwBPFPackets

extension LinePrinter {
  /// - Returns: the bytes of link-level headers.
  @discardableResult
  mutating func printEthernet(_ frame: RawSpan, length whole: UInt32, to out: inout TextBuffer) -> Int {
    if whole < UInt32(clamping: frame.byteCount) {
      out.append("[length ")
      out.append(decimal: whole)
      out.append(" < caplen ")
      out.append(decimal: UInt32(clamping: frame.byteCount))
      out.append(byte: 0x5d)
      out.appendInvalid()
      return Int(whole)
    }
    guard let header = EthernetView(frame) else {
      out.appendTruncationMark("ether")
      return frame.byteCount
    }
    if options.linkHeader { printAddresses(frame, to: &out) }
    var type = header.type
    var offset = EthernetView.fixedLength
    var hasPrintedLength = false
    while EtherType.isTag(type) {
      guard frame.holds(4, at: offset) else {
        out.appendTruncationMark("vlan")
        return frame.byteCount
      }
      if options.linkHeader {
        printEtherType(type, to: &out)
        if hasPrintedLength { out.append(", ") } else { printLengthColon(whole, to: &out) }
        hasPrintedLength = true
        printTag(frame.be16(at: offset), to: &out)
      }
      type = frame.be16(at: offset + 2)
      offset += 4
    }
    var payload = frame.extracting(droppingFirst: offset)
    var length = whole &- UInt32(truncatingIfNeeded: offset)

    if type <= EtherType.greatestLength {
      if UInt32(type) < length {
        length = UInt32(type)
        payload = payload.extracting(first: Int(type))
      }
      if options.linkHeader {
        out.append("802.3")
        if !hasPrintedLength { printLengthColon(length, to: &out) }
      }
    }
    if type <= EtherType.greatestLength || type == EtherType.jumboLLC {
      let headers = printLLC(payload, length: length, link: frame, to: &out)
      if headers < 0 { printUnknown(payload, to: &out) }
      return offset + abs(headers)
    }
    if options.linkHeader {
      printEtherType(type, to: &out)
      if hasPrintedLength { out.append(", ") } else { printLengthColon(whole, to: &out) }
    }
    if printPayload(of: type, payload, length: length, to: &out) { return offset }
    if !options.linkHeader {
      printAddresses(frame, to: &out)
      printEtherType(type, to: &out)
      printLengthColon(whole, to: &out)
    }
    printUnknown(payload, to: &out)
    return offset
  }

  /// Prints the packet behind an Ethernet type; false, with nothing printed, when nobody knows the type.
  mutating func printPayload(
    of type: UInt16, _ payload: RawSpan, length: UInt32, to out: inout TextBuffer
  ) -> Bool {
    switch type {
    case EtherType.ipv4: printIPv4(payload, length: length, to: &out)
    case EtherType.ipv6: printIPv6(payload, length: length, to: &out)
    case EtherType.arp, EtherType.reverseARP: printARP(payload, length: length, to: &out)
    default:
      guard isDissectedElsewhere(etherType: type) else { return false }
      if let name = etherTypeName(type) {
        printUndissected(name, length: length, to: &out)
      } else {
        out.append("ethertype 0x")
        out.append(hex: UInt32(type), digits: 4)
        printLength(length, to: &out)
      }
    }
    return true
  }

  /// `source > destination, ` of the Ethernet header at the start of `frame`.
  private func printAddresses(_ frame: RawSpan, to out: inout TextBuffer) {
    out.append(mac: frame, at: 6)
    out.append(" > ")
    out.append(mac: frame, at: 0)
    out.append(", ")
  }

  func printEtherType(_ type: UInt16, to out: inout TextBuffer) {
    let name = etherTypeName(type)
    if options.quiet {
      if let name { return out.append(name) }
      out.append("Unknown Ethertype (0x")
      out.append(hex: UInt32(type), digits: 4)
      return out.append(byte: 0x29)
    }
    out.append("ethertype ")
    printNameAndNumber(name, of: type, to: &out)
  }

  /// `IPv4 (0x0800)`
  func printNameAndNumber(_ name: StaticString?, of type: UInt16, to out: inout TextBuffer) {
    out.append(name ?? "Unknown")
    out.append(" (0x")
    out.append(hex: UInt32(type), digits: 4)
    out.append(byte: 0x29)
  }

  /// `, length 60: `
  func printLengthColon(_ length: UInt32, to out: inout TextBuffer) {
    printLength(length, to: &out)
    out.append(": ")
  }

  /// `vlan 100, p 0, `
  func printTag(_ tag: UInt16, to out: inout TextBuffer) {
    out.append("vlan ")
    out.append(decimal: UInt32(tag & 0xfff))
    out.append(", p ")
    out.append(decimal: UInt32(tag >> 13))
    if tag & 0x1000 != 0 { out.append(", DEI") }
    out.append(", ")
  }
}
