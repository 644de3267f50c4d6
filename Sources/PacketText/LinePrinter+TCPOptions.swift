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
}
