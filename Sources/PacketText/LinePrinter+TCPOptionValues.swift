// What the options of a TCP header hold, behind their names.
import SwBPFPackets

extension LinePrinter {
  /// Prints what follows the name.
  func printTCPOption(
    _ option: TCPOption, _ bytes: RawSpan, _ segment: TCPSegment, to out: inout TextBuffer
  ) -> OptionEnd {
    let at = option.offset
    let data = option.length - 2
    switch option.kind {
    case 2:
      if let end = option.check(2, bytes) { return end }
      out.append(byte: 0x20)
      out.append(decimal: UInt32(bytes.be16(at: at)))
      return .done(2)
    case 3:
      if let end = option.check(1, bytes) { return end }
      out.append(byte: 0x20)
      out.append(decimal: UInt32(bytes.u8(at: at)))
      return .done(1)
    case 4: return .done(0)
    case 5: return printSelective(option, bytes, base: segment.selectiveBase, to: &out)
    case 6, 7, 11, 12, 13:
      if let end = option.check(4, bytes) { return end }
      out.append(byte: 0x20)
      out.append(decimal: bytes.be32(at: at))
      return .done(4)
    case 8:
      if let end = option.check(8, bytes) { return end }
      out.append(" val ")
      out.append(decimal: bytes.be32(at: at))
      out.append(" ecr ")
      out.append(decimal: bytes.be32(at: at + 4))
      return .done(8)
    case 19:
      if let end = option.check(16, bytes) { return end }
      let headerLength = Int(bytes.u8(at: 12) >> 4) * 4
      out.append(
        bytes.holds(headerLength + Int(segment.payload))
          ? " shared secret not supplied with -M, can't check - " : " snaplen too short, can't check - ")
      out.append(hexOf: bytes.extracting(droppingFirst: at).extracting(first: 16))
      return .done(16)
    case 20:
      if let end = option.check(2, bytes) { return end }
      out.append(" cap ")
      out.append(hex: UInt32(bytes.u8(at: at)), digits: 2)
      out.append(" id ")
      out.append(decimal: UInt32(bytes.u8(at: at + 1)))
      return .done(2)
    case 28:
      if let end = option.check(2, bytes) { return end }
      let value = UInt32(bytes.be16(at: at))
      out.append(" 0x")
      out.append(hex: value)
      out.append(byte: 0x20)
      out.append(decimal: value & 1 == 1 ? (value >> 1) * 60 : value >> 1)
      return .done(2)
    case 29: return printAuthentication(option, bytes, to: &out)
    case 30:
      if let end = option.check(data, bytes) { return end }
      let whole = bytes.extracting(droppingFirst: at - 2).extracting(first: option.length)
      return printMPTCP(whole, flags: segment.flags, to: &out)
    case 34:
      if let end = option.check(data, bytes) { return end }
      out.append(byte: 0x20)
      printFastOpen(bytes.extracting(droppingFirst: at).extracting(first: data), to: &out)
      return .done(data)
    case 254:
      if let end = option.check(data, bytes) { return end }
      if data < 2 { return .bad }
      let magic = bytes.be16(at: at)
      out.append(byte: 0x2d)
      if magic == 0xf989 {
        out.append("tfo")
        printFastOpen(bytes.extracting(droppingFirst: at + 2).extracting(first: data - 2), to: &out)
      } else {
        out.append(hex: UInt32(magic), digits: 4)
      }
      return .done(data)
    default:
      if data > 0 { out.append(" 0x") }
      for index in 0..<data {
        if let end = option.check(index + 1, bytes) { return end }
        out.append(hex: UInt32(bytes.u8(at: at + index)), digits: 2)
      }
      return .done(data)
    }
  }

  private func printSelective(
    _ option: TCPOption, _ bytes: RawSpan, base: UInt32, to out: inout TextBuffer
  ) -> OptionEnd {
    let data = option.length - 2
    if data % 8 != 0 {
      out.append(" invalid sack")
      return .done(data)
    }
    out.append(byte: 0x20)
    out.append(decimal: UInt32(data / 8))
    out.append(byte: 0x20)
    for index in stride(from: 0, to: data, by: 8) {
      if let end = option.check(index + 8, bytes) { return end }
      out.append(byte: 0x7b)
      out.append(decimal: bytes.be32(at: option.offset + index) &- base)
      out.append(byte: 0x3a)
      out.append(decimal: bytes.be32(at: option.offset + index + 4) &- base)
      out.append(byte: 0x7d)
    }
    return .done(data)
  }

  private func printAuthentication(_ option: TCPOption, _ bytes: RawSpan, to out: inout TextBuffer) -> OptionEnd {
    let data = option.length - 2
    if data < 2 {
      out.appendInvalid()
      return .done(data)
    }
    if let end = option.check(1, bytes) { return end }
    out.append(" keyid ")
    out.append(decimal: UInt32(bytes.u8(at: option.offset)))
    if let end = option.check(2, bytes) { return end }
    out.append(" rnextkeyid ")
    out.append(decimal: UInt32(bytes.u8(at: option.offset + 1)))
    if data > 2 { out.append(" mac 0x") }
    for index in 2..<data {
      if let end = option.check(index + 1, bytes) { return end }
      out.append(hex: UInt32(bytes.u8(at: option.offset + index)), digits: 2)
    }
    return .done(data)
  }

  private func printFastOpen(_ cookie: RawSpan, to out: inout TextBuffer) {
    let length = cookie.byteCount
    if length == 0 { return out.append(" cookiereq") }
    if length % 2 != 0 || length < 4 || length > 16 { return out.appendInvalid() }
    out.append(" cookie ")
    out.append(hexOf: cookie)
  }
}
