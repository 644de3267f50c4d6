// TCP: flags, sequence numbers relative to the conversation's first ones, window, and the options (see TCPOptions).
import SwBPFPackets

extension LinePrinter {
  mutating func printTCP(
    _ bytes: RawSpan, length: UInt32, ip: RawSpan, isFragment: Bool, to out: inout TextBuffer
  ) {
    guard bytes.holds(4) else {
      printAddresses(ip, isVersion6: ip.u8(at: 0) >> 4 == 6, to: &out)
      out.append(byte: 0x3a)
      return out.appendTruncationMark("tcp")
    }
    printEndpoints(bytes, of: IPProtocol.tcp, ip: ip, to: &out)
    guard let header = TCPView(bytes) else { return out.appendTruncationMark("tcp") }
    let headerLength = UInt32(truncatingIfNeeded: header.headerLength)
    if headerLength < 20 {
      out.append(" tcp ")
      out.append(decimal: length &- headerLength)
      out.append(" [bad hdr length ")
      out.append(decimal: headerLength)
      return out.append(" - too short, < 20]")
    }
    if options.quiet {
      out.append("tcp ")
      out.append(decimal: length &- headerLength)
      if headerLength > length { printTooLong(headerLength, length, to: &out) }
      return
    }
    let flags = header.flags
    printFlags(flags, to: &out)
    var sequence = header.sequence
    var acknowledgement = header.acknowledgement
    var selectiveBase: UInt32 = 0
    if flags & TCPFlag.ack != 0, !options.absoluteSequence {
      let (key, reversed) = conversation(header, ip: ip)
      let first = conversations.follow(
        key, reversed: reversed, begins: flags & TCPFlag.syn != 0,
        sequence: &sequence, acknowledgement: &acknowledgement)
      selectiveBase = reversed ? first.sequence : first.acknowledgement
    }
    if headerLength > length { return printTooLong(headerLength, length, to: &out) }
    if options.verbosity > 0, !isFragment, bytes.holds(Int(length)) {
      printTCPChecksum(header.checksum, of: bytes, length: length, ip: ip, to: &out)
    }
    let payload = length - headerLength
    if payload > 0 || options.verbosity > 1 || flags & (TCPFlag.syn | TCPFlag.fin | TCPFlag.rst) != 0 {
      out.append(", seq ")
      out.append(decimal: sequence)
      if payload > 0 {
        out.append(byte: 0x3a)
        out.append(decimal: sequence &+ payload)
      }
    }
    if flags & TCPFlag.ack != 0 {
      out.append(", ack ")
      out.append(decimal: acknowledgement)
    }
    out.append(", win ")
    out.append(decimal: UInt32(header.window))
    if flags & TCPFlag.urg != 0 {
      out.append(", urg ")
      out.append(decimal: UInt32(header.urgent))
    }
    var name: StaticString = "tcp"
    if headerLength > 20 {
      let segment = TCPSegment(flags: flags, payload: payload, selectiveBase: selectiveBase)
      guard let last = printTCPOptions(bytes, headerLength: Int(headerLength), segment, to: &out) else { return }
      name = last
    }
    printLength(payload, to: &out)
    if payload == 0 { return }
    guard bytes.holds(Int(headerLength)) else {
      printRemaining(bytes.byteCount, of: Int(headerLength), to: &out)
      return out.appendTruncation(name)
    }
    if flags & TCPFlag.rst != 0, options.verbosity > 0 {
      return printResetReason(bytes.extracting(droppingFirst: Int(headerLength)), length: payload, to: &out)
    }
    printTCPPayload(
      bytes.extracting(droppingFirst: Int(headerLength)), length: payload, source: header.sourcePort,
      destination: header.destinationPort, ip: ip, to: &out)
  }

  /// `, cksum 0x1234 (correct)`
  private func printTCPChecksum(
    _ stored: UInt16, of bytes: RawSpan, length: UInt32, ip: RawSpan, to out: inout TextBuffer
  ) {
    out.append(", cksum 0x")
    out.append(hex: UInt32(stored), digits: 4)
    switch judge(bytes, length: length, stored: stored, transport: IPProtocol.tcp, ip: ip) {
    case .right: out.append(" (correct)")
    case .unfinished: out.append(" (unfinished)")
    case .wrong(let right):
      out.append(" (incorrect -> 0x")
      out.append(hex: UInt32(right), digits: 4)
      out.append(byte: 0x29)
    }
  }

  /// ` [RST connection refused]`: the payload of a reset says why (RFC 9293, 3.5.2).
  private func printResetReason(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    out.append(bytes.holds(Int(length)) ? " [RST" : " [!RST")
    if length > 30 { out.append(byte: 0x2b) }
    out.append(byte: 0x20)
    out.append(visible: bytes.extracting(first: Int(min(length, 30))))
    out.append(byte: 0x5d)
  }

  private func printTooLong(_ headerLength: UInt32, _ length: UInt32, to out: inout TextBuffer) {
    out.append(" [bad hdr length ")
    out.append(decimal: headerLength)
    out.append(" - too long, > ")
    out.append(decimal: length)
    out.append(byte: 0x5d)
  }

  /// `Flags [S.]`
  private func printFlags(_ flags: UInt8, to out: inout TextBuffer) {
    out.append("Flags [")
    if flags == 0 {
      out.append("none")
    } else {
      // F S R P . U E W, from the lowest bit up.
      let letters: UInt64 = 0x5745_552e_5052_5346
      var packed: UInt64 = 0
      var count = 0
      var rest = UInt64(flags)
      while rest != 0 {
        let bit = rest.trailingZeroBitCount
        packed |= (letters >> UInt64(8 * bit) & 0xff) << UInt64(8 * count)
        count += 1
        rest &= rest - 1
      }
      out.append(packed: packed, length: count)
    }
    out.append(byte: 0x5d)
  }

  /// The key of the segment's conversation, and whether the segment goes against its order: from the higher port to
  /// the lower one, or, with equal ports, from the higher address to the lower.
  private func conversation(
    _ header: borrowing TCPView, ip: RawSpan
  ) -> (key: ConversationKey, reversed: Bool) {
    let source = header.sourcePort
    let destination = header.destinationPort
    var key: ConversationKey
    var reversed = source > destination
    if ip.u8(at: 0) >> 4 == 6 {
      let from = (high: ip.be64(at: 8), low: ip.be64(at: 16))
      let to = (high: ip.be64(at: 24), low: ip.be64(at: 32))
      if source == destination { reversed = from.high > to.high || (from.high == to.high && from.low > to.low) }
      key = ConversationKey(ports: 0, version: 6)
      (key.lowHigh, key.lowLow) = reversed ? to : from
      (key.highHigh, key.highLow) = reversed ? from : to
    } else {
      let from = ip.be32(at: 12)
      let to = ip.be32(at: 16)
      if source == destination { reversed = from > to }
      key = ConversationKey(ports: 0, version: 4)
      key.lowLow = UInt64(reversed ? to : from)
      key.highLow = UInt64(reversed ? from : to)
    }
    key.ports = UInt32(reversed ? destination : source) << 16 | UInt32(reversed ? source : destination)
    return (key, reversed)
  }
}

/// Bits of the flags byte.
enum TCPFlag {
  static let fin: UInt8 = 0x01
  static let syn: UInt8 = 0x02
  static let rst: UInt8 = 0x04
  static let ack: UInt8 = 0x10
  static let urg: UInt8 = 0x20
}
