// What -v adds to ICMP: a wrong checksum, the packet that an error quotes, and the extensions behind it (RFC 4884).
import SwBPFPackets

extension LinePrinter {
  /// ` (wrong icmp cksum 1 (->2)!)`
  ///
  /// - Parameter bytes: the whole message.
  func printICMPChecksum(_ bytes: RawSpan, to out: inout TextBuffer) {
    let sum = InternetChecksum.of(bytes)
    if sum == 0 { return }
    guard bytes.holds(4) else { return out.appendTruncation("icmp") }
    out.append(" (wrong icmp cksum ")
    out.append(hex: UInt32(bytes.be16(at: 2)))
    out.append(" (->")
    out.append(hex: UInt32(rightChecksum(bytes.be16(at: 2), computed: sum)))
    out.append(")!)")
  }

  /// The packet in an error message on a line of its own, then the extensions.
  mutating func printQuoted(_ bytes: RawSpan, type: UInt8, length: UInt32, to out: inout TextBuffer) {
    switch type {
    case 3, 4, 5, 11, 12: break
    default: return
    }
    out.append("\n\t")
    guard bytes.holds(4, at: 8) else { return out.appendTruncation("icmp") }
    let quoted = bytes.be16(at: 10)
    if quoted < 4 { return out.appendTruncation("icmp") }
    printIPv4(
      bytes.extracting(droppingFirst: 8).extracting(first: Int(quoted)), length: UInt32(quoted), to: &out)
    if out.isCut || type == 4 || type == 5 || length <= Self.extensionStart { return }
    printExtensions(bytes, length: length, to: &out)
  }

  /// Header and at least 128 bytes of the quoted packet.
  private static var extensionStart: UInt32 { 136 }

  private func printExtensions(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    // The extension's header and one byte of its first object.
    guard bytes.holds(141) else { return out.appendTruncationMark("icmp") }
    var left = length - Self.extensionStart
    let isWhole = bytes.holds(Int(left), at: 136)
    let sum = isWhole ? InternetChecksum.of(bytes.extracting(droppingFirst: 136).extracting(first: Int(left))) : 0
    // Without a length field only a right checksum tells that there is an extension.
    if bytes.u8(at: 5) == 0, isWhole, sum != 0 { return }
    let version = bytes.u8(at: 136) >> 4
    out.append("\n\tICMP Multi-Part extension v")
    out.append(decimal: UInt32(version))
    if version != 2 { return out.append(" packet not supported") }
    if isWhole {
      out.append(", checksum 0x")
      out.append(hex: UInt32(bytes.be16(at: 138)), digits: 4)
      out.append(sum != 0 ? " (incorrect)" : " (correct)")
      printLength(left, to: &out)
    }
    left &-= 4
    var offset = 140
    while left > 4 {
      guard bytes.holds(4, at: offset) else { return out.appendTruncationMark("icmp") }
      let objectLength = UInt32(bytes.be16(at: offset))
      let kind = bytes.u8(at: offset + 2)
      let subtype = bytes.u8(at: offset + 3)
      out.append("\n\t  ")
      out.append(kind == 1 ? "MPLS Stack Entry" : kind == 2 ? "Interface Identification" : "unknown")
      out.append(" Object (")
      out.append(decimal: UInt32(kind))
      out.append("), Class-Type: ")
      out.append(decimal: UInt32(subtype))
      printLength(objectLength, to: &out)
      offset += 4
      left -= 4
      if kind == 0 || objectLength < 4 { return }
      let data = objectLength - 4
      if kind == 1, subtype == 1 {
        guard bytes.holds(4, at: offset) else { return out.appendTruncation("icmp") }
        printLabel(bytes.be32(at: offset), to: &out)
      } else if bytes.holds(0, at: offset) {
        out.appendHexLines(bytes.extracting(droppingFirst: offset).extracting(first: Int(data)), indent: "\n\t    ")
      }
      if left < data { return }
      left -= data
      offset += Int(data)
    }
  }

  /// An entry of an MPLS label stack.
  private func printLabel(_ entry: UInt32, to out: inout TextBuffer) {
    out.append("\n\t    label ")
    out.append(decimal: entry >> 12)
    out.append(", tc ")
    out.append(decimal: entry >> 9 & 7)
    if entry & 0x100 != 0 { out.append(", [S]") }
    out.append(", ttl ")
    out.append(decimal: entry & 0xff)
  }
}
