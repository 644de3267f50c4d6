// DHCP's options (RFC 2132), one a line. Those with a form of their own are in LinePrinter+DHCPSpecial.swift.
import SwBPFPackets

/// Options that have a meaning here beyond their row in the table.
enum DHCPTag {
  static let pad: UInt8 = 0
  static let netbiosNode: UInt8 = 46
  static let overload: UInt8 = 52
  static let message: UInt8 = 53
  static let parameters: UInt8 = 55
  static let clientIdentifier: UInt8 = 61
  static let userClass: UInt8 = 77
  static let clientName: UInt8 = 81
  static let relayAgent: UInt8 = 82
  static let routes: UInt8 = 121
  static let microsoftRoutes: UInt8 = 249
  static let end: UInt8 = 255
}

extension LinePrinter {
  /// The magic cookie and the options behind it; false when one was not captured whole.
  ///
  /// - Parameter area: from the cookie, which is there, to the end of what was captured. Like tcpdump this looks for
  ///   options up to there, whatever the length of UDP says.
  func printDHCPOptions(_ area: RawSpan, to out: inout TextBuffer) -> Bool {
    out.append("\n\t  Vendor-rfc1048 Extensions\n\t    Magic Cookie 0x")
    out.append(hex: area.be32(at: 0), digits: 8)
    var position = 4
    while position < area.byteCount {
      let tag = area.u8(at: position)
      position += 1
      let isBare = tag == DHCPTag.pad || tag == DHCPTag.end
      if isBare, options.verbosity < 3 {
        if tag == DHCPTag.end { return true }
        continue
      }
      var length = 0
      if !isBare {
        guard area.holds(1, at: position) else { return endBOOTP(&out) }
        length = Int(area.u8(at: position))
        position += 1
      }
      out.append("\n\t    ")
      printDHCPTag(tag, to: &out)
      printLength(UInt32(length), to: &out)
      if length > 0 { out.append(": ") }
      if tag == DHCPTag.pad { position = printDHCPPadding(area, from: position, to: &out) }
      guard area.holds(length, at: position) else { return false }
      printDHCPData(tag, area.extracting(droppingFirst: position).extracting(first: length), to: &out)
      position += length
    }
    return true
  }

  /// How many bytes of padding there are in a row, if more than one. Returns where they end.
  private func printDHCPPadding(_ area: RawSpan, from start: Int, to out: inout TextBuffer) -> Int {
    var position = start
    while position < area.byteCount, area.u8(at: position) == DHCPTag.pad { position += 1 }
    if position > start {
      out.append(", occurs ")
      out.append(decimal: UInt32(position - start + 1))
    }
    return position
  }

  /// `Hostname (12)`
  private func printDHCPTag(_ tag: UInt8, to out: inout TextBuffer) {
    out.append(dhcpOption(tag).name)
    out.append(" (")
    out.append(decimal: UInt32(tag))
    out.append(byte: 0x29)
  }

  private func printDHCPData(_ tag: UInt8, _ data: RawSpan, to out: inout TextBuffer) {
    if tag == DHCPTag.message, data.byteCount == 1 { return printDHCPMessage(data.u8(at: 0), to: &out) }
    if tag == DHCPTag.parameters { return printDHCPParameters(data, to: &out) }
    var format = dhcpOption(tag).format
    if format == .unknown {
      format = data.byteCount & 1 != 0 ? .bytes : data.byteCount & 2 != 0 ? .shorts : .words
    }
    let used: Int
    switch format {
    case .text:
      printDHCPQuoted(data, to: &out)
      used = data.byteCount
    case .special: used = printDHCPSpecial(tag, data, to: &out)
    case .addresses, .words, .signedWords: used = printDHCPList(format, data, size: 4, to: &out)
    case .addressPairs: used = printDHCPList(format, data, size: 8, to: &out)
    case .shorts: used = printDHCPList(format, data, size: 2, to: &out)
    case .switches, .bytes, .unknown: used = printDHCPList(format, data, size: 1, to: &out)
    }
    if used < data.byteCount {
      out.append("\n\t  trailing data length ")
      out.append(decimal: UInt32(data.byteCount - used))
    }
  }

  private func printDHCPMessage(_ type: UInt8, to out: inout TextBuffer) {
    if let name = dhcpMessageName(type) { return out.append(name) }
    out.append("Unknown (")
    out.append(decimal: UInt32(type))
    out.append(byte: 0x29)
  }

  /// The options that a client asks for, four a line.
  private func printDHCPParameters(_ tags: RawSpan, to out: inout TextBuffer) {
    for index in 0..<tags.byteCount {
      out.append(index % 4 == 0 ? "\n\t      " : ", ")
      printDHCPTag(tags.u8(at: index), to: &out)
    }
  }

  /// Values of `size` bytes with commas between them. Returns how many bytes they took.
  private func printDHCPList(_ format: DHCPFormat, _ data: RawSpan, size: Int, to out: inout TextBuffer) -> Int {
    var position = 0
    while data.holds(size, at: position) {
      if position > 0 { out.append(byte: format == .bytes ? 0x2e : 0x2c) }
      switch format {
      case .addresses: out.append(ipv4: data.be32(at: position))
      case .addressPairs:
        out.append(byte: 0x28)
        out.append(ipv4: data.be32(at: position))
        out.append(byte: 0x3a)
        out.append(ipv4: data.be32(at: position + 4))
        out.append(byte: 0x29)
      case .signedWords:
        let value = Int32(bitPattern: data.be32(at: position))
        if value < 0 { out.append(byte: 0x2d) }
        out.append(decimal: value.magnitude)
      case .words: out.append(decimal: data.be32(at: position))
      case .shorts: out.append(decimal: UInt32(data.be16(at: position)))
      case .switches: printDHCPSwitch(data.u8(at: position), to: &out)
      default: out.append(decimal: UInt32(data.u8(at: position)))
      }
      position += size
    }
    return position
  }

  private func printDHCPSwitch(_ value: UInt8, to out: inout TextBuffer) {
    switch value {
    case 0: out.append(byte: 0x4e)
    case 1: out.append(byte: 0x59)
    default:
      out.append(decimal: UInt32(value))
      out.append(byte: 0x3f)
    }
  }

  func printDHCPQuoted(_ text: RawSpan, to out: inout TextBuffer) {
    out.append(byte: 0x22)
    out.append(visible: text)
    out.append(byte: 0x22)
  }
}
