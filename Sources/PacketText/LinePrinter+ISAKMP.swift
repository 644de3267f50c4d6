// The ISAKMP header (RFC 2408, RFC 7296). The payloads, which only -v shows, have no printer here.
import SwBPFPackets

extension LinePrinter {
  mutating func printISAKMP(_ bytes: RawSpan, length: UInt32, ip: RawSpan, to out: inout TextBuffer) {
    guard bytes.holds(28) else { return out.appendTruncationMark("isakmp") }
    out.append("isakmp")
    let version = bytes.u8(at: 17)
    if options.verbosity > 0 {
      out.append(byte: 0x20)
      out.append(decimal: UInt32(version >> 4))
      out.append(byte: 0x2e)
      out.append(decimal: UInt32(version & 15))
      out.append(" msgid ")
      out.append(hex: bytes.be32(at: 20), digits: 8)
    }
    if options.verbosity > 1 {
      out.append(" cookie ")
      out.append(hexOf: bytes.extracting(0..<8))
      out.append("->")
      out.append(hexOf: bytes.extracting(8..<16))
    }
    out.append(byte: 0x3a)
    let flags = bytes.u8(at: 19)
    let isFirstPhase = bytes.be32(at: 20) == 0
    switch version >> 4 {
    case 1:
      out.append(isFirstPhase ? " phase 1" : " phase 2/others")
      out.append(byte: 0x20)
      out.append(byte: initiators.side(of: bytes, ip: ip))
      printExchange(bytes.u8(at: 18), to: &out)
      if flags != 0 {
        out.append(byte: 0x5b)
        if flags & 0x01 != 0 { out.append(byte: 0x45) }
        if flags & 0x02 != 0 { out.append(byte: 0x43) }
        out.append(byte: 0x5d)
      }
    case 2:
      out.append(isFirstPhase ? " parent_sa" : " child_sa ")
      printExchange(bytes.u8(at: 18), to: &out)
      if flags != 0 {
        out.append(byte: 0x5b)
        if flags & 0x08 != 0 { out.append(byte: 0x49) }
        if flags & 0x10 != 0 { out.append(byte: 0x56) }
        if flags & 0x20 != 0 { out.append(byte: 0x52) }
        out.append(byte: 0x5d)
      }
    default: return
    }
    if options.verbosity == 0 { return }
    out.append(byte: 0x3a)
    if flags & 0x01 != 0 {
      out.append(" [encrypted ")
      printPayloadName(bytes.u8(at: 16), to: &out)
      out.append(byte: 0x5d)
    } else if bytes.u8(at: 16) != 0 {
      out.append(" payloads")
      printLength(length > 28 ? length - 28 : 0, to: &out)
    }
    if bytes.be32(at: 24) != length {
      out.append(" (len mismatch: isakmp ")
      out.append(decimal: bytes.be32(at: 24))
      out.append("/ip ")
      out.append(decimal: length)
      out.append(byte: 0x29)
    }
  }

  private func printExchange(_ type: UInt8, to out: inout TextBuffer) {
    out.append(byte: 0x20)
    switch type {
    case 0: out.append("none")
    case 1: out.append("base")
    case 2: out.append("ident")
    case 3: out.append("auth")
    case 4: out.append("agg")
    case 5: out.append("inf")
    case 32: out.append("oakley-quick")
    case 33: out.append("oakley-newgroup")
    case 34: out.append("ikev2_init")
    case 35: out.append("ikev2_auth")
    case 36: out.append("child_sa")
    case 37: out.append("inf2")
    default:
      out.append(byte: 0x23)
      out.append(decimal: UInt32(type))
    }
  }

  private func printPayloadName(_ type: UInt8, to out: inout TextBuffer) {
    switch type {
    case 0: out.append("none")
    case 1: out.append("sa")
    case 2: out.append("p")
    case 3: out.append("t")
    case 4: out.append("ke")
    case 5: out.append("id")
    case 6: out.append("cert")
    case 7: out.append("cr")
    case 8: out.append("hash")
    case 9: out.append("sig")
    case 10: out.append("nonce")
    case 11: out.append("n")
    case 12: out.append("d")
    case 13: out.append("vid")
    case 14...32:
      out.append("pay")
      out.append(decimal: UInt32(type))
    case 33: out.append("v2sa")
    case 34: out.append("v2ke")
    case 35: out.append("v2IDi")
    case 36: out.append("v2IDr")
    case 37: out.append("v2cert")
    case 38: out.append("v2cr")
    case 39: out.append("v2auth")
    case 40: out.append("v2nonce")
    case 41: out.append("v2n")
    case 42: out.append("v2d")
    case 43: out.append("v2vid")
    case 44: out.append("v2TSi")
    case 45: out.append("v2TSr")
    case 46: out.append("v2e")
    case 47: out.append("v2cp")
    case 48: out.append("v2eap")
    default:
      out.append(byte: 0x23)
      out.append(decimal: UInt32(type))
    }
  }
}
