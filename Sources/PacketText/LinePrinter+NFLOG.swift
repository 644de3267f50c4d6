// Packets that netfilter's log group hands out (DLT_NFLOG): a header, attributes, and among them the packet.
import SwBPFPackets

extension LinePrinter {
  /// NFULA_PAYLOAD: the attribute that holds the packet, always the last.
  private static var payload: UInt16 { 9 }

  mutating func printNFLOG(_ frame: RawSpan, length whole: UInt32, to out: inout TextBuffer) {
    guard frame.holds(4) else { return out.appendTruncation("nflog") }
    if frame.u8(at: 1) != 0 {
      out.append("version ")
      out.append(decimal: UInt32(frame.u8(at: 1)))
      return out.append(" (unknown)")
    }
    if options.linkHeader { printNFLOGHeader(frame, length: whole, to: &out) }
    var offset = 4
    while offset < Int(whole) {
      guard frame.holds(4, at: offset) else { return out.appendTruncation("nflog") }
      // Lengths and kinds are in the byte order of whoever captured; savefiles are read where they were made.
      let size = (Int(frame.le16(at: offset)) + 3) & 0xfffc
      guard size >= 4, frame.holds(size, at: offset) else { return out.appendTruncation("nflog") }
      if frame.le16(at: offset + 2) == Self.payload {
        offset += 4
        break
      }
      offset += size
    }
    let packet = frame.extracting(droppingFirst: offset)
    let length = whole &- UInt32(truncatingIfNeeded: offset)
    switch frame.u8(at: 0) {
    case 2: printIPv4(packet, length: length, to: &out)
    case 10: printIPv6(packet, length: length, to: &out)
    default:
      if !options.linkHeader { printNFLOGHeader(frame, length: length &+ 4, to: &out) }
      printUnknown(packet, to: &out)
    }
  }

  /// `version 0, resource ID 5, family IPv4 (2), length 156: `
  private func printNFLOGHeader(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    let family = frame.u8(at: 0)
    let name: StaticString? = family == 2 ? "IPv4" : family == 10 ? "IPv6" : nil
    out.append("version ")
    out.append(decimal: UInt32(frame.u8(at: 1)))
    out.append(", resource ID ")
    out.append(decimal: UInt32(frame.be16(at: 2)))
    if !options.quiet {
      out.append(", family ")
      out.append(name ?? "Unknown")
      out.append(" (")
      out.append(decimal: UInt32(family))
      out.append(byte: 0x29)
    } else if let name {
      out.append(", ")
      out.append(name)
    } else {
      out.append(", Unknown NFLOG (0x")
      out.append(hex: UInt32(family), digits: 2)
      out.append(byte: 0x29)
    }
    printLengthColon(length, to: &out)
  }
}
