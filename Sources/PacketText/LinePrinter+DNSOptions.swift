// The options of EDNS (RFC 6891), inside OPT records.
import SwBPFPackets

extension LinePrinter {
  /// ` [COOKIE 0011223344556677,PADDING (12)]`; false when they are malformed or were not captured whole.
  func printDNSOptions(_ bytes: RawSpan, from start: Int, to end: Int, _ out: inout TextBuffer) -> Bool {
    if start >= end { return true }
    out.append(" [")
    var position = start
    while position < end {
      guard bytes.holds(2, at: position) else { return false }
      let code = bytes.be16(at: position)
      if let name = dnsOptionName(code) {
        out.append(name)
      } else {
        out.append("Opt")
        out.append(decimal: UInt32(code))
      }
      guard bytes.holds(4, at: position) else { return false }
      let length = Int(bytes.be16(at: position + 2))
      position += 4
      guard bytes.holds(length, at: position) else { return false }
      if length > 0 {
        out.append(byte: 0x20)
        guard printDNSOption(code, bytes, at: position, length: length, to: &out) else { return false }
      }
      position += length
      if position < end { out.append(byte: 0x2c) }
    }
    out.append(byte: 0x5d)
    return true
  }

  /// - Parameter length: at least one byte, all of them captured.
  private func printDNSOption(
    _ code: UInt16, _ bytes: RawSpan, at start: Int, length: Int, to out: inout TextBuffer
  ) -> Bool {
    let data = bytes.extracting(droppingFirst: start).extracting(first: length)
    switch code {
    case 5, 6, 7: printDNSAlgorithms(code, data, to: &out)
    case 8: printClientSubnet(data, to: &out)
    case 9 where length == 4:
      out.append(decimal: data.be32(at: 0))
      out.append(" sec")
    case 10 where length == 8 || (length >= 16 && length <= 40):
      out.append(hexOf: data.extracting(first: 8))
      if length > 8 {
        out.append(byte: 0x20)
        out.append(hexOf: data.extracting(droppingFirst: 8))
      }
    case 11 where length == 2:
      let tenths = UInt32(data.be16(at: 0))
      out.append(decimal: tenths / 10)
      out.append(byte: 0x2e)
      out.append(decimal: tenths % 10)
      out.append(" sec")
    case 12:
      out.append(byte: 0x28)
      out.append(decimal: UInt32(length))
      out.append(byte: 0x29)
    case 13:
      // Pointers of this name count from behind the option.
      _ = printDomainName(bytes, at: start, base: start + length, of: "domain", to: &out)
      return !out.isCut
    case 14 where length % 2 == 0:
      for index in 0..<length / 2 {
        if index > 0 { out.append(byte: 0x20) }
        out.append(decimal: UInt32(data.be16(at: 2 * index)))
      }
    case 9, 10, 11, 14: out.appendInvalid()
    default: out.append(hexOf: data)
    }
    return true
  }

  private func printDNSAlgorithms(_ code: UInt16, _ numbers: RawSpan, to out: inout TextBuffer) {
    for index in 0..<numbers.byteCount {
      if index > 0 { out.append(byte: 0x20) }
      let number = numbers.u8(at: index)
      let name =
        switch code {
        case 5: dnsSignatureAlgorithmName(number)
        case 6: dnsDigestAlgorithmName(number)
        default: dnsHashAlgorithmName(number)
        }
      if let name {
        out.append(name)
      } else {
        out.append("Alg_")
        out.append(decimal: UInt32(number))
      }
    }
  }

  /// `10.1.0.0/16/0` (RFC 7871): the bytes that the address leaves out are zero.
  private func printClientSubnet(_ data: RawSpan, to out: inout TextBuffer) {
    guard data.byteCount >= 4 else { return out.appendInvalid() }
    let family = data.be16(at: 0)
    let sourceLength = Int(data.u8(at: 2))
    let scopeLength = Int(data.u8(at: 3))
    let bits = family == 1 ? 32 : 128
    let count = data.byteCount - 4
    guard family == 1 || family == 2, sourceLength <= bits, scopeLength <= bits, count == (sourceLength + 7) / 8 else {
      return out.appendInvalid()
    }
    var address = (high: UInt64(0), low: UInt64(0))
    for index in 0..<bits / 8 {
      address.high = address.high << 8 | address.low >> 56
      address.low = address.low << 8 | (index < count ? UInt64(data.u8(at: 4 + index)) : 0)
    }
    if family == 1 {
      out.append(ipv4: UInt32(truncatingIfNeeded: address.low))
    } else {
      out.append(ipv6High: address.high, low: address.low)
    }
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(sourceLength))
    out.append(byte: 0x2f)
    out.append(decimal: UInt32(scopeLength))
  }
}
