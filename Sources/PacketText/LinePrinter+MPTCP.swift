// Multipath TCP (RFC 8684), an option of TCP.
import SwBPFPackets

extension LinePrinter {
  /// - Parameter bytes: the whole option with kind and length, all captured.
  func printMPTCP(_ bytes: RawSpan, flags: UInt8, to out: inout TextBuffer) -> OptionEnd {
    let length = bytes.byteCount
    if length < 3 { return .bad }
    out.append(byte: 0x20)
    out.append(decimal: UInt32(length))
    let low = bytes.u8(at: 2) & 0xf
    switch bytes.u8(at: 2) >> 4 {
    case 0:
      out.append(" capable")
      let isRight = flags & TCPFlag.syn != 0 ? length == 12 || length == 4 : false
      let isThird = (length == 20 || length == 22) && flags & (TCPFlag.syn | TCPFlag.ack) == TCPFlag.ack
      guard isRight || isThird else { return .bad }
      if low > 1 {
        out.append(" Unknown Version (")
        out.append(decimal: UInt32(low))
        out.append(byte: 0x29)
        break
      }
      out.append(" v")
      out.append(decimal: UInt32(low))
      if bytes.u8(at: 3) & 0x80 != 0 { out.append(" csum") }
      if length >= 12 {
        out.append(" {0x")
        out.append(hex64: bytes.be64(at: 4))
        if length >= 20 {
          out.append(",0x")
          out.append(hex64: bytes.be64(at: 12))
        }
        out.append(byte: 0x7d)
      }
    case 1:
      out.append(" join")
      guard printJoin(bytes, flags: flags, to: &out) else { return .bad }
    case 2:
      out.append(" dss")
      guard printDataSequence(bytes, flags: flags, to: &out) else { return .bad }
    case 3:
      out.append(" add-addr")
      guard printAddAddress(bytes, to: &out) else { return .bad }
    case 4:
      out.append(" rem-addr")
      if length < 4 { return .bad }
      out.append(" id")
      for offset in 3..<length {
        out.append(byte: 0x20)
        out.append(decimal: UInt32(bytes.u8(at: offset)))
      }
    case 5:
      out.append(" prio")
      if length != 3, length != 4 { return .bad }
      out.append(low & 1 != 0 ? " backup" : " non-backup")
      if length == 4 { printIdentifier(bytes, to: &out) }
    case 6:
      out.append(" fail")
      if length != 12 { return .bad }
      out.append(" seq ")
      out.append(decimal64: bytes.be64(at: 4))
    case 7:
      out.append(" fast-close")
      if length != 12 { return .bad }
      out.append(" key 0x")
      out.append(hex64: bytes.be64(at: 4))
    default: out.append(" unknown")
    }
    return .done(length - 2)
  }

  private func printIdentifier(_ bytes: RawSpan, to out: inout TextBuffer) {
    out.append(" id ")
    out.append(decimal: UInt32(bytes.u8(at: 3)))
  }

  private func printJoin(_ bytes: RawSpan, flags: UInt8, to out: inout TextBuffer) -> Bool {
    let length = bytes.byteCount
    let both = TCPFlag.syn | TCPFlag.ack
    guard
      (length == 12 && flags & TCPFlag.syn != 0) || (length == 16 && flags & both == both)
        || (length == 24 && flags & TCPFlag.ack != 0)
    else { return false }
    if length != 24 {
      if bytes.u8(at: 2) & 1 != 0 { out.append(" backup") }
      printIdentifier(bytes, to: &out)
    }
    switch length {
    case 12:
      out.append(" token 0x")
      out.append(hex: bytes.be32(at: 4))
      out.append(" nonce 0x")
      out.append(hex: bytes.be32(at: 8))
    case 16:
      out.append(" hmac 0x")
      out.append(hex64: bytes.be64(at: 4))
      out.append(" nonce 0x")
      out.append(hex: bytes.be32(at: 12))
    default:
      out.append(" hmac 0x")
      out.append(hexOf: bytes.extracting(droppingFirst: 4).extracting(first: 20))
    }
    return true
  }

  private func printDataSequence(_ bytes: RawSpan, flags: UInt8, to out: inout TextBuffer) -> Bool {
    guard bytes.byteCount >= 4, flags & TCPFlag.syn == 0 else { return false }
    let bits = bytes.u8(at: 3)
    var offset = 4
    if bits & 0x10 != 0 { out.append(" fin") }
    if bits & 0x01 != 0 {
      out.append(" ack ")
      guard printNumber(bytes, at: &offset, isLong: bits & 0x02 != 0, to: &out) else { return false }
    }
    if bits & 0x04 != 0 {
      out.append(" seq ")
      guard printNumber(bytes, at: &offset, isLong: bits & 0x08 != 0, to: &out) else { return false }
      guard bytes.holds(4, at: offset) else { return false }
      out.append(" subseq ")
      out.append(decimal: bytes.be32(at: offset))
      offset += 4
      guard bytes.holds(2, at: offset) else { return false }
      out.append(" len ")
      out.append(decimal: UInt32(bytes.be16(at: offset)))
      offset += 2
      if bytes.holds(2, at: offset) {
        out.append(" csum 0x")
        out.append(hex: UInt32(bytes.be16(at: offset)))
        offset += 2
      }
    }
    return offset == bytes.byteCount
  }

  /// A number of eight or four bytes; false when it does not fit.
  private func printNumber(_ bytes: RawSpan, at offset: inout Int, isLong: Bool, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(isLong ? 8 : 4, at: offset) else { return false }
    if isLong {
      out.append(decimal64: bytes.be64(at: offset))
    } else {
      out.append(decimal: bytes.be32(at: offset))
    }
    offset += isLong ? 8 : 4
    return true
  }

  private func printAddAddress(_ bytes: RawSpan, to out: inout TextBuffer) -> Bool {
    let length = bytes.byteCount
    switch length {
    case 8, 10, 16, 18, 20, 22, 28, 30: break
    default: return false
    }
    switch bytes.u8(at: 2) & 0xf {
    case 6: out.append(" v0-ip6")
    case 4: out.append(" v0-ip4")
    case 1: out.append(" v1-echo")
    case 0: out.append(" v1")
    default: out.append(" [bad version/echo]")
    }
    printIdentifier(bytes, to: &out)
    out.append(byte: 0x20)
    var offset = 8
    if length <= 18 {
      out.append(ipv4: bytes.be32(at: 4))
    } else {
      out.append(ipv6: bytes, at: 4)
      offset = 20
    }
    // An address, then a port of two bytes or none, then a code of eight bytes or none.
    if (length - offset) & 2 != 0 {
      out.append(byte: 0x3a)
      out.append(decimal: UInt32(bytes.be16(at: offset)))
      offset += 2
    }
    if length - offset >= 8 {
      out.append(" hmac 0x")
      out.append(hex64: bytes.be64(at: offset))
    }
    return true
  }
}
