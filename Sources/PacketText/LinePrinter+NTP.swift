// NTP (RFC 5905): time messages, and the header of control messages.
import SwBPFPackets

extension LinePrinter {
  func printNTP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard bytes.holds(1) else { return out.appendTruncation("ntp") }
    let status = bytes.u8(at: 0)
    let mode = status & 7
    out.append("NTPv")
    out.append(decimal: UInt32(status >> 3 & 7))
    out.append(", ")
    out.append(ntpModeName(mode))
    printLength(length, to: &out)
    if options.verbosity == 0 { return }
    out.append("\n\tLeap indicator: ")
    switch status >> 6 {
    case 0: break
    case 1: out.append("+1s")
    case 2: out.append("-1s")
    default: out.append("clock unsynchronized")
    }
    out.append(" (")
    out.append(decimal: UInt32(status & 0xc0))
    out.append(byte: 0x29)
    let isWhole =
      switch mode {
      case 6: printNTPControl(bytes, length: length, to: &out)
      case 7: true
      default: printNTPTime(bytes, length: length, to: &out)
      }
    if !isWhole, !out.isCut { out.appendTruncationMark("ntp") }
  }

  /// Ends the packet's text at a field that tcpdump reads without asking whether it was captured.
  private func endNTP(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("ntp")
    return false
  }

  private func ntpModeName(_ mode: UInt8) -> StaticString {
    switch mode {
    case 0: "unspecified"
    case 1: "symmetric active"
    case 2: "symmetric passive"
    case 3: "Client"
    case 4: "Server"
    case 5: "Broadcast"
    case 6: "Control Message"
    default: "Reserved"
    }
  }

  private func printNTPTime(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    if length < 48 {
      out.appendInvalid()
      return bytes.holds(Int(length))
    }
    guard bytes.holds(2) else { return endNTP(&out) }
    let stratum = bytes.u8(at: 1)
    printNTPStratum(stratum, to: &out)
    guard bytes.holds(3) else { return endNTP(&out) }
    printNTPPoll(bytes.u8(at: 2), to: &out)
    guard bytes.holds(4) else { return endNTP(&out) }
    out.append(", precision ")
    printNTPSigned(bytes.u8(at: 3), to: &out)
    guard bytes.holds(8) else { return false }
    out.append("\n\tRoot Delay: ")
    printNTPShort(bytes.be32(at: 4), to: &out)
    guard bytes.holds(12) else { return false }
    out.append(", Root dispersion: ")
    printNTPShort(bytes.be32(at: 8), to: &out)
    guard bytes.holds(16) else { return false }
    out.append(", Reference-ID: ")
    switch stratum {
    case 0: out.append("(unspec)")
    case 1: out.append(visible: bytes.extracting(droppingFirst: 12).extracting(first: 4))
    case 62, 63:
      // Queries and replies that the University of Maryland's implementation made.
      out.append(ipv4: bytes.be32(at: 12))
      out.append(stratum == 62 ? " INFO_QUERY" : " INFO_REPLY")
      return true
    default:
      out.append("0x")
      out.append(hex: bytes.be32(at: 12), digits: 8)
    }
    return printNTPStamps(bytes, to: &out) && printNTPAuthentication(bytes, length: length, to: &out)
  }

  private func printNTPStratum(_ stratum: UInt8, to out: inout TextBuffer) {
    out.append(", Stratum ")
    out.append(decimal: UInt32(stratum))
    switch stratum {
    case 0: out.append(" (unspecified)")
    case 1: out.append(" (primary reference)")
    case 2...15: out.append(" (secondary reference)")
    default: out.append(" (reserved)")
    }
  }

  /// `, poll 6 (64s)`; the seconds are left out where 32 bits do not hold them.
  private func printNTPPoll(_ byte: UInt8, to out: inout TextBuffer) {
    out.append(", poll ")
    printNTPSigned(byte, to: &out)
    let exponent = Int8(bitPattern: byte)
    if exponent.magnitude >= 32 { return }
    out.append(exponent < 0 ? " (1/" : " (")
    out.append(decimal: 1 << UInt32(exponent.magnitude))
    out.append("s)")
  }

  private func printNTPSigned(_ byte: UInt8, to out: inout TextBuffer) {
    let value = Int8(bitPattern: byte)
    if value < 0 { out.append(byte: 0x2d) }
    out.append(decimal: UInt32(value.magnitude))
  }

  private func printNTPStamps(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(24) else { return false }
    out.append("\n\t  Reference Timestamp:  ")
    printNTPStamp(bytes.be64(at: 16), to: &out)
    guard bytes.holds(32) else { return false }
    let originate = bytes.be64(at: 24)
    out.append("\n\t  Originator Timestamp: ")
    printNTPStamp(originate, to: &out)
    guard bytes.holds(40) else { return false }
    let receive = bytes.be64(at: 32)
    out.append("\n\t  Receive Timestamp:    ")
    printNTPStamp(receive, to: &out)
    guard bytes.holds(48) else { return false }
    let transmit = bytes.be64(at: 40)
    out.append("\n\t  Transmit Timestamp:   ")
    printNTPStamp(transmit, to: &out)
    out.append("\n\t    Originator - Receive Timestamp:  ")
    printNTPDifference(from: originate, to: receive, &out)
    out.append("\n\t    Originator - Transmit Timestamp: ")
    printNTPDifference(from: originate, to: transmit, &out)
    return true
  }

  /// The key and its digest of 128 or 160 bits. Extension fields are not told apart from them, only counted.
  private func printNTPAuthentication(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    switch length {
    case 48: return true
    case 52, 68, 72:
      guard bytes.holds(52) else { return endNTP(&out) }
      out.append("\n\tKey id: ")
      out.append(decimal: bytes.be32(at: 48))
      if length == 52 { return true }
      guard bytes.holds(Int(length)) else { return false }
      out.append("\n\tAuthentication: ")
      out.append(hexOf: bytes.extracting(first: Int(length)).extracting(droppingFirst: 52))
    default:
      out.append("\n\t(")
      out.append(decimal: length - 48)
      out.append(" more bytes after the header)")
    }
    return true
  }

  private func printNTPControl(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    if length < 12 {
      out.appendInvalid()
      return bytes.holds(Int(length))
    }
    guard bytes.holds(2) else { return endNTP(&out) }
    let control = bytes.u8(at: 1)
    out.append(control & 0x80 != 0 ? ", Response" : ", Request")
    out.append(control & 0x40 != 0 ? ", Error" : ", OK")
    out.append(control & 0x20 != 0 ? ", More" : ", Last")
    out.append(", OpCode=")
    out.append(decimal: UInt32(control & 0x1f))
    out.append(byte: 0x0a)
    guard bytes.holds(4) else { return endNTP(&out) }
    out.append("\tSequence=")
    out.append(decimal: UInt32(bytes.be16(at: 2)))
    guard bytes.holds(6) else { return endNTP(&out) }
    let status = UInt32(bytes.be16(at: 4))
    out.append(status == 0 ? ", Status=" : ", Status=0x")
    out.append(hex: status)
    guard bytes.holds(8) else { return endNTP(&out) }
    out.append(", Assoc.=")
    out.append(decimal: UInt32(bytes.be16(at: 6)))
    guard bytes.holds(10) else { return endNTP(&out) }
    out.append(", Offset=")
    out.append(decimal: UInt32(bytes.be16(at: 8)))
    guard bytes.holds(12) else { return endNTP(&out) }
    let count = UInt32(bytes.be16(at: 10))
    out.append(", Count=")
    out.append(decimal: count)
    if 12 + count > length {
      out.appendInvalid()
      return bytes.holds(Int(length))
    }
    guard bytes.holds(Int(count), at: 12) else { return false }
    if count > 0 { out.append("\n\tTO-BE-DONE: data not interpreted") }
    return true
  }

  /// Sixteen bits of seconds and sixteen of a fraction.
  private func printNTPShort(_ value: UInt32, to out: inout TextBuffer) {
    out.append(decimal: value >> 16)
    out.append(byte: 0x2e)
    out.append(decimal: UInt32(truncatingIfNeeded: (UInt64(value & 0xffff) * 1_000_000) >> 16), width: 6)
  }

  /// Thirty-two bits of seconds since 1900 and as many of a fraction, with the date unless the seconds are zero.
  private func printNTPStamp(_ stamp: UInt64, to out: inout TextBuffer) {
    printNTPSeconds(stamp, to: &out)
    let seconds = UInt32(truncatingIfNeeded: stamp >> 32)
    if seconds == 0 { return }
    out.append(" (")
    out.append(utcSince1900: seconds)
    out.append(byte: 0x29)
  }

  private func printNTPSeconds(_ value: UInt64, to out: inout TextBuffer) {
    out.append(decimal: UInt32(truncatingIfNeeded: value >> 32))
    out.append(byte: 0x2e)
    out.append(decimal: UInt32(truncatingIfNeeded: ((value & 0xffff_ffff) * 1_000_000_000) >> 32), width: 9)
  }

  /// `+0.001234567`; the stamp itself when there is none to subtract.
  private func printNTPDifference(from first: UInt64, to second: UInt64, _ out: inout TextBuffer) {
    if first == 0 { return printNTPStamp(second, to: &out) }
    out.append(byte: second > first ? 0x2b : 0x2d)
    printNTPSeconds(second > first ? second - first : first - second, to: &out)
  }
}
