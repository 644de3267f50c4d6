// DHCPv6 messages (RFC 8415). Their options are in LinePrinter+DHCPv6Options.swift.
import SwBPFPackets

extension LinePrinter {
  /// - Parameter bytes: from the message's first byte to the end of what was captured.
  func printDHCPv6(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    _ = printDHCPv6Message(bytes, length: length, level: 0, to: &out)
  }

  /// A message, which can lie in an option of another one; false when the whole line ends because an address of a
  /// relay was not captured.
  func printDHCPv6Message(_ bytes: RawSpan, length: UInt32, level: Int, to out: inout TextBuffer) -> Bool {
    out.append("dhcp6")
    guard bytes.holds(4) else {
      out.appendTruncationMark("dhcp6")
      return true
    }
    let type = bytes.u8(at: 0)
    out.append(byte: 0x20)
    if let name = dhcp6MessageName(type) {
      out.append(name)
    } else {
      out.append("msgtype-")
      out.append(decimal: UInt32(type))
    }
    if options.verbosity == 0 { return true }
    out.append(" (")
    let start: Int
    if type == 12 || type == 13 {
      guard printDHCPv6Address("linkaddr=", bytes, at: 2, to: &out),
        printDHCPv6Address(" peeraddr=", bytes, at: 18, to: &out)
      else { return false }
      start = 34
    } else {
      out.append("xid=")
      out.append(hex: bytes.be32(at: 0) & 0x00ff_ffff)
      start = 4
    }
    let end = min(bytes.byteCount, Int(length))
    guard printDHCPv6Options(bytes, from: start, to: end, level: level, &out) else { return false }
    out.append(byte: 0x29)
    return true
  }

  private func printDHCPv6Address(
    _ name: StaticString, _ bytes: RawSpan, at offset: Int, to out: inout TextBuffer
  ) -> Bool {
    guard bytes.holds(16, at: offset) else {
      out.appendTruncation("dhcp6")
      return false
    }
    out.append(name)
    out.append(ipv6: bytes, at: offset)
    return true
  }
}
