// GRE, version 0 (RFC 1701 and 2784) and version 1 (PPTP, RFC 2637).
import SwBPFPackets

extension LinePrinter {
  mutating func printGRE(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard bytes.holds(2), length >= 2 else { return out.appendTruncationMark("gre") }
    let flags = bytes.be16(at: 0)
    out.append("GREv")
    out.append(decimal: UInt32(flags & 7))
    switch flags & 7 {
    case 0: printGRE0(bytes, length: length, to: &out)
    case 1: printGRE1(bytes, length: length, to: &out)
    default: out.append(" ERROR: unknown-version")
    }
  }

  private mutating func printGRE0(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    let flags = bytes.be16(at: 0)
    if options.verbosity > 0 { printGREFlags(flags, to: &out) }
    var offset = 2
    guard isGRE(bytes, length, 2, at: offset) else { return out.appendTruncationMark("gre") }
    let type = bytes.be16(at: offset)
    offset += 2
    if flags & (GREFlag.checksum | GREFlag.routing) != 0 {
      guard isGRE(bytes, length, 2, at: offset) else { return out.appendTruncationMark("gre") }
      if options.verbosity > 0 {
        out.append(", sum 0x")
        out.append(hex: UInt32(bytes.be16(at: offset)))
      }
      offset += 2
      guard isGRE(bytes, length, 2, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", off 0x")
      out.append(hex: UInt32(bytes.be16(at: offset)))
      offset += 2
    }
    if flags & GREFlag.key != 0 {
      guard isGRE(bytes, length, 4, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", key=0x")
      out.append(hex: bytes.be32(at: offset))
      offset += 4
    }
    if flags & GREFlag.sequence != 0 {
      guard isGRE(bytes, length, 4, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", seq ")
      out.append(decimal: bytes.be32(at: offset))
      offset += 4
    }
    if flags & GREFlag.routing != 0 {
      guard printSourceRoutes(bytes, length: length, at: &offset, to: &out) else {
        return out.appendTruncationMark("gre")
      }
    }
    printGREEnd(type, length: length, to: &out)
    printGREColon(to: &out)
    let payload = bytes.extracting(droppingFirst: offset)
    let rest = length - UInt32(truncatingIfNeeded: offset)
    switch type {
    case EtherType.ipv4: printIPv4(payload, length: rest, to: &out)
    case EtherType.ipv6: printIPv6(payload, length: rest, to: &out)
    case EtherType.bridging:
      guard enter(&out) else { return }
      printEthernet(payload, length: rest, to: &out)
    case 0x00fe, 0x809b, 0x8137, 0x8847:
      // tcpdump's printers for these are not here.
      printUndissected(etherTypeName(type) ?? "unknown", length: rest, to: &out)
    default: printGREProtocol(type, to: &out)
    }
  }

  private mutating func printGRE1(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    let flags = bytes.be16(at: 0)
    if options.verbosity > 0 { printGREFlags(flags, to: &out) }
    var offset = 2
    guard isGRE(bytes, length, 2, at: offset) else { return out.appendTruncationMark("gre") }
    let type = bytes.be16(at: offset)
    offset += 2
    if flags & GREFlag.key != 0 {
      guard isGRE(bytes, length, 4, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", call ")
      out.append(decimal: UInt32(bytes.be16(at: offset + 2)))
      offset += 4
    }
    if flags & GREFlag.sequence != 0 {
      guard isGRE(bytes, length, 4, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", seq ")
      out.append(decimal: bytes.be32(at: offset))
      offset += 4
    }
    if flags & GREFlag.acknowledgement != 0 {
      guard isGRE(bytes, length, 4, at: offset) else { return out.appendTruncationMark("gre") }
      out.append(", ack ")
      out.append(decimal: bytes.be32(at: offset))
      offset += 4
    }
    let hasPayload = flags & GREFlag.sequence != 0
    if !hasPayload { out.append(", no-payload") }
    printGREEnd(type, length: length, to: &out)
    if !hasPayload { return }
    printGREColon(to: &out)
    if type == EtherType.ppp {
      printPPP(
        bytes.extracting(droppingFirst: offset), length: length - UInt32(truncatingIfNeeded: offset), to: &out)
    } else {
      printGREProtocol(type, to: &out)
    }
  }

  /// Whether `count` bytes at `offset` were captured and belong to the packet.
  @inline(__always)
  private func isGRE(_ bytes: RawSpan, _ length: UInt32, _ count: Int, at offset: Int) -> Bool {
    bytes.holds(count, at: offset) && Int(length) >= offset + count
  }

  /// `, Flags [key present, sequence# present]`
  private func printGREFlags(_ flags: UInt16, to out: inout TextBuffer) {
    out.append(", Flags [")
    let start = out.count
    func name(_ flag: UInt16, _ text: StaticString, _ out: inout TextBuffer) {
      if flags & flag == 0 { return }
      if out.count > start { out.append(", ") }
      out.append(text)
    }
    name(GREFlag.checksum, "checksum present", &out)
    name(GREFlag.routing, "routing present", &out)
    name(GREFlag.key, "key present", &out)
    name(GREFlag.sequence, "sequence# present", &out)
    name(GREFlag.strictRoute, "source routing present", &out)
    name(GREFlag.acknowledgement, "ack present", &out)
    if out.count == start { out.append("none") }
    out.append(byte: 0x5d)
  }

  private func printGREEnd(_ type: UInt16, length: UInt32, to out: inout TextBuffer) {
    if options.linkHeader {
      out.append(", proto ")
      out.append(etherTypeName(type) ?? "unknown")
      out.append(" (0x")
      out.append(hex: UInt32(type), digits: 4)
      out.append(byte: 0x29)
    }
    printLength(length, to: &out)
  }

  private func printGREColon(to out: inout TextBuffer) {
    if options.verbosity > 0 { out.append("\n\t") } else { out.append(": ") }
  }

  private func printGREProtocol(_ type: UInt16, to out: inout TextBuffer) {
    out.append("gre-proto-0x")
    out.append(hex: UInt32(type))
  }

  /// The entries of a routing field up to the empty one; false when they end before it.
  private func printSourceRoutes(
    _ bytes: RawSpan, length: UInt32, at offset: inout Int, to out: inout TextBuffer
  ) -> Bool {
    while true {
      guard isGRE(bytes, length, 4, at: offset) else { return false }
      let family = bytes.be16(at: offset)
      let position = Int(bytes.u8(at: offset + 2))
      let count = Int(bytes.u8(at: offset + 3))
      offset += 4
      if family == 0, count == 0 { return true }
      switch family {
      case 0x0800, 0xfffe:
        let isIP = family == 0x0800
        out.append(isIP ? ", (rtaf=ip" : ", (rtaf=asn")
        let isWhole = printSourceRoute(
          bytes, length: length, at: offset, position, count, unit: isIP ? 4 : 2, to: &out)
        out.append(byte: 0x29)
        if !isWhole { return false }
      default:
        out.append(", (rtaf=0x")
        out.append(hex: UInt32(family))
        out.append(byte: 0x29)
      }
      guard Int(length) >= offset + count else { return false }
      offset += count
    }
  }

  /// Addresses of four bytes or numbers of two, with a star before the one that comes next.
  private func printSourceRoute(
    _ bytes: RawSpan, length: UInt32, at offset: Int, _ position: Int, _ count: Int, unit: Int,
    to out: inout TextBuffer
  ) -> Bool {
    if position % unit != 0 || count % unit != 0 {
      out.append(position % unit != 0 ? ", badoffset=" : ", badlength=")
      out.append(decimal: UInt32(position % unit != 0 ? position : count))
      return true
    }
    if position >= count {
      out.append(", badoff/len=")
      out.append(decimal: UInt32(position))
      out.append(byte: 0x2f)
      out.append(decimal: UInt32(count))
      return true
    }
    var index = 0
    while index < count {
      guard isGRE(bytes, length, unit, at: offset + index) else { return false }
      out.append(byte: 0x20)
      if index == position { out.append(byte: 0x2a) }
      if unit == 4 {
        out.append(ipv4: bytes.be32(at: offset + index))
      } else {
        out.append(hex: UInt32(bytes.be16(at: offset + index)))
      }
      index += unit
    }
    return true
  }
}

private enum GREFlag {
  static let checksum: UInt16 = 0x8000
  static let routing: UInt16 = 0x4000
  static let key: UInt16 = 0x2000
  static let sequence: UInt16 = 0x1000
  static let strictRoute: UInt16 = 0x0800
  /// Version 1 only.
  static let acknowledgement: UInt16 = 0x0080
}
