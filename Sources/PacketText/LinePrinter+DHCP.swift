// BOOTP (RFC 951), the frame in which DHCP's options travel.
import SwBPFPackets

/// Where the fields of a BOOTP message are.
private enum BOOTPField {
  static let client = 12
  static let yours = 16
  static let server = 20
  static let gateway = 24
  static let hardware = 28
  static let serverName = 44
  static let file = 108
  static let vendor = 236
}

extension LinePrinter {
  func printDHCP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if !printBOOTP(bytes, length: length, to: &out), !out.isCut { out.appendTruncationMark("bootp") }
  }

  /// Ends the packet's text at a field that tcpdump reads without asking whether it was captured.
  func endBOOTP(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("bootp")
    return false
  }

  /// False when a field was not captured whole.
  private func printBOOTP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(1) else { return endBOOTP(&out) }
    let operation = bytes.u8(at: 0)
    out.append("BOOTP/DHCP, ")
    switch operation {
    case 1: out.append("Request")
    case 2: out.append("Reply")
    default:
      out.append("unknown (0x")
      out.append(hex: UInt32(operation), digits: 2)
      out.append(byte: 0x29)
    }
    guard bytes.holds(3) else { return endBOOTP(&out) }
    let isEthernet = bytes.u8(at: 1) == 1 && bytes.u8(at: 2) == 6
    if isEthernet, operation == 1 {
      guard bytes.holds(6, at: BOOTPField.hardware) else { return endBOOTP(&out) }
      out.append(" from ")
      out.append(mac: bytes, at: BOOTPField.hardware)
    }
    printLength(length, to: &out)
    if options.verbosity == 0 { return true }
    return printBOOTPNumbers(bytes, to: &out) && printBOOTPAddresses(bytes, isEthernet: isEthernet, to: &out)
      && printBOOTPText("\n\t  sname \"", bytes, at: BOOTPField.serverName, size: 64, to: &out)
      && printBOOTPText("\n\t  file \"", bytes, at: BOOTPField.file, size: 128, to: &out)
      && printBOOTPVendor(bytes, to: &out)
  }

  private func printBOOTPNumbers(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(10) else { return false }
    let hardware = bytes.u8(at: 1)
    let hardwareLength = bytes.u8(at: 2)
    if hardware != 1 { printBOOTPNumber(", htype ", UInt32(hardware), to: &out) }
    if hardware != 1 || hardwareLength != 6 { printBOOTPNumber(", hlen ", UInt32(hardwareLength), to: &out) }
    if bytes.u8(at: 3) != 0 { printBOOTPNumber(", hops ", UInt32(bytes.u8(at: 3)), to: &out) }
    if bytes.be32(at: 4) != 0 {
      out.append(", xid 0x")
      out.append(hex: bytes.be32(at: 4))
    }
    if bytes.be16(at: 8) != 0 { printBOOTPNumber(", secs ", UInt32(bytes.be16(at: 8)), to: &out) }
    guard bytes.holds(12) else { return endBOOTP(&out) }
    let flags = bytes.be16(at: 10)
    out.append(flags & 0x8000 != 0 ? ", Flags [Broadcast]" : ", Flags [none]")
    if options.verbosity > 1 {
      out.append(" (0x")
      out.append(hex: UInt32(flags), digits: 4)
      out.append(byte: 0x29)
    }
    return true
  }

  private func printBOOTPNumber(_ name: StaticString, _ value: UInt32, to out: inout TextBuffer) {
    out.append(name)
    out.append(decimal: value)
  }

  private func printBOOTPAddresses(_ bytes: RawSpan, isEthernet: Bool, to out: inout TextBuffer) -> Bool {
    guard printBOOTPAddress("\n\t  Client-IP ", bytes, at: BOOTPField.client, to: &out),
      printBOOTPAddress("\n\t  Your-IP ", bytes, at: BOOTPField.yours, to: &out),
      printBOOTPAddress("\n\t  Server-IP ", bytes, at: BOOTPField.server, to: &out),
      printBOOTPAddress("\n\t  Gateway-IP ", bytes, at: BOOTPField.gateway, to: &out)
    else { return endBOOTP(&out) }
    if !isEthernet { return true }
    guard bytes.holds(6, at: BOOTPField.hardware) else { return endBOOTP(&out) }
    out.append("\n\t  Client-Ethernet-Address ")
    out.append(mac: bytes, at: BOOTPField.hardware)
    return true
  }

  /// Nothing for an address of zeros. False for one that was not captured.
  private func printBOOTPAddress(
    _ name: StaticString, _ bytes: RawSpan, at offset: Int, to out: inout TextBuffer
  ) -> Bool {
    guard bytes.holds(4, at: offset) else { return false }
    let address = bytes.be32(at: offset)
    if address == 0 { return true }
    out.append(name)
    out.append(ipv4: address)
    return true
  }

  /// A text of a fixed size, which must end in a zero; nothing for an empty one.
  private func printBOOTPText(
    _ name: StaticString, _ bytes: RawSpan, at start: Int, size: Int, to out: inout TextBuffer
  ) -> Bool {
    guard bytes.holds(1, at: start) else { return endBOOTP(&out) }
    if bytes.u8(at: start) == 0 { return true }
    out.append(name)
    let isEnded = out.append(visibleUntilZero: bytes.extracting(droppingFirst: start).extracting(first: size))
    out.append(byte: 0x22)
    return isEnded
  }

  private func printBOOTPVendor(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(4, at: BOOTPField.vendor) else { return false }
    let area = bytes.extracting(droppingFirst: BOOTPField.vendor)
    let cookie = area.be32(at: 0)
    switch cookie {
    case 0x6382_5363: return printDHCPOptions(area, to: &out)
    case 0x434d_5500: return printBOOTPCarnegieMellon(area, to: &out)
    case 0: break
    default:
      out.append("\n\t  Vendor-#0x")
      out.append(hex: cookie)
    }
    return true
  }

  /// The vendor's area of Carnegie Mellon University: flags and addresses.
  private func printBOOTPCarnegieMellon(_ area: RawSpan, to out: inout TextBuffer) -> Bool {
    out.append(" vend-cmu")
    guard area.holds(8) else { return false }
    let flags = area.u8(at: 4)
    if flags & ~1 != 0 {
      out.append(" F:0x")
      out.append(hex: UInt32(flags))
    }
    return printBOOTPAddress(" DG:", area, at: 12, to: &out)
      && printBOOTPAddress(flags & 1 != 0 ? " SM:" : " SM*:", area, at: 8, to: &out)
      && printBOOTPAddress(" NS1:", area, at: 16, to: &out) && printBOOTPAddress(" NS2:", area, at: 20, to: &out)
      && printBOOTPAddress(" IEN1:", area, at: 24, to: &out) && printBOOTPAddress(" IEN2:", area, at: 28, to: &out)
      && printBOOTPAddress(" TS1:", area, at: 32, to: &out) && printBOOTPAddress(" TS2:", area, at: 36, to: &out)
  }
}
