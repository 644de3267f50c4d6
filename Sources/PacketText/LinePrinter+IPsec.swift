// AH, ESP, IPComp, and ESP inside UDP (RFC 3948). Nothing is decrypted.
import SwBPFPackets

extension LinePrinter {
  /// Prints an AH header; nil, with the truncation marked, when it was not captured whole.
  ///
  /// - Returns: bytes of the header.
  mutating func printAH(_ bytes: RawSpan, to out: inout TextBuffer) -> Int? {
    guard bytes.holds(1) else {
      out.appendTruncationMark("ah")
      return nil
    }
    out.append("AH")
    guard bytes.holds(2) else { return endAH(&out) }
    let words = bytes.u8(at: 1)
    let headerLength = (Int(words) + 2) * 4
    out.append(byte: 0x28)
    if options.verbosity > 0 {
      out.append("length=")
      out.append(decimal: UInt32(words))
      out.append(byte: 0x28)
      out.append(decimal: UInt32(truncatingIfNeeded: headerLength))
      out.append("-bytes),")
    }
    guard bytes.holds(4) else { return endAH(&out) }
    let reserved = bytes.be16(at: 2)
    if reserved != 0 {
      out.append("reserved=0x")
      out.append(hex: UInt32(reserved))
      out.append("[MustBeZero],")
    }
    guard bytes.holds(8) else { return endAH(&out) }
    out.append("spi=0x")
    out.append(hex: bytes.be32(at: 4), digits: 8)
    out.append(byte: 0x2c)
    guard bytes.holds(12) else { return endAH(&out) }
    out.append("seq=0x")
    out.append(hex: bytes.be32(at: 8))
    out.append(",icv=0x")
    let captured = min(headerLength, bytes.byteCount)
    if captured > 12 { out.append(hexOf: bytes.extracting(12..<captured)) }
    guard captured == headerLength else { return endAH(&out) }
    out.append("): ")
    return headerLength
  }

  private func endAH(_ out: inout TextBuffer) -> Int? {
    out.appendTruncation("ah")
    return nil
  }

  func printESP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    // A byte behind the header must have been captured, too.
    guard bytes.holds(9) else { return out.appendTruncationMark("esp") }
    out.append("ESP(spi=0x")
    out.append(hex: bytes.be32(at: 0), digits: 8)
    out.append(",seq=0x")
    out.append(hex: bytes.be32(at: 4))
    out.append(byte: 0x29)
    printLength(length, to: &out)
  }

  func printIPComp(_ bytes: RawSpan, to out: inout TextBuffer) {
    guard bytes.holds(4) else { return out.appendTruncation("ipcomp") }
    out.append("IPComp(cpi=0x")
    out.append(hex: UInt32(bytes.be16(at: 2)), digits: 4)
    out.append(byte: 0x29)
  }

  /// Port 4500: a keepalive, IKE behind four zero bytes, or ESP.
  mutating func printNATTraversal(_ bytes: RawSpan, length: UInt32, ip: RawSpan, to out: inout TextBuffer) {
    if length == 1 {
      guard bytes.holds(1) else { return out.appendTruncation("isakmp_rfc3948") }
      if bytes.u8(at: 0) == 0xff { return out.append("isakmp-nat-keep-alive") }
    }
    if length < 4 { return out.appendTruncationMark("isakmp_rfc3948") }
    guard bytes.holds(4) else { return out.appendTruncation("isakmp_rfc3948") }
    if bytes.be32(at: 0) == 0 {
      out.append("NONESP-encap: ")
      printISAKMP(bytes.extracting(droppingFirst: 4), length: length - 4, ip: ip, to: &out)
    } else {
      out.append("UDP-encap: ")
      printESP(bytes, length: length, to: &out)
    }
  }
}
