// What an IP protocol number stands for, as JSON: ICMP, IGMP, UDP, SCTP, IPsec and tunnels. TCP has a file of its own.
import SwBPFPackets

extension JSONPrinter {
  /// - Parameter length: what the IP header says is left for this protocol.
  mutating func printTransport(
    _ first: UInt8, _ whole: RawSpan, length: UInt32, isVersion6: Bool, isFragment: Bool, to out: inout TextBuffer
  ) {
    var number = first
    var bytes = whole
    var length = length
    if number == IPProtocol.ah {
      let size = bytes.holds(2) ? (Int(bytes.u8(at: 1)) + 2) * 4 : 12
      if length < max(12, size) || size < 12 { return out.appendMalformed("ah") }
      guard bytes.holds(size) else { return out.appendTruncated("ah") }
      out.append(#","ah":{"spi":"#, number: bytes.be32(at: 4))
      out.append(#","sequence":"#, number: bytes.be32(at: 8))
      number = bytes.u8(at: 0)
      out.append(#","protocol":"#, number: UInt32(number))
      out.append(byte: 0x7d)
      bytes = bytes.extracting(droppingFirst: size)
      length -= UInt32(truncatingIfNeeded: size)
      // One is enough: headers inside each other are not followed without end.
      if number == IPProtocol.ah { return out.appendPayload(length) }
    }
    switch number {
    case IPProtocol.tcp: printTCP(bytes, length: length, to: &out)
    case IPProtocol.udp: printUDP(bytes, length: length, isFragment: isFragment, to: &out)
    case IPProtocol.icmp where !isVersion6: printICMP(bytes, length: length, to: &out)
    case IPProtocol.icmp6 where isVersion6: printICMP6(bytes, length: length, to: &out)
    case IPProtocol.igmp where !isVersion6: printIGMP(bytes, length: length, to: &out)
    case IPProtocol.sctp: printSCTP(bytes, length: length, to: &out)
    case IPProtocol.esp: printESP(bytes, length: length, to: &out)
    case IPProtocol.gre: printGRE(bytes, length: length, to: &out)
    case IPProtocol.ipv4: printInner(.ipv4, bytes, length: length, to: &out)
    case IPProtocol.ipv6: printInner(.ipv6, bytes, length: length, to: &out)
    case 143 where isVersion6: printInner(.ethernet, bytes, length: length, to: &out)
    default: out.appendPayload(length)
    }
  }

  /// Whether `count` bytes of a header are there; if not, says why.
  @inline(__always)
  func has(
    _ count: Int, of layer: StaticString, _ bytes: RawSpan, length: UInt32, to out: inout TextBuffer
  ) -> Bool {
    if length < count {
      out.appendMalformed(layer)
      return false
    }
    if !bytes.holds(count) {
      out.appendTruncated(layer)
      return false
    }
    return true
  }

  private func printUDP(_ bytes: RawSpan, length: UInt32, isFragment: Bool, to out: inout TextBuffer) {
    guard has(8, of: "udp", bytes, length: length, to: &out), let header = UDPView(bytes) else { return }
    out.append(#","udp":{"source":"#, number: UInt32(header.sourcePort))
    out.append(#","destination":"#, number: UInt32(header.destinationPort))
    out.append(#","length":"#, number: UInt32(header.length))
    out.append(#","checksum":"#, number: UInt32(header.checksum))
    out.append(byte: 0x7d)
    // A jumbogram leaves its length to IP.
    let claimed = header.length == 0 && length > 65535 ? length : UInt32(header.length)
    if claimed < 8 || (claimed > length && !isFragment) { return out.appendMalformed("udp") }
    out.appendPayload(claimed - 8)
  }

  private func printICMP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(8, of: "icmp", bytes, length: length, to: &out) else { return }
    let type = bytes.u8(at: 0)
    let code = bytes.u8(at: 1)
    out.append(#","icmp":{"type":"#, number: UInt32(type))
    out.append(#","code":"#, number: UInt32(code))
    out.append(#","checksum":"#, number: UInt32(bytes.be16(at: 2)))
    switch type {
    case 0, 8, 13...18:
      out.append(#","id":"#, number: UInt32(bytes.be16(at: 4)))
      out.append(#","sequence":"#, number: UInt32(bytes.be16(at: 6)))
    case 3 where code == 4: out.append(#","mtu":"#, number: UInt32(bytes.be16(at: 6)))
    case 5: out.append(#","gateway":"#, ipv4: bytes.be32(at: 4))
    default: break
    }
    out.append(byte: 0x7d)
    out.appendPayload(length - 8)
  }

  private func printICMP6(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(8, of: "icmp6", bytes, length: length, to: &out) else { return }
    let type = bytes.u8(at: 0)
    out.append(#","icmp6":{"type":"#, number: UInt32(type))
    out.append(#","code":"#, number: UInt32(bytes.u8(at: 1)))
    out.append(#","checksum":"#, number: UInt32(bytes.be16(at: 2)))
    switch type {
    case 128, 129:
      out.append(#","id":"#, number: UInt32(bytes.be16(at: 4)))
      out.append(#","sequence":"#, number: UInt32(bytes.be16(at: 6)))
    case 2: out.append(#","mtu":"#, number: bytes.be32(at: 4))
    case 135...136 where bytes.holds(24) && length >= 24: out.append(#","target":"#, ipv6: bytes, at: 8)
    default: break
    }
    out.append(byte: 0x7d)
    out.appendPayload(length - 8)
  }

  private func printIGMP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(8, of: "igmp", bytes, length: length, to: &out) else { return }
    let type = bytes.u8(at: 0)
    out.append(#","igmp":{"type":"#, number: UInt32(type))
    out.append(#","checksum":"#, number: UInt32(bytes.be16(at: 2)))
    // A report of version 3 has a list of groups instead.
    if type != 0x22 { out.append(#","group":"#, ipv4: bytes.be32(at: 4)) }
    out.append(byte: 0x7d)
    out.appendPayload(length - 8)
  }

  private func printSCTP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(12, of: "sctp", bytes, length: length, to: &out) else { return }
    out.append(#","sctp":{"source":"#, number: UInt32(bytes.be16(at: 0)))
    out.append(#","destination":"#, number: UInt32(bytes.be16(at: 2)))
    out.append(#","tag":"#, number: bytes.be32(at: 4))
    out.append(byte: 0x7d)
    out.appendPayload(length - 12)
  }

  private func printESP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(8, of: "esp", bytes, length: length, to: &out) else { return }
    out.append(#","esp":{"spi":"#, number: bytes.be32(at: 0))
    out.append(#","sequence":"#, number: bytes.be32(at: 4))
    out.append(byte: 0x7d)
    out.appendPayload(length - 8)
  }

  private mutating func printGRE(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard has(4, of: "gre", bytes, length: length, to: &out) else { return }
    let flags = bytes.be16(at: 0)
    let version = flags & 7
    var size = 4
    if version == 0 {
      // Checksum (with routing: both words), key, sequence number.
      if flags & 0xc000 != 0 { size += 4 }
      if flags & 0x2000 != 0 { size += 4 }
      if flags & 0x1000 != 0 { size += 4 }
    }
    guard has(size, of: "gre", bytes, length: length, to: &out) else { return }
    let type = bytes.be16(at: 2)
    out.append(#","gre":{"version":"#, number: UInt32(version))
    out.append(#","type":"#, number: UInt32(type))
    if version == 0, flags & 0x2000 != 0 {
      out.append(#","key":"#, number: bytes.be32(at: flags & 0xc000 != 0 ? 8 : 4))
    }
    if version == 0, flags & 0x1000 != 0 { out.append(#","sequence":"#, number: bytes.be32(at: size - 4)) }
    out.append(byte: 0x7d)
    let rest = bytes.extracting(droppingFirst: size)
    let left = length - UInt32(truncatingIfNeeded: size)
    // Source routes would follow, and version 1 is PPTP's: what these carry is not followed.
    if version != 0 || flags & 0x4000 != 0 { return out.appendPayload(left) }
    switch type {
    case EtherType.ipv4: printInner(.ipv4, rest, length: left, to: &out)
    case EtherType.ipv6: printInner(.ipv6, rest, length: left, to: &out)
    case 0x6558: printInner(.ethernet, rest, length: left, to: &out)
    default: out.appendPayload(left)
    }
  }
}
