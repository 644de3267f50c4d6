// TCP with its options, as JSON. Sequence numbers are those of the header.
import SwBPFPackets

extension JSONPrinter {
  func printTCP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(20, of: "tcp", bytes, length: length, to: &out), let header = TCPView(bytes) else { return }
    let headerLength = header.headerLength
    let flags = header.flags
    out.append(#","tcp":{"source":"#, number: UInt32(header.sourcePort))
    out.append(#","destination":"#, number: UInt32(header.destinationPort))
    printFlags(flags, to: &out)
    out.append(#","seq":"#, number: header.sequence)
    if flags & TCPFlag.ack != 0 { out.append(#","ack":"#, number: header.acknowledgement) }
    out.append(#","window":"#, number: UInt32(header.window))
    out.append(#","checksum":"#, number: UInt32(header.checksum))
    if flags & TCPFlag.urg != 0 { out.append(#","urgent":"#, number: UInt32(header.urgent)) }
    out.append(#","header_length":"#, number: UInt32(truncatingIfNeeded: headerLength))
    guard headerLength >= 20, length >= headerLength else {
      out.append(byte: 0x7d)
      return out.appendMalformed("tcp")
    }
    var isSound = true
    if headerLength > 20 {
      let options = bytes.extracting(first: headerLength).extracting(droppingFirst: 20)
      isSound = printOptions(options, isWhole: bytes.holds(headerLength), to: &out)
    }
    out.append(byte: 0x7d)
    guard isSound else { return out.appendMalformed("tcp") }
    guard bytes.holds(headerLength) else { return out.appendTruncated("tcp") }
    out.appendPayload(length - UInt32(truncatingIfNeeded: headerLength))
  }

  /// `"flags":"S."`, with the letters of the text lines.
  private func printFlags(_ flags: UInt8, to out: inout TextBuffer) {
    out.append(#","flags":""#)
    let letters: UInt64 = 0x5745_552e_5052_5346
    var rest = UInt64(flags)
    while rest != 0 {
      out.append(byte: UInt8(truncatingIfNeeded: letters >> UInt64(8 * rest.trailingZeroBitCount)))
      rest &= rest - 1
    }
    out.append(byte: 0x22)
  }

  /// The options that were captured, without the padding between them; false where one makes no sense.
  private func printOptions(_ bytes: RawSpan, isWhole: Bool, to out: inout TextBuffer) -> Bool {
    out.append(#","options":["#)
    var offset = 0
    var isFirst = true
    var isSound = true
    while offset < bytes.byteCount {
      let kind = bytes.u8(at: offset)
      if kind == 0 { break }
      if kind == 1 {
        offset += 1
        continue
      }
      let count = bytes.holds(2, at: offset) ? Int(bytes.u8(at: offset + 1)) : 2
      if count >= 2, !bytes.holds(count, at: offset), !isWhole { break }
      guard count >= 2, bytes.holds(count, at: offset) else {
        isSound = false
        break
      }
      if !isFirst { out.append(byte: 0x2c) }
      isFirst = false
      printOption(kind, bytes.extracting(offset..<(offset + count)), to: &out)
      offset += count
    }
    out.append(byte: 0x5d)
    return isSound
  }

  /// One option, all of it; what is not known, or has a wrong length, is its kind and length.
  private func printOption(_ kind: UInt8, _ bytes: RawSpan, to out: inout TextBuffer) {
    let count = bytes.byteCount
    out.append(#"{"kind":"#, number: UInt32(kind))
    switch (kind, count) {
    case (2, 4): out.append(#","mss":"#, number: UInt32(bytes.be16(at: 2)))
    case (3, 3): out.append(#","scale":"#, number: UInt32(bytes.u8(at: 2)))
    case (4, 2): out.append(#","sack_permitted":true"#)
    case (5, 3...) where count % 8 == 2:
      out.append(#","sack":["#)
      for place in 0..<count / 8 {
        if place > 0 { out.append(byte: 0x2c) }
        out.append(byte: 0x5b)
        out.append(decimal: bytes.be32(at: 2 + 8 * place))
        out.append(byte: 0x2c)
        out.append(decimal: bytes.be32(at: 6 + 8 * place))
        out.append(byte: 0x5d)
      }
      out.append(byte: 0x5d)
    case (8, 10):
      out.append(#","value":"#, number: bytes.be32(at: 2))
      out.append(#","echo":"#, number: bytes.be32(at: 6))
    default: out.append(#","length":"#, number: UInt32(truncatingIfNeeded: count))
    }
    out.append(byte: 0x7d)
  }
}
