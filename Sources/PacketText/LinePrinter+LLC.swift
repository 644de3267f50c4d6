// 802.2 logical link control, behind an 802.3 length.
import SwBPFPackets

extension LinePrinter {
  /// Prints an LLC frame.
  ///
  /// - Parameter link: the frame whose Ethernet addresses may be printed; nil for link types without.
  /// - Returns: the bytes of LLC and SNAP headers; negative when the caller shall dump the bytes.
  mutating func printLLC(
    _ bytes: RawSpan, length: UInt32, link: RawSpan?, to out: inout TextBuffer
  ) -> Int {
    guard bytes.holds(3), length >= 3 else { return endLLC(bytes, length: length, to: &out) }
    let destinationField = bytes.u8(at: 0)
    let sourceField = bytes.u8(at: 1)
    var control = UInt16(bytes.u8(at: 2))
    let isUnnumbered = control & 3 == 3
    var headerLength = 3
    if !isUnnumbered {
      guard bytes.holds(4), length >= 4 else { return endLLC(bytes, length: length, to: &out) }
      control = bytes.le16(at: 2)
      headerLength = 4
    }
    if sourceField == 0xff, destinationField == 0xff {
      if options.linkHeader { out.append("IPX 802.3: ") }
      printUndissected("IPX", length: length, to: &out)
      return 0
    }
    let destination = destinationField & 0xfe
    let source = sourceField & 0xfe
    if options.linkHeader {
      printAccessPoint("LLC, dsap ", destination, group: destinationField & 1 == 0 ? "Individual" : "Group", to: &out)
      printAccessPoint(", ssap ", source, group: sourceField & 1 == 0 ? "Command" : "Response", to: &out)
      out.append(", ctrl 0x")
      out.append(hex: UInt32(control), digits: isUnnumbered ? 2 : 4)
      out.append(": ")
    }
    let payload = bytes.extracting(droppingFirst: headerLength)
    let rest = length &- UInt32(truncatingIfNeeded: headerLength)
    if source == destination, control == 3 {
      switch source {
      case 0xaa:
        return printSNAP(payload, length: rest, link: link, to: &out) ? headerLength + 5 : -headerLength - 5
      case 0x06:
        printIPv4(payload, length: rest, to: &out)
        return headerLength
      case 0x42:
        printUndissected("STP", length: rest, to: &out)
        return headerLength
      case 0xe0:
        if options.linkHeader { out.append("IPX 802.2: ") }
        printUndissected("IPX", length: rest, to: &out)
        return headerLength
      case 0xfe:
        printUndissected("OSI", length: rest, to: &out)
        return headerLength
      default: break
      }
    }
    if !options.linkHeader { printAccessPoints(destination, source, link: link, to: &out) }
    let isResponse = sourceField & 1 != 0
    if isUnnumbered {
      out.append("Unnumbered, ")
      printCommand(UInt8(truncatingIfNeeded: control) & 0xef, to: &out)
      printFlags(isResponse: isResponse, isPoll: control & 0x10 != 0, length: length, to: &out)
      if control & 0xef == 0xaf {
        if rest == 0 { return headerLength }
        guard payload.holds(1) else {
          out.appendTruncationMark("llc")
          return headerLength
        }
        if payload.u8(at: 0) == 0x81 {
          guard payload.holds(3), rest >= 3 else {
            out.appendTruncationMark("llc")
            out.appendHexAndText(payload)
            return headerLength
          }
          out.append(": ")
          out.append(hex: UInt32(payload.u8(at: 1)), digits: 2)
          out.append(byte: 0x20)
          out.append(hex: UInt32(payload.u8(at: 2)), digits: 2)
          return headerLength
        }
      }
      return -headerLength
    }
    let isSupervisory = control & 1 == 1
    if isSupervisory {
      out.append("Supervisory, ")
      switch (control >> 2) & 3 {
      case 0: out.append("Receiver Ready")
      case 1: out.append("Receiver not Ready")
      case 2: out.append("Reject")
      default: out.append("?")
      }
    } else {
      out.append("Information, send seq ")
      out.append(decimal: UInt32(control >> 1) & 0x7f)
    }
    out.append(", rcv seq ")
    out.append(decimal: UInt32(control >> 9) & 0x7f)
    printFlags(isResponse: isResponse, isPoll: control & 0x100 != 0, length: length, to: &out)
    return isSupervisory ? headerLength : -headerLength
  }

  private func endLLC(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Int {
    out.appendTruncationMark("llc")
    out.appendHexAndText(bytes)
    return min(bytes.byteCount, Int(length))
  }

  private func printFlags(isResponse: Bool, isPoll: Bool, length: UInt32, to out: inout TextBuffer) {
    out.append(", Flags [")
    switch (isResponse, isPoll) {
    case (false, false): out.append("Command")
    case (true, false): out.append("Response")
    case (false, true): out.append("Poll")
    case (true, true): out.append("Final")
    }
    out.append(byte: 0x5d)
    printLength(length, to: &out)
  }

  private func printCommand(_ command: UInt8, to out: inout TextBuffer) {
    switch command {
    case 0x03: out.append("ui")
    case 0xe3: out.append("test")
    case 0xaf: out.append("xid")
    case 0x63: out.append("ua")
    case 0x43: out.append("disc")
    case 0x0f: out.append("dm")
    case 0x6f: out.append("sabme")
    case 0x87: out.append("frmr")
    default: out.append(hex: UInt32(command), digits: 2)
    }
  }

  private func printAccessPoint(
    _ title: StaticString, _ point: UInt8, group: StaticString, to out: inout TextBuffer
  ) {
    out.append(title)
    out.append(accessPointName(point) ?? "Unknown")
    out.append(" (0x")
    out.append(hex: UInt32(point), digits: 2)
    out.append(") ")
    out.append(group)
  }

  private func printAccessPoints(
    _ destination: UInt8, _ source: UInt8, link: RawSpan?, to out: inout TextBuffer
  ) {
    if let link {
      out.append(mac: link, at: 6)
      out.append(byte: 0x20)
    }
    if source != destination {
      printAccessPoint(source, unknown: "Unknown SSAP 0x", to: &out)
      out.append(byte: 0x20)
    }
    if let link {
      out.append("> ")
      out.append(mac: link, at: 0)
      out.append(byte: 0x20)
    } else if source != destination {
      out.append("> ")
    }
    printAccessPoint(destination, unknown: "Unknown DSAP 0x", to: &out)
    out.append(byte: 0x20)
  }

  private func printAccessPoint(_ point: UInt8, unknown: StaticString, to out: inout TextBuffer) {
    if let name = accessPointName(point) { return out.append(name) }
    out.append(unknown)
    out.append(hex: UInt32(point), digits: 2)
  }

  private func accessPointName(_ point: UInt8) -> StaticString? {
    switch point {
    case 0x00: "Null"
    case 0x02: "802.1B I"
    case 0x04: "SNA"
    case 0x06: "IP"
    case 0x0e: "ProWay NM"
    case 0x42: "STP"
    case 0x4e: "RS511"
    case 0x7e: "ISO8208"
    case 0x8e: "ProWay"
    case 0xaa: "SNAP"
    case 0xe0: "IPX"
    case 0xf0: "NetBeui"
    case 0xfe: "OSI"
    default: nil
    }
  }
}
