// Questions and resource records of DNS messages.
import SwBPFPackets

extension LinePrinter {
  /// ` A? example.org.` Returns where the bytes behind the question start, nil for a malformed or incomplete one.
  func printDNSQuestion(_ message: borrowing DNSMessage, at start: Int, to out: inout TextBuffer) -> Int? {
    let bytes = message.bytes
    guard let position = skipDomainName(bytes, at: start), bytes.holds(4, at: position) else { return nil }
    printDNSType(bytes.be16(at: position), to: &out)
    let number = bytes.be16(at: position + 2)
    printDNSClass(message.isMulticast ? number & 0x7fff : number, to: &out)
    if message.isMulticast { out.append(number & 0x8000 != 0 ? " (QU)" : " (QM)") }
    out.append("? ")
    guard let end = printDomainName(bytes, at: start, of: "domain", to: &out) else { return nil }
    return end + 4
  }

  /// ` example.org. [1d] A 10.0.0.1`; the name and the time to live only when more of them is wanted.
  /// Returns where the bytes behind the record start, nil for a malformed or incomplete one. A record whose fixed part
  /// was not captured whole counts as one that ends with the packet.
  func printDNSRecord(_ message: borrowing DNSMessage, at start: Int, to out: inout TextBuffer) -> Int? {
    let bytes = message.bytes
    var position = start
    if options.verbosity > 0 {
      out.append(byte: 0x20)
      guard let end = printDomainName(bytes, at: start, of: "domain", to: &out) else { return nil }
      position = end
    } else {
      guard let end = skipDomainName(bytes, at: start) else { return bytes.byteCount }
      position = end
    }
    guard bytes.holds(10, at: position) else { return bytes.byteCount }
    let type = bytes.be16(at: position)
    let number = bytes.be16(at: position + 2)
    let recordClass = message.isMulticast ? number & 0x7fff : number
    if type != DNSType.options { printDNSClass(recordClass, to: &out) }
    if message.isMulticast, number & 0x8000 != 0 { out.append(" (Cache flush)") }
    if type != DNSType.options, options.verbosity > 2 {
      out.append(" [")
      out.append(period: bytes.be32(at: position + 4))
      out.append(byte: 0x5d)
    }
    printDNSType(type, to: &out)
    let data = position + 10
    let end = data + Int(bytes.be16(at: position + 8))
    guard end <= bytes.byteCount else { return nil }
    if type == DNSType.options {
      out.append(" UDPsize=")
      out.append(decimal: UInt32(recordClass))
      if bytes.be16(at: position + 6) & 0x8000 != 0 { out.append(" DO") }
      guard printDNSOptions(bytes, from: data, to: end, &out) else { return nil }
    } else {
      guard printDNSData(type, bytes, from: data, to: end, &out) else { return nil }
    }
    return end
  }

  /// The data of a record; false when it is malformed or was not captured whole. Like tcpdump this does not ask whether
  /// the fields end where the data does.
  private func printDNSData(
    _ type: UInt16, _ bytes: RawSpan, from start: Int, to end: Int, _ out: inout TextBuffer
  ) -> Bool {
    switch type {
    case DNSType.address:
      guard bytes.holds(4, at: start) else { return false }
      out.append(byte: 0x20)
      out.append(ipv4: bytes.be32(at: start))
    case DNSType.nameServer, DNSType.alias, DNSType.pointer, DNSType.subtreeAlias:
      return printDNSName(bytes, at: start, to: &out) != nil
    case DNSType.authority:
      return options.verbosity == 0 || printDNSAuthority(bytes, at: start, to: &out)
    case DNSType.mailExchange:
      guard bytes.holds(2, at: start) else {
        out.append(byte: 0x20)
        return false
      }
      guard printDNSName(bytes, at: start + 2, to: &out) != nil else { return false }
      printDNSNumber(bytes.be16(at: start), to: &out)
    case DNSType.text:
      return printDNSTexts(bytes, from: start, to: end, &out)
    case DNSType.service:
      guard bytes.holds(6, at: start) else {
        out.append(byte: 0x20)
        return false
      }
      guard printDNSName(bytes, at: start + 6, to: &out) != nil else { return false }
      out.append(byte: 0x3a)
      out.append(decimal: UInt32(bytes.be16(at: start + 4)))
      printDNSNumber(bytes.be16(at: start), to: &out)
      printDNSNumber(bytes.be16(at: start + 2), to: &out)
    case DNSType.address6:
      guard bytes.holds(16, at: start) else { return false }
      out.append(byte: 0x20)
      out.append(ipv6: bytes, at: start)
    case DNSType.address6Chain:
      return printDNSAddressChain(bytes, at: start, to: &out)
    case DNSType.uri:
      guard bytes.holds(4, at: start) else {
        out.appendTruncation("domain")
        return false
      }
      printDNSNumber(bytes.be16(at: start), to: &out)
      printDNSNumber(bytes.be16(at: start + 2), to: &out)
      out.append(byte: 0x20)
      // tcpdump takes the text of a shorter record for endless.
      let count = end - start < 4 ? Int(UInt32.max) : end - start - 4
      return out.append(visible: bytes, at: start + 4, count: count)
    case DNSType.unspecifiedText:
      return out.append(visible: bytes, at: start, count: end - start)
    case DNSType.signature:
      return options.verbosity == 0 || printDNSSignature(bytes, at: start, to: &out)
    default: break
    }
    return true
  }

  private func printDNSAuthority(_ bytes: RawSpan, at start: Int, to out: inout TextBuffer) -> Bool {
    guard let contact = printDNSName(bytes, at: start, to: &out),
      let numbers = printDNSName(bytes, at: contact, to: &out), bytes.holds(20, at: numbers)
    else { return false }
    for index in 0..<5 {
      out.append(byte: 0x20)
      out.append(decimal: bytes.be32(at: numbers + 4 * index))
    }
    return true
  }

  private func printDNSTexts(_ bytes: RawSpan, from start: Int, to end: Int, _ out: inout TextBuffer) -> Bool {
    var position = start
    while position < end {
      out.append(" \"")
      guard bytes.holds(1, at: position) else { return false }
      let length = Int(bytes.u8(at: position))
      guard out.append(visible: bytes, at: position + 1, count: length) else { return false }
      out.append(byte: 0x22)
      position += 1 + length
    }
    return true
  }

  /// ` 64 ::1:2:3:4 prefix.example.` (RFC 2874): the address's last bytes, and the name that has its first ones.
  private func printDNSAddressChain(_ bytes: RawSpan, at start: Int, to out: inout TextBuffer) -> Bool {
    guard bytes.holds(1, at: start) else { return false }
    let prefixLength = bytes.u8(at: start)
    if prefixLength > 128 {
      printDNSNumber(UInt16(prefixLength), to: &out)
      out.append("(bad plen)")
      return true
    }
    let count = 16 - Int(prefixLength / 8)
    if prefixLength < 128 {
      guard bytes.holds(count, at: start + 1) else {
        out.appendTruncation("domain")
        return false
      }
      printDNSNumber(UInt16(prefixLength), to: &out)
      out.append(byte: 0x20)
      var address = (high: UInt64(0), low: UInt64(0))
      for index in 0..<count {
        address.high = address.high << 8 | address.low >> 56
        address.low = address.low << 8 | UInt64(bytes.u8(at: start + 1 + index))
      }
      out.append(ipv6High: address.high, low: address.low)
    }
    return prefixLength == 0 || printDNSName(bytes, at: start + 1 + count, to: &out) != nil
  }

  /// Transaction signatures (RFC 8945).
  private func printDNSSignature(_ bytes: RawSpan, at start: Int, to out: inout TextBuffer) -> Bool {
    guard let end = printDNSName(bytes, at: start, to: &out) else { return false }
    // The time that was signed lies between.
    let fudge = end + 6
    guard printDNSField(" fudge=", bytes, at: fudge, to: &out),
      printDNSField(" maclen=", bytes, at: fudge + 2, to: &out)
    else { return false }
    let rest = fudge + 4 + Int(bytes.be16(at: fudge + 2))
    return printDNSField(" origid=", bytes, at: rest, to: &out)
      && printDNSField(" error=", bytes, at: rest + 2, to: &out)
      && printDNSField(" otherlen=", bytes, at: rest + 4, to: &out)
  }

  /// A number of two bytes; false when it was not captured.
  private func printDNSField(
    _ name: StaticString, _ bytes: RawSpan, at offset: Int, to out: inout TextBuffer
  ) -> Bool {
    guard bytes.holds(2, at: offset) else { return false }
    out.append(name)
    out.append(decimal: UInt32(bytes.be16(at: offset)))
    return true
  }

  /// A name behind a blank. Returns where the bytes behind it start.
  private func printDNSName(_ bytes: RawSpan, at offset: Int, to out: inout TextBuffer) -> Int? {
    out.append(byte: 0x20)
    return printDomainName(bytes, at: offset, of: "domain", to: &out)
  }

  private func printDNSNumber(_ value: UInt16, to out: inout TextBuffer) {
    out.append(byte: 0x20)
    out.append(decimal: UInt32(value))
  }

  private func printDNSType(_ type: UInt16, to out: inout TextBuffer) {
    out.append(byte: 0x20)
    if let name = dnsTypeName(type) { return out.append(name) }
    out.append("Type")
    out.append(decimal: UInt32(type))
  }

  /// Nothing for the Internet's class.
  private func printDNSClass(_ number: UInt16, to out: inout TextBuffer) {
    switch number {
    case 1: break
    case 3: out.append(" CHAOS")
    case 4: out.append(" HS")
    case 255: out.append(" ANY")
    default:
      out.append(" (Class ")
      out.append(decimal: UInt32(number))
      out.append(byte: 0x29)
    }
  }
}
