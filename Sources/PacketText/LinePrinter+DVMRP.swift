// DVMRP, carried in IGMP.
import SwBPFPackets

extension LinePrinter {
  /// - Parameter bytes: from the IGMP header on.
  /// - Parameter length: what IP says is left, at least the eight bytes of that header.
  /// - Returns: false when the line ends because the message was not captured whole.
  func printDVMRP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(2) else { return endDVMRP(&out) }
    let type = bytes.u8(at: 1)
    out.append(byte: 0x20)
    switch type {
    case 1: out.append("Probe")
    case 2: out.append("Report")
    case 3: out.append("Ask-neighbors(old)")
    case 4: out.append("Neighbors(old)")
    case 5: out.append("Ask-neighbors2")
    case 6: out.append("Neighbors2")
    case 7: out.append("Prune")
    case 8: out.append("Graft")
    case 9: out.append("Graft-ACK")
    default:
      out.append("[type ")
      out.append(decimal: UInt32(type))
      out.append(byte: 0x5d)
    }
    switch type {
    case 1 where options.verbosity > 0: return printProbe(bytes, length: Int(length), to: &out)
    case 2 where options.verbosity > 1: return printRoutes(bytes, length: Int(length), to: &out)
    case 4: return printNeighbors(bytes, length: Int(length), to: &out)
    case 6: return printNeighbors2(bytes, length: Int(length), to: &out)
    case 7, 8, 9:
      guard bytes.holds(16) else { return endDVMRP(&out) }
      out.append(" src ")
      out.append(ipv4: bytes.be32(at: 8))
      out.append(" grp ")
      out.append(ipv4: bytes.be32(at: 12))
      if type == 7 {
        out.append(" timer ")
        guard bytes.holds(20) else { return endDVMRP(&out) }
        out.append(period: bytes.be32(at: 16))
      }
      return true
    default: return true
    }
  }

  private func endDVMRP(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("dvmrp")
    return false
  }

  /// ` [length 3 < 7] (invalid)`; the line goes on.
  private func printShort(_ title: StaticString, _ left: Int, _ least: Int, to out: inout TextBuffer) -> Bool {
    out.append(title)
    out.append(decimal: UInt32(truncatingIfNeeded: left))
    out.append(" < ")
    out.append(decimal: UInt32(truncatingIfNeeded: least))
    out.append(byte: 0x5d)
    out.appendInvalid()
    return true
  }

  private func printProbe(_ bytes: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    if length < 12 { return printShort(" [full length ", length - 8, 4, to: &out) }
    out.append(options.verbosity > 1 ? "\n\t" : " ")
    guard bytes.holds(12) else { return endDVMRP(&out) }
    out.append("genid ")
    out.append(decimal: bytes.be32(at: 8))
    if options.verbosity < 2 { return true }
    var offset = 12
    while offset < length {
      if length - offset < 4 { return printShort("[remaining length ", length - offset, 4, to: &out) }
      guard bytes.holds(4, at: offset) else { return endDVMRP(&out) }
      out.append("\n\tneighbor ")
      out.append(ipv4: bytes.be32(at: offset))
      offset += 4
    }
    return true
  }

  private func printRoutes(_ bytes: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    var offset = 8
    while offset < length {
      if length - offset < 3 { return printShort(" [length ", length - offset, 3, to: &out) }
      guard bytes.holds(3, at: offset) else { return endDVMRP(&out) }
      let mask = bytes.be24(at: offset)
      // Bytes of an origin that the mask covers.
      let width = mask & 0xff != 0 ? 4 : mask & 0xff00 != 0 ? 3 : mask & 0xff0000 != 0 ? 2 : 1
      out.append("\n\tMask ")
      out.append(ipv4: 0xff00_0000 | mask)
      offset += 3
      var isLast = false
      while !isLast {
        if length - offset < width + 1 {
          out.append("\n\t  [Truncated Report]")
          out.appendInvalid()
          return true
        }
        guard bytes.holds(width + 1, at: offset) else { return endDVMRP(&out) }
        var origin: UInt32 = 0
        for index in 0..<4 {
          origin = origin << 8 | (index < width ? UInt32(bytes.u8(at: offset + index)) : 0)
        }
        let metric = bytes.u8(at: offset + width)
        out.append("\n\t  ")
        out.append(ipv4: origin)
        out.append(" metric ")
        out.append(decimal: UInt32(metric & 0x7f))
        isLast = metric & 0x80 != 0
        offset += width + 1
      }
    }
    return true
  }

  private func printNeighbors(_ bytes: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    var offset = 8
    while offset < length {
      if length - offset < 7 { return printShort(" [length ", length - offset, 7, to: &out) }
      guard bytes.holds(7, at: offset) else { return endDVMRP(&out) }
      let local = offset
      offset += 7
      for _ in 0..<Int(bytes.u8(at: local + 6)) {
        if length - offset < 4 { return printShort(" [length ", length - offset, 4, to: &out) }
        out.append(" [")
        out.append(ipv4: bytes.be32(at: local))
        out.append(" ->")
        guard bytes.holds(4, at: offset) else { return endDVMRP(&out) }
        out.append(byte: 0x20)
        out.append(ipv4: bytes.be32(at: offset))
        out.append(", (")
        printMetrics(bytes, at: local + 4, to: &out)
        out.append(")]")
        offset += 4
      }
    }
    return true
  }

  private func printNeighbors2(_ bytes: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(8) else { return endDVMRP(&out) }
    out.append(" (v ")
    out.append(decimal: UInt32(bytes.u8(at: 7)))
    out.append(byte: 0x2e)
    out.append(decimal: UInt32(bytes.u8(at: 6)))
    out.append("):")
    var offset = 8
    while offset < length {
      if length - offset < 8 { return printShort(" [length ", length - offset, 8, to: &out) }
      guard bytes.holds(8, at: offset) else { return endDVMRP(&out) }
      let local = offset
      let flags = bytes.u8(at: local + 6)
      offset += 8
      for _ in 0..<Int(bytes.u8(at: local + 7)) {
        if offset >= length {
          out.append(" [invalid ncount]")
          out.appendInvalid()
          return true
        }
        if length - offset < 4 { return printShort(" [length ", length - offset, 4, to: &out) }
        out.append(" [")
        out.append(ipv4: bytes.be32(at: local))
        out.append(" -> ")
        guard bytes.holds(4, at: offset) else { return endDVMRP(&out) }
        out.append(ipv4: bytes.be32(at: offset))
        out.append(" (")
        printMetrics(bytes, at: local + 4, to: &out)
        if flags & 0x01 != 0 { out.append("/tunnel") }
        if flags & 0x02 != 0 { out.append("/srcrt") }
        if flags & 0x40 != 0 { out.append("/querier") }
        if flags & 0x20 != 0 { out.append("/disabled") }
        if flags & 0x10 != 0 { out.append("/down") }
        out.append(")]")
        offset += 4
      }
    }
    return true
  }

  /// Metric and threshold: `1/64`.
  private func printMetrics(_ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) {
    out.append(decimal: UInt32(bytes.u8(at: offset)))
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(bytes.u8(at: offset + 1)))
  }
}
