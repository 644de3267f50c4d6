// DHCP's options with a form of their own.
import SwBPFPackets

extension LinePrinter {
  /// Returns how many bytes of the data were used.
  func printDHCPSpecial(_ tag: UInt8, _ data: RawSpan, to out: inout TextBuffer) -> Int {
    let least: Int
    switch tag {
    case DHCPTag.clientName: least = 3
    case DHCPTag.routes, DHCPTag.microsoftRoutes: least = 5
    case DHCPTag.userClass: least = 2
    case DHCPTag.relayAgent: least = 0
    default: least = 1
    }
    if data.byteCount < least {
      out.append("[ERROR: length < ")
      out.append(decimal: UInt32(least))
      out.append(" bytes]")
      return data.byteCount
    }
    switch tag {
    case DHCPTag.clientName: printDHCPClientName(data, to: &out)
    case DHCPTag.routes, DHCPTag.microsoftRoutes: printDHCPRoutes(data, to: &out)
    case DHCPTag.userClass: printDHCPUserClass(data, to: &out)
    case DHCPTag.relayAgent: return printDHCPRelayAgent(data, to: &out)
    case DHCPTag.clientIdentifier: printDHCPClientIdentifier(data, to: &out)
    case DHCPTag.netbiosNode:
      switch data.u8(at: 0) {
      case 1: out.append("b-node")
      case 2: out.append("p-node")
      case 4: out.append("m-node")
      case 8: out.append("h-node")
      default: printDHCPNumber(data.u8(at: 0), to: &out)
      }
      return 1
    default:
      switch data.u8(at: 0) {
      case 1: out.append("file")
      case 2: out.append("sname")
      case 3: out.append("file+sname")
      default: printDHCPNumber(data.u8(at: 0), to: &out)
      }
      return 1
    }
    return data.byteCount
  }

  /// `#77`
  private func printDHCPNumber(_ value: UInt8, to out: inout TextBuffer) {
    out.append(byte: 0x23)
    out.append(decimal: UInt32(value))
  }

  /// RFC 4702: flags, two results, and the name.
  private func printDHCPClientName(_ data: RawSpan, to out: inout TextBuffer) {
    let flags = data.u8(at: 0)
    if flags & 0xf0 != 0 {
      out.append("[ERROR: MBZ nibble 0x")
      out.append(hex: UInt32(flags >> 4))
      out.append(" != 0] ")
    }
    if flags & 0x0f != 0 {
      out.append(byte: 0x5b)
      if flags & 1 != 0 { out.append(byte: 0x53) }
      if flags & 2 != 0 { out.append(byte: 0x4f) }
      if flags & 4 != 0 { out.append(byte: 0x45) }
      if flags & 8 != 0 { out.append(byte: 0x4e) }
      out.append("] ")
    }
    if data.be16(at: 1) != 0 {
      out.append(decimal: UInt32(data.u8(at: 1)))
      out.append(byte: 0x2f)
      out.append(decimal: UInt32(data.u8(at: 2)))
      out.append(byte: 0x20)
    }
    printDHCPQuoted(data.extracting(droppingFirst: 3), to: &out)
  }

  private func printDHCPClientIdentifier(_ data: RawSpan, to out: inout TextBuffer) {
    let type = data.u8(at: 0)
    let rest = data.extracting(droppingFirst: 1)
    switch type {
    case 0: return printDHCPQuoted(rest, to: &out)
    case 1: out.append("ether ")
    case 6: out.append("ieee802 ")
    case 7: out.append("arcnet ")
    case 15: out.append("frelay ")
    case 23: out.append("strip ")
    case 24: out.append("ieee1394 ")
    default:
      out.append("hardware-type ")
      out.append(decimal: UInt32(type))
      out.append(", ")
    }
    out.append(hexOf: rest, separator: 0x3a)
  }

  /// Suboptions of relay agents (RFC 3046), one a line. Returns how many bytes were used: a last one is left over.
  private func printDHCPRelayAgent(_ data: RawSpan, to out: inout TextBuffer) -> Int {
    var position = 0
    while data.holds(2, at: position) {
      let code = data.u8(at: position)
      let length = Int(data.u8(at: position + 1))
      position += 2
      let name: StaticString? =
        switch code {
        case 1: "Circuit-ID"
        case 2: "Remote-ID"
        case 6: "Subscriber-ID"
        default: nil
        }
      out.append("\n\t      ")
      out.append(name ?? "Unknown")
      out.append(" SubOption ")
      out.append(decimal: UInt32(code))
      printLength(UInt32(length), to: &out)
      out.append(": ")
      guard data.holds(length, at: position) else {
        out.append("length goes past end of option")
        return data.byteCount
      }
      let text = data.extracting(droppingFirst: position).extracting(first: length)
      if name != nil { out.append(visible: text) } else { out.appendHexLines(text, indent: "\n\t\t") }
      position += length
    }
    return position
  }

  /// Classless routes (RFC 3442): `(10.1.0.0/16:10.0.0.1),(default:10.0.0.1)`.
  private func printDHCPRoutes(_ data: RawSpan, to out: inout TextBuffer) {
    var position = 0
    while position < data.byteCount {
      if position > 0 { out.append(byte: 0x2c) }
      let width = data.u8(at: position)
      position += 1
      if width > 32 {
        out.append("[ERROR: Mask width (")
        out.append(decimal: UInt32(width))
        return out.append(") > 32]")
      }
      let octets = (Int(width) + 7) / 8
      guard data.holds(octets + 4, at: position) else {
        out.append("[ERROR: Remaining length (")
        out.append(decimal: UInt32(data.byteCount - position))
        out.append(") < ")
        out.append(decimal: UInt32(octets + 4))
        return out.append(" bytes]")
      }
      out.append(byte: 0x28)
      if width == 0 {
        out.append("default")
      } else {
        for index in 0..<4 {
          if index > 0 { out.append(byte: 0x2e) }
          out.append(decimal: index < octets ? UInt32(data.u8(at: position + index)) : 0)
        }
        out.append(byte: 0x2f)
        out.append(decimal: UInt32(width))
      }
      out.append(byte: 0x3a)
      out.append(ipv4: data.be32(at: position + octets))
      out.append(byte: 0x29)
      position += octets + 4
    }
  }

  /// RFC 3004: texts with a length each, one a line.
  private func printDHCPUserClass(_ data: RawSpan, to out: inout TextBuffer) {
    var position = 0
    var instance: UInt32 = 1
    while position < data.byteCount {
      let length = Int(data.u8(at: position))
      position += 1
      out.append("\n\t      instance#")
      out.append(decimal: instance)
      out.append(": ")
      if length == 0 { return out.append("[ERROR: suboption length must be non-zero]") }
      guard data.holds(length, at: position) else { return out.append("[ERROR: invalid option]") }
      printDHCPQuoted(data.extracting(droppingFirst: position).extracting(first: length), to: &out)
      printLength(UInt32(length), to: &out)
      instance += 1
      position += length
    }
  }
}
