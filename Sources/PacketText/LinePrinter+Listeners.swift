// Multicast listener discovery for IPv6 (RFC 2710, RFC 3810).
import SwBPFPackets

extension LinePrinter {
  /// A query of the second version; false when it was not captured whole.
  func printListenerQuery(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    if length < 28 {
      out.append(" unknown-version (len ")
      out.append(decimal: length)
      out.append(") ")
      return true
    }
    out.append(" v2")
    guard bytes.holds(6) else { return false }
    let isVerbose = options.verbosity > 0
    if isVerbose {
      let code = UInt32(bytes.be16(at: 4))
      out.append(" [max resp delay=")
      out.append(decimal: code < 32768 ? code : (code & 0xfff | 0x1000) << (code >> 12 & 7 + 3))
      out.append(byte: 0x5d)
    }
    guard printAddress6(" [gaddr ", bytes, at: 8, to: &out) else { return false }
    if isVerbose {
      guard bytes.holds(25) else { return false }
      let flags = bytes.u8(at: 24)
      if flags & 8 != 0 { out.append(" sflag") }
      if flags & 7 != 0 {
        out.append(" robustness=")
        out.append(decimal: UInt32(flags & 7))
      }
      guard bytes.holds(26) else { return false }
      let code = UInt32(bytes.u8(at: 25))
      out.append(" qqi=")
      out.append(decimal: code < 128 ? code : (code & 0xf | 0x10) << (code >> 4 & 7 + 3))
    }
    guard bytes.holds(28) else { return false }
    let sources = UInt32(bytes.be16(at: 26))
    if sources > 0 {
      if length < 28 + sources * 16 {
        out.append(" [invalid number of sources]")
      } else if options.verbosity > 1 {
        guard printSources(bytes, sources, at: 28, to: &out) else { return false }
      } else {
        printSourceCount(Int(sources), to: &out)
      }
    }
    out.append(byte: 0x5d)
    return true
  }

  /// A report of the second version; false when it was not captured whole.
  func printListenerReport(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    if length < 8 {
      out.append(" [invalid len ")
      out.append(decimal: length)
      out.append(byte: 0x5d)
      return true
    }
    guard bytes.holds(8) else { return false }
    let groups = UInt32(bytes.be16(at: 6))
    out.append(", ")
    out.append(decimal: groups)
    out.append(" group record(s)")
    if options.verbosity == 0 { return true }
    var offset = 8
    for _ in 0..<groups {
      if Int(length) < offset + 20 {
        out.append(" [invalid number of groups]")
        return true
      }
      guard printAddress6(" [gaddr ", bytes, at: offset + 4, to: &out) else { return false }
      out.append(byte: 0x20)
      printRecordType(bytes.u8(at: offset), unknown: " [v2-report-#", to: &out)
      let sources = UInt32(bytes.be16(at: offset + 2))
      if Int(length) < offset + 20 + Int(sources) * 16 {
        out.append(" [invalid number of sources ")
        out.append(decimal: sources)
        out.append(byte: 0x5d)
        return true
      }
      if options.verbosity == 1 {
        printSourceCount(Int(sources), to: &out)
      } else {
        guard printSources(bytes, sources, at: offset + 20, to: &out) else { return false }
      }
      offset += 20 + Int(sources) * 16
      out.append(byte: 0x5d)
    }
    return true
  }

  /// ` { ::1 ::2 }`
  private func printSources(_ bytes: RawSpan, _ count: UInt32, at offset: Int, to out: inout TextBuffer) -> Bool {
    out.append(" {")
    for index in 0..<Int(count) {
      guard printAddress6(" ", bytes, at: offset + 16 * index, to: &out) else { return false }
    }
    out.append(" }")
    return true
  }
}
