// What an IP protocol number stands for, behind either version of IP.
import SwBPFPackets

extension LinePrinter {
  /// - Parameter length: what the IP header says is left for this protocol.
  /// - Parameter ip: the IP header that carries it, to the end of what was captured.
  mutating func printTransport(
    _ first: UInt8, _ whole: RawSpan, length wholeLength: UInt32, ip: RawSpan, isFragment: Bool,
    to out: inout TextBuffer
  ) {
    var number = first
    var bytes = whole
    var length = wholeLength
    while number == IPProtocol.ah {
      guard let headerLength = printAH(bytes, to: &out) else { return }
      number = bytes.u8(at: 0)
      bytes = bytes.extracting(droppingFirst: headerLength)
      // tcpdump lets it wrap, too.
      length &-= UInt32(truncatingIfNeeded: headerLength)
    }
    let isVersion6 = ip.u8(at: 0) >> 4 == 6
    switch number {
    case IPProtocol.tcp: printTCP(bytes, length: length, ip: ip, isFragment: isFragment, to: &out)
    case IPProtocol.udp: printUDP(bytes, length: length, ip: ip, isFragment: isFragment, to: &out)
    case IPProtocol.icmp where !isVersion6: printICMP(bytes, length: length, isFragment: isFragment, to: &out)
    case IPProtocol.icmp6 where isVersion6: printICMP6(bytes, length: length, ip: ip, isFragment: isFragment, to: &out)
    case IPProtocol.icmp where isVersion6, IPProtocol.igmp where isVersion6:
      out.append(byte: 0x5b)
      out.append(ipProtocolName(number) ?? "unknown")
      out.append(" requires IPv4]")
      out.appendInvalid()
    case IPProtocol.icmp6 where !isVersion6, 143 where !isVersion6:
      out.append(byte: 0x5b)
      out.append(ipProtocolName(number) ?? "unknown")
      out.append(" requires IPv6]")
      out.appendInvalid()
    case 143:
      guard enter(&out) else { return }
      printEthernet(bytes, length: length, to: &out)
    case IPProtocol.igmp: printIGMP(bytes, length: length, to: &out)
    case IPProtocol.gre: printGRE(bytes, length: length, to: &out)
    case IPProtocol.esp: printESP(bytes, length: length, to: &out)
    case IPProtocol.ipcomp: printIPComp(bytes, to: &out)
    case IPProtocol.ipv4: printIPv4(bytes, length: length, to: &out)
    case IPProtocol.ipv6: printIPv6(bytes, length: length, to: &out)
    case IPProtocol.none: out.append("no next header")
    case 77:
      out.append(" nd ")
      out.append(decimal: length)
    case IPProtocol.sctp, IPProtocol.dccp:
      printAddresses(ip, isVersion6: isVersion6, to: &out)
      out.append(": ")
      printUndissected(number == IPProtocol.sctp ? "SCTP" : "DCCP", length: length, to: &out)
    case 8: printUndissected("EGP", length: length, to: &out)
    case 9, 46, 55, 88, 89, 103, 112, 113:
      // tcpdump's printers for these are not here.
      printUndissected(ipProtocolName(number) ?? "unknown", length: length, to: &out)
    default:
      out.append(" ip-proto-")
      out.append(decimal: UInt32(number))
      out.append(byte: 0x20)
      out.append(decimal: length)
    }
  }

  /// `a > b`
  func printAddresses(_ ip: RawSpan, isVersion6: Bool, to out: inout TextBuffer) {
    if isVersion6 { printIPv6Addresses(ip, to: &out) } else { printIPv4Addresses(ip, to: &out) }
  }

  /// `a.port > b.port: `, or the ports alone behind extension headers, whose line has the addresses already.
  ///
  /// - Parameter ports: at least the four bytes of both ports.
  @inline(__always)
  func printEndpoints(_ ports: RawSpan, of transport: UInt8, ip: RawSpan, to out: inout TextBuffer) {
    let isVersion6 = ip.u8(at: 0) >> 4 == 6
    let isFirst = ip.u8(at: isVersion6 ? 6 : 9) == transport
    if isFirst {
      if isVersion6 { out.append(ipv6: ip, at: 8) } else { out.append(ipv4: ip.be32(at: 12)) }
      out.append(byte: 0x2e)
    }
    out.append(decimal: UInt32(ports.be16(at: 0)))
    out.append(" > ")
    if isFirst {
      if isVersion6 { out.append(ipv6: ip, at: 24) } else { out.append(ipv4: ip.be32(at: 16)) }
      out.append(byte: 0x2e)
    }
    out.append(decimal: UInt32(ports.be16(at: 2)))
    out.append(": ")
  }
}
