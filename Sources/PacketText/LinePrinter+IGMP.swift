// IGMP, all three versions, and mtrace. What DVMRP and PIM version 1 say has files of its own.
import SwBPFPackets

extension LinePrinter {
  func printIGMP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if options.quiet { return out.append("igmp") }
    guard bytes.holds(1) else { return out.appendTruncation("igmp") }
    guard printIGMPMessage(bytes, length: length, to: &out) else { return }
    if options.verbosity > 0, length >= 4, bytes.holds(Int(length)) {
      if InternetChecksum.of(bytes.extracting(first: Int(length))) != 0 {
        out.append(" bad igmp cksum ")
        out.append(hex: UInt32(bytes.be16(at: 2)))
        out.append(byte: 0x21)
      }
    }
  }

  /// False when the line ends because the message was not captured whole.
  private func printIGMPMessage(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    switch bytes.u8(at: 0) {
    case 0x11:
      out.append("igmp query")
      return length >= 12
        ? printIGMP3Query(bytes, length: length, to: &out) : printIGMPQuery(bytes, length: length, to: &out)
    case 0x12:
      guard printGroup("igmp v1 report ", bytes, at: 4, to: &out) else { return false }
      if length != 8 { printIGMPLength(length, to: &out) }
    case 0x16: return printGroup("igmp v2 report ", bytes, at: 4, to: &out)
    case 0x22:
      out.append("igmp v3 report")
      return printIGMP3Report(bytes, length: length, to: &out)
    case 0x17: return printGroup("igmp leave ", bytes, at: 4, to: &out)
    case 0x13:
      out.append("igmp dvmrp")
      if length >= 8 { return printDVMRP(bytes, length: length, to: &out) }
      printIGMPLength(length, to: &out)
    case 0x14:
      out.append("igmp pimv1")
      return printPIM1(bytes, length: length, to: &out)
    case 0x1e: return printMtrace("mresp ", bytes, length: length, to: &out)
    case 0x1f: return printMtrace("mtrace ", bytes, length: length, to: &out)
    default:
      out.append("igmp-")
      out.append(decimal: UInt32(bytes.u8(at: 0)))
    }
    return true
  }

  /// `title` and the IPv4 address at `offset`; false, with the truncation marked, when that was not captured.
  private func printGroup(_ title: StaticString, _ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(4, at: offset) else { return endIGMP(&out) }
    out.append(title)
    out.append(ipv4: bytes.be32(at: offset))
    return true
  }

  private func endIGMP(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("igmp")
    return false
  }

  private func printIGMPLength(_ length: UInt32, to out: inout TextBuffer) {
    out.append(" [len ")
    out.append(decimal: length)
    out.append(byte: 0x5d)
  }

  private func printInvalidLength(_ length: UInt32, to out: inout TextBuffer) {
    out.append(" [invalid len ")
    out.append(decimal: length)
    out.append(byte: 0x5d)
  }

  private func printIGMPQuery(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(2) else { return endIGMP(&out) }
    let code = bytes.u8(at: 1)
    out.append(code != 0 ? " v2" : " v1")
    if code != 0, code != 100 {
      out.append(" [max resp time ")
      out.append(decimal: UInt32(code))
      out.append(byte: 0x5d)
    }
    guard bytes.holds(8) else { return endIGMP(&out) }
    let group = bytes.be32(at: 4)
    if group != 0 {
      out.append(" [gaddr ")
      out.append(ipv4: group)
      out.append(byte: 0x5d)
    }
    if length != 8 { printIGMPLength(length, to: &out) }
    return true
  }

  private func printIGMP3Query(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    out.append(" v3")
    if length & 3 != 0 {
      printInvalidLength(length, to: &out)
      return true
    }
    guard bytes.holds(2) else { return endIGMP(&out) }
    let code = UInt32(bytes.u8(at: 1))
    if code != 100 {
      // From 128 on four bits of mantissa and three of exponent, in tenths of a second.
      let tenths = code < 128 ? code : (code & 0x0f | 0x10) << (code >> 4 & 7 + 3)
      out.append(" [max resp time ")
      if tenths < 600 {
        out.append(decimal: tenths / 10)
        out.append(byte: 0x2e)
        out.append(decimal: tenths % 10)
        out.append(byte: 0x73)
      } else {
        out.append(period: tenths / 10)
      }
      out.append(byte: 0x5d)
    }
    guard bytes.holds(8) else { return endIGMP(&out) }
    if bytes.be32(at: 4) == 0 { return true }
    out.append(" [gaddr ")
    out.append(ipv4: bytes.be32(at: 4))
    guard bytes.holds(12) else { return endIGMP(&out) }
    let sources = Int(bytes.be16(at: 10))
    if sources > 0 {
      if Int(length) < 12 + 4 * sources {
        out.append(" [invalid number of sources]")
      } else if options.verbosity > 1 {
        guard printSources(bytes, at: 12, sources, to: &out) else { return false }
      } else {
        printSourceCount(sources, to: &out)
      }
    }
    out.append(byte: 0x5d)
    return true
  }

  private func printIGMP3Report(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    if length < 16 || length & 3 != 0 {
      printInvalidLength(length, to: &out)
      return true
    }
    guard bytes.holds(8) else { return endIGMP(&out) }
    let groups = Int(bytes.be16(at: 6))
    out.append(", ")
    out.append(decimal: UInt32(groups))
    out.append(" group record(s)")
    if options.verbosity == 0 { return true }
    var offset = 8
    for _ in 0..<groups {
      if Int(length) < offset + 8 {
        out.append(" [invalid number of groups]")
        return true
      }
      guard printGroup(" [gaddr ", bytes, at: offset + 4, to: &out) else { return false }
      out.append(byte: 0x20)
      printRecordType(bytes.u8(at: offset), unknown: " [v3-report-#", to: &out)
      let sources = Int(bytes.be16(at: offset + 2))
      if Int(length) < offset + 8 + 4 * sources {
        out.append(" [invalid number of sources ")
        out.append(decimal: UInt32(sources))
        out.append(byte: 0x5d)
        return true
      }
      if options.verbosity > 1 {
        guard printSources(bytes, at: offset + 8, sources, to: &out) else { return false }
      } else {
        printSourceCount(sources, to: &out)
      }
      offset += 8 + 4 * sources
      out.append(byte: 0x5d)
    }
    return true
  }

  /// The kind of a group record; MLD has the same.
  func printRecordType(_ type: UInt8, unknown: StaticString, to out: inout TextBuffer) {
    switch type {
    case 1: out.append("is_in")
    case 2: out.append("is_ex")
    case 3: out.append("to_in")
    case 4: out.append("to_ex")
    case 5: out.append("allow")
    case 6: out.append("block")
    default:
      out.append(unknown)
      out.append(decimal: UInt32(type))
      out.append(byte: 0x5d)
    }
  }

  func printSourceCount(_ count: Int, to out: inout TextBuffer) {
    out.append(", ")
    out.append(decimal: UInt32(truncatingIfNeeded: count))
    out.append(" source(s)")
  }

  private func printSources(_ bytes: RawSpan, at offset: Int, _ count: Int, to out: inout TextBuffer) -> Bool {
    out.append(" {")
    for index in 0..<count {
      guard printGroup(" ", bytes, at: offset + 4 * index, to: &out) else { return false }
    }
    out.append(" }")
    return true
  }

  private func printMtrace(
    _ title: StaticString, _ bytes: RawSpan, length: UInt32, to out: inout TextBuffer
  ) -> Bool {
    if length < 24 {
      printInvalidLength(length, to: &out)
      return true
    }
    guard bytes.holds(24) else { return endIGMP(&out) }
    out.append(title)
    out.append(decimal: bytes.be24(at: 21))
    out.append(": ")
    out.append(ipv4: bytes.be32(at: 8))
    out.append(" to ")
    out.append(ipv4: bytes.be32(at: 12))
    out.append(" reply-to ")
    out.append(ipv4: bytes.be32(at: 16))
    if bytes.u8(at: 16) >> 4 == 0xe {
      out.append(" with-ttl ")
      out.append(decimal: UInt32(bytes.u8(at: 20)))
    }
    return true
  }
}
