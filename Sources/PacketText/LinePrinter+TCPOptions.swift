// The options of a TCP header.
import SwBPFPackets

/// What the options need to know of their segment.
struct TCPSegment {
  let flags: UInt8
  /// Bytes behind the header, as IP tells.
  let payload: UInt32
  /// SACK blocks are printed relative to this.
  let selectiveBase: UInt32
}

/// How an option ended.
enum OptionEnd {
  /// The number of bytes behind kind and length that were understood.
  case done(Int)
  /// Not as its kind wants it.
  case bad
  /// Cut by the capture.
  case truncated
}

extension LinePrinter {
  /// `, options [nop,nop,TS val 1 ecr 2]`
  ///
  /// - Returns: the name that tcpdump gives to what is cut behind here; nil when the line ends in a broken option.
  func printTCPOptions(
    _ bytes: RawSpan, headerLength: Int, _ segment: TCPSegment, to out: inout TextBuffer
  ) -> StaticString? {
    out.append(", options [")
    var name: StaticString = "tcp"
    var offset = 20
    var left = headerLength - 20
    var isFirst = true
    while left > 0 {
      if !isFirst { out.append(byte: 0x2c) }
      guard bytes.holds(1, at: offset) else {
        out.appendTruncation(name)
        return nil
      }
      let kind = bytes.u8(at: offset)
      offset += 1
      left -= 1
      if kind <= 1 {
        out.append(kind == 0 ? "eol" : "nop")
        isFirst = false
        if kind == 0 { break }
        continue
      }
      guard bytes.holds(1, at: offset) else {
        out.appendTruncation(name)
        return nil
      }
      let length = Int(bytes.u8(at: offset))
      offset += 1
      guard length >= 2, length <= left + 1 else {
        endOptions(.bad, name, isFirst: isFirst, to: &out)
        return nil
      }
      left -= 1
      printTCPOptionName(kind, to: &out)
      let option = TCPOption(kind: kind, length: length, offset: offset, left: left)
      let end = printTCPOption(option, bytes, segment, to: &out)
      guard case .done(let used) = end else {
        endOptions(end, name, isFirst: isFirst, to: &out)
        return nil
      }
      if kind == 30 { name = "mptcp" }
      offset += used
      left -= used
      if used + 2 != length {
        out.append("[len ")
        out.append(decimal: UInt32(length))
        out.append(byte: 0x5d)
      }
      isFirst = false
    }
    out.append(byte: 0x5d)
    return name
  }

  private func endOptions(_ end: OptionEnd, _ name: StaticString, isFirst: Bool, to out: inout TextBuffer) {
    switch end {
    case .done: break
    case .bad:
      out.append("[bad opt]")
      if !isFirst { out.append(byte: 0x5d) }
    case .truncated:
      out.appendTruncationMark(name)
      // tcpdump's own bracket for this case.
      if !isFirst { out.append(byte: 0x3e) }
    }
  }

  private func printTCPOptionName(_ kind: UInt8, to out: inout TextBuffer) {
    switch kind {
    case 2: out.append("mss")
    case 3: out.append("wscale")
    case 4: out.append("sackOK")
    case 5: out.append("sack")
    case 6: out.append("echo")
    case 7: out.append("echoreply")
    case 8: out.append("TS")
    case 11: out.append("cc")
    case 12: out.append("ccnew")
    case 13: break  // CC.ECHO has an empty name in tcpdump.
    case 19: out.append("md5")
    case 20: out.append("scps")
    case 28: out.append("uto")
    case 29: out.append("tcp-ao")
    case 30: out.append("mptcp")
    case 34: out.append("tfo")
    case 254: out.append("exp")
    default:
      out.append("unknown-")
      out.append(decimal: UInt32(kind))
    }
  }

  /// Prints what follows the name.
  private func printTCPOption(
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

/// Where an option lies in its segment.
struct TCPOption {
  let kind: UInt8
  /// As the option says, kind and length included.
  let length: Int
  /// Of the first byte behind kind and length.
  let offset: Int
  /// Bytes of the header behind kind and length.
  let left: Int

  /// Why `count` bytes of data cannot be read, nil if they can.
  @inline(__always)
  func check(_ count: Int, _ bytes: RawSpan) -> OptionEnd? {
    if count > left { return .bad }
    return bytes.holds(count, at: offset) ? nil : .truncated
  }
}
