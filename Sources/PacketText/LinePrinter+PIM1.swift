// PIM version 1, carried in IGMP.
import SwBPFPackets

extension LinePrinter {
  /// - Parameter bytes: from the IGMP header on.
  /// - Returns: false when the line ends because the message was not captured whole.
  func printPIM1(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(2) else { return endPIM1(&out) }
    let type = bytes.u8(at: 1)
    out.append(byte: 0x20)
    printPIM1Type(type, to: &out)
    switch type {
    case 0:
      if bytes.holds(9) { printMode(bytes.u8(at: 8) >> 4, to: &out) }
      if options.verbosity > 0 {
        out.append(" (Hold-time ")
        guard bytes.holds(12) else { return endPIM1(&out) }
        out.append(period: UInt32(bytes.be16(at: 10)))
        out.append(byte: 0x29)
      }
    case 1:
      guard bytes.holds(28) else {
        out.appendTruncationMark("pimv1")
        return true
      }
      printPair(" for ", bytes, 20, 24, to: &out)
    case 2:
      guard bytes.holds(16) else { return endPIM1(&out) }
      printPair(" for ", bytes, 8, 12, to: &out)
    case 4 where options.verbosity > 0:
      guard bytes.holds(12) else { return endPIM1(&out) }
      out.append(" group ")
      out.append(ipv4: bytes.be32(at: 8))
      guard bytes.holds(16) else { return endPIM1(&out) }
      printMask(bytes.be32(at: 12), to: &out)
      guard bytes.holds(20) else { return endPIM1(&out) }
      out.append(" RP ")
      out.append(ipv4: bytes.be32(at: 16))
      out.append(" hold ")
      guard bytes.holds(24) else { return endPIM1(&out) }
      out.append(period: UInt32(bytes.be16(at: 22)))
    case 5:
      guard bytes.holds(20) else { return endPIM1(&out) }
      printPair(" for ", bytes, 16, 8, to: &out)
      printMask(bytes.be32(at: 12), to: &out)
      guard bytes.holds(28) else { return endPIM1(&out) }
      out.append(bytes.u8(at: 20) & 0x80 != 0 ? " RP-tree" : " SPT")
      out.append(" pref ")
      out.append(decimal: bytes.be32(at: 20) & 0x7fff_ffff)
      out.append(" metric ")
      out.append(decimal: bytes.be32(at: 24))
    case 3 where options.verbosity > 0, 6 where options.verbosity > 0, 7 where options.verbosity > 0:
      if length < 8 {
        out.appendTruncationMark("pimv1")
        return true
      }
      let rest = bytes.extracting(droppingFirst: min(8, bytes.byteCount))
      guard printJoinPrune(rest, length: Int(length) - 8, to: &out) else { return false }
    default: break
    }
    guard bytes.holds(5) else { return endPIM1(&out) }
    let version = bytes.u8(at: 4) >> 4
    if version != 1 {
      out.append(" [v")
      out.append(decimal: UInt32(version))
      out.append(byte: 0x5d)
    }
    return true
  }

  private func endPIM1(_ out: inout TextBuffer) -> Bool {
    out.appendTruncation("pimv1")
    return false
  }

  private func printPIM1Type(_ type: UInt8, to out: inout TextBuffer) {
    switch type {
    case 0: out.append("Query")
    case 1: out.append("Register")
    case 2: out.append("Register-Stop")
    case 3: out.append("Join/Prune")
    case 4: out.append("RP-reachable")
    case 5: out.append("Assert")
    case 6: out.append("Graft")
    case 7: out.append("Graft-ACK")
    default:
      out.append("[type ")
      out.append(decimal: UInt32(type))
      out.append(byte: 0x5d)
    }
  }

  private func printMode(_ mode: UInt8, to out: inout TextBuffer) {
    switch mode {
    case 0: out.append(" Dense-mode")
    case 1: out.append(" Sparse-mode")
    case 2: out.append(" Sparse-Dense-mode")
    default:
      out.append(" mode-")
      out.append(decimal: UInt32(mode))
    }
  }

  /// ` for 10.0.0.1 > 224.1.1.1`
  private func printPair(_ title: StaticString, _ bytes: RawSpan, _ one: Int, _ other: Int, to out: inout TextBuffer) {
    out.append(title)
    out.append(ipv4: bytes.be32(at: one))
    out.append(" > ")
    out.append(ipv4: bytes.be32(at: other))
  }

  /// `/255.0.0.0`, nothing for a whole address.
  private func printMask(_ mask: UInt32, to out: inout TextBuffer) {
    if mask == 0xffff_ffff { return }
    out.append(byte: 0x2f)
    out.append(ipv4: mask)
  }

  /// A join or prune of one source in one group is short, all others are lists.
  private func printJoinPrune(_ bytes: RawSpan, length: Int, to out: inout TextBuffer) -> Bool {
    if bytes.holds(30), bytes.u8(at: 11) == 1, UInt32(bytes.be16(at: 20)) + UInt32(bytes.be16(at: 22)) == 1 {
      printSingle(bytes, to: &out)
      return true
    }
    var offset = 0
    func isShort(_ count: Int, _ out: inout TextBuffer) -> Bool {
      if length - offset >= count { return false }
      out.appendTruncationMark("pimv1")
      return true
    }
    if isShort(4, &out) { return true }
    if options.verbosity > 1 { out.append(byte: 0x0a) }
    guard bytes.holds(4) else { return endPIM1(&out) }
    out.append(" Upstream Nbr: ")
    out.append(ipv4: bytes.be32(at: 0))
    offset = 4
    if isShort(4, &out) { return true }
    if options.verbosity > 1 { out.append(byte: 0x0a) }
    out.append(" Hold time: ")
    guard bytes.holds(8) else { return endPIM1(&out) }
    out.append(period: UInt32(bytes.be16(at: 6)))
    if options.verbosity < 2 { return true }
    offset = 8
    if isShort(4, &out) { return true }
    guard bytes.holds(12) else { return endPIM1(&out) }
    offset = 12
    for _ in 0..<Int(bytes.u8(at: 11)) {
      if isShort(4, &out) { return true }
      guard bytes.holds(4, at: offset) else { return endPIM1(&out) }
      out.append("\n\tGroup: ")
      out.append(ipv4: bytes.be32(at: offset))
      offset += 4
      if isShort(4, &out) { return true }
      guard bytes.holds(4, at: offset) else { return endPIM1(&out) }
      printMask(bytes.be32(at: offset), to: &out)
      offset += 4
      if isShort(4, &out) { return true }
      guard bytes.holds(4, at: offset) else { return endPIM1(&out) }
      let joined = Int(bytes.be16(at: offset))
      let pruned = Int(bytes.be16(at: offset + 2))
      out.append(" joined: ")
      out.append(decimal: UInt32(joined))
      out.append(" pruned: ")
      out.append(decimal: UInt32(pruned))
      offset += 4
      for index in 0..<joined + pruned {
        if isShort(6, &out) { return true }
        guard bytes.holds(6, at: offset) else { return endPIM1(&out) }
        printSource(bytes, at: offset, isJoin: index < joined, to: &out)
        offset += 6
      }
    }
    return true
  }

  private func printSingle(_ bytes: RawSpan, to out: inout TextBuffer) {
    out.append(" RPF ")
    out.append(ipv4: bytes.be32(at: 0))
    out.append(byte: 0x20)
    let hold = bytes.be16(at: 6)
    if hold != 180 {
      out.append("Hold ")
      out.append(period: UInt32(hold))
    }
    out.append(bytes.be16(at: 20) != 0 ? "Join (" : "Prune (")
    out.append(ipv4: bytes.be32(at: 26))
    out.append(byte: 0x2f)
    let kind = bytes.u8(at: 25)
    out.append(decimal: UInt32(kind & 0x3f))
    out.append(", ")
    out.append(ipv4: bytes.be32(at: 12))
    printMask(bytes.be32(at: 16), to: &out)
    out.append(bytes.u8(at: 24) & 0x01 != 0 ? ") Sparse" : ") Dense")
    if kind & 0x80 != 0 { out.append(" WC") }
    out.append(kind & 0x40 != 0 ? " RP" : " SPT")
  }

  private func printSource(_ bytes: RawSpan, at offset: Int, isJoin: Bool, to out: inout TextBuffer) {
    let kind = bytes.u8(at: offset + 1)
    out.append(isJoin ? "\n\tJoin  " : "\n\tPrune ")
    out.append(bytes.u8(at: offset) & 0x01 != 0 ? "Sparse " : "Dense ")
    if kind & 0x80 != 0 { out.append("WC ") }
    out.append(kind & 0x40 != 0 ? "RP " : "SPT ")
    out.append(ipv4: bytes.be32(at: offset + 2))
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(kind & 0x3f))
  }
}
