// DNS messages (RFC 1035): the header and the order of the sections. Over UDP, over TCP, and multicast.
import SwBPFPackets

/// A message from its first byte to the end of what was captured, which may be behind the message's own end.
struct DNSMessage: ~Escapable {
  let bytes: RawSpan
  let isMulticast: Bool
  static let headerLength = 12

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, isMulticast: Bool) {
    self.bytes = bytes
    self.isMulticast = isMulticast
  }

  var flags: UInt16 { bytes.be16(at: 2) }
  var questions: UInt16 { bytes.be16(at: 4) }
  var answers: UInt16 { bytes.be16(at: 6) }
  var authorities: UInt16 { bytes.be16(at: 8) }
  var additional: UInt16 { bytes.be16(at: 10) }
}

extension LinePrinter {
  /// A message behind the two bytes of its length.
  ///
  /// - Parameter length: what the segment carries.
  func printDNSOverTCP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 2 {
      out.append(" [DNS over TCP: length ")
      out.append(decimal: length)
      out.append(" < 2]")
      return out.appendInvalid()
    }
    guard bytes.holds(2) else { return out.appendTruncation("domain") }
    let prefix = UInt32(bytes.be16(at: 0))
    if prefix != length - 2 {
      out.append(" [prefix length(")
      out.append(decimal: prefix)
      out.append(") != length(")
      out.append(decimal: length - 2)
      out.append(")]")
      return out.appendInvalid()
    }
    out.append(byte: 0x20)
    printDNS(bytes.extracting(droppingFirst: 2), length: length - 2, isMulticast: false, to: &out)
  }

  func printDNS(_ bytes: RawSpan, length: UInt32, isMulticast: Bool, to out: inout TextBuffer) {
    if length < DNSMessage.headerLength {
      out.append("domain [length ")
      out.append(decimal: length)
      out.append(" < 12]")
      return out.appendInvalid()
    }
    guard bytes.holds(DNSMessage.headerLength) else { return out.appendTruncationMark("domain") }
    let message = DNSMessage(bytes, isMulticast: isMulticast)
    out.append(decimal: UInt32(bytes.be16(at: 0)))
    out.append(dnsOperationName(message.flags))
    let isWhole =
      message.flags & 0x8000 != 0 ? printDNSResponse(message, to: &out) : printDNSRequest(message, to: &out)
    if out.isCut { return }
    guard isWhole else { return out.appendTruncationMark("domain") }
    out.append(" (")
    out.append(decimal: length)
    out.append(byte: 0x29)
  }

  private func printDNSResponse(_ message: borrowing DNSMessage, to out: inout TextBuffer) -> Bool {
    let flags = message.flags
    printDNSResult(dnsResult(message), to: &out)
    if flags & 0x0400 != 0 { out.append(byte: 0x2a) }
    if flags & 0x0080 == 0 { out.append(byte: 0x2d) }
    if flags & 0x0200 != 0 { out.append(byte: 0x7c) }
    if flags & 0x0020 != 0 { out.append(byte: 0x24) }
    if message.questions != 1 { printDNSCount(message.questions, "q", to: &out) }
    var position = DNSMessage.headerLength
    for index in 0..<message.questions {
      if index != 0 { out.append(byte: 0x2c) }
      if options.verbosity > 1 {
        out.append(" q:")
        guard let next = printDNSQuestion(message, at: position, to: &out) else { return false }
        position = next
      } else {
        guard let next = skipDomainName(message.bytes, at: position) else { return false }
        position = next + 4
      }
    }
    out.append(byte: 0x20)
    out.append(decimal: UInt32(message.answers))
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(message.authorities))
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(message.additional))
    guard let next = printDNSRecords(message, at: position, count: message.answers, to: &out) else { return false }
    return options.verbosity < 2 || printDNSTail(message, at: next, to: &out)
  }

  private func printDNSRequest(_ message: borrowing DNSMessage, to out: inout TextBuffer) -> Bool {
    let flags = message.flags
    if flags & 0x0100 != 0 { out.append(byte: 0x2b) }
    if flags & 0x0010 != 0 { out.append(byte: 0x25) }
    // Bits that only responses have.
    if flags & 0x06cf != 0 {
      out.append(" [b2&3=0x")
      out.append(hex: UInt32(flags))
      out.append(byte: 0x5d)
    }
    if flags >> 11 & 0xf == 1 {
      if message.questions != 0 { printDNSCount(message.questions, "q", to: &out) }
      if message.answers != 1 { printDNSCount(message.answers, "a", to: &out) }
    } else {
      if message.answers != 0 { printDNSCount(message.answers, "a", to: &out) }
      if message.questions != 1 { printDNSCount(message.questions, "q", to: &out) }
    }
    if message.authorities != 0 { printDNSCount(message.authorities, "n", to: &out) }
    if message.additional != 0 { printDNSCount(message.additional, "au", to: &out) }
    var position = DNSMessage.headerLength
    for index in 0..<message.questions {
      guard index == 0 || position < message.bytes.byteCount,
        let next = printDNSQuestion(message, at: position, to: &out)
      else { return false }
      position = next
    }
    if options.verbosity < 2 { return true }
    guard let next = printDNSRecords(message, at: position, count: message.answers, to: &out) else { return false }
    return printDNSTail(message, at: next, to: &out)
  }

  /// The sections behind the answers.
  private func printDNSTail(_ message: borrowing DNSMessage, at start: Int, to out: inout TextBuffer) -> Bool {
    guard
      let next = printDNSSection(" ns:", message, at: start, count: message.authorities, to: &out)
    else { return false }
    return printDNSSection(" ar:", message, at: next, count: message.additional, to: &out) != nil
  }

  private func printDNSSection(
    _ title: StaticString, _ message: borrowing DNSMessage, at start: Int, count: UInt16, to out: inout TextBuffer
  ) -> Int? {
    if count == 0 { return start }
    guard start < message.bytes.byteCount else { return nil }
    out.append(title)
    return printDNSRecords(message, at: start, count: count, to: &out)
  }

  /// Records with commas between them. Returns where the next section starts, nil when there are fewer than claimed.
  private func printDNSRecords(
    _ message: borrowing DNSMessage, at start: Int, count: UInt16, to out: inout TextBuffer
  ) -> Int? {
    var position = start
    for index in 0..<count {
      if index > 0 {
        guard position < message.bytes.byteCount else { return nil }
        out.append(byte: 0x2c)
      }
      guard let next = printDNSRecord(message, at: position, to: &out) else { return nil }
      position = next
    }
    return position
  }

  /// ` [2q]`
  private func printDNSCount(_ count: UInt16, _ unit: StaticString, to out: inout TextBuffer) {
    out.append(" [")
    out.append(decimal: UInt32(count))
    out.append(unit)
    out.append(byte: 0x5d)
  }

  private func printDNSResult(_ result: UInt32, to out: inout TextBuffer) {
    if let name = dnsResultName(result) { return out.append(name) }
    out.append(" Resp")
    out.append(decimal: result)
  }

  /// The result with the upper bits that an OPT record adds (RFC 6891), if one is found.
  private func dnsResult(_ message: borrowing DNSMessage) -> UInt32 {
    let bytes = message.bytes
    let result = UInt32(message.flags & 0xf)
    if message.additional == 0 { return result }
    var position = DNSMessage.headerLength
    for _ in 0..<message.questions {
      guard let next = skipDomainName(bytes, at: position) else { return result }
      position = next + 4
    }
    for _ in 0..<UInt32(message.answers) + UInt32(message.authorities) {
      guard let next = skipDomainName(bytes, at: position), bytes.holds(2, at: next + 8) else { return result }
      position = next + 10 + Int(bytes.be16(at: next + 8))
    }
    for _ in 0..<message.additional {
      guard let next = skipDomainName(bytes, at: position), bytes.holds(5, at: next) else { return result }
      if bytes.be16(at: next) == DNSType.options { return result | UInt32(bytes.u8(at: next + 4)) << 4 }
      guard bytes.holds(10, at: next) else { return result }
      position = next + 10 + Int(bytes.be16(at: next + 8))
    }
    return result
  }
}
