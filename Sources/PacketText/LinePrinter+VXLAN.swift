// VXLAN (RFC 7348) and its generic protocol extension.
import SwBPFPackets

extension LinePrinter {
  /// The frame inside is printed on a line of its own.
  mutating func printVXLAN(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    out.append("VXLAN")
    if length < 8 { return out.appendInvalid() }
    guard bytes.holds(1) else { return out.appendTruncation("vxlan") }
    let flags = bytes.u8(at: 0)
    out.append(flags & 0x08 != 0 ? ", flags [I] (0x" : ", flags [invalid] (0x")
    out.append(hex: UInt32(flags), digits: 2)
    out.append("), ")
    guard bytes.holds(7) else { return out.appendTruncation("vxlan") }
    out.append("vni ")
    out.append(decimal: bytes.be24(at: 4))
    out.append(byte: 0x0a)
    guard bytes.holds(8) else { return out.appendTruncation("vxlan") }
    guard enter(&out) else { return }
    printEthernet(bytes.extracting(droppingFirst: 8), length: length - 8, to: &out)
  }

  mutating func printVXLANGPE(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    out.append("VXLAN-GPE, ")
    if length < 8 {
      out.append(" (len ")
      out.append(decimal: length)
      out.append(" < 8)")
      return out.appendInvalid()
    }
    guard bytes.holds(1) else { return out.appendTruncation("vxlan_gpe") }
    let flags = bytes.u8(at: 0)
    out.append("flags [")
    if flags & 0x0f == 0 { out.append("none") }
    if flags & 0x08 != 0 { out.append(byte: 0x49) }
    if flags & 0x04 != 0 { out.append(byte: 0x50) }
    if flags & 0x02 != 0 { out.append(byte: 0x42) }
    if flags & 0x01 != 0 { out.append(byte: 0x4f) }
    out.append("], ")
    guard bytes.holds(8) else { return out.appendTruncation("vxlan_gpe") }
    out.append("vni ")
    out.append(decimal: bytes.be24(at: 4))
    if options.verbosity > 0 { out.append("\n    ") } else { out.append(": ") }
    let payload = bytes.extracting(droppingFirst: 8)
    let rest = length - 8
    switch bytes.u8(at: 3) {
    case 1: printIPv4(payload, length: rest, to: &out)
    case 2: printIPv6(payload, length: rest, to: &out)
    case 3:
      guard enter(&out) else { return }
      printEthernet(payload, length: rest, to: &out)
    case 4: printUndissected("NSH", length: rest, to: &out)
    default:
      out.append("ERROR: unknown-next-protocol")
      out.appendInvalid()
    }
  }
}
