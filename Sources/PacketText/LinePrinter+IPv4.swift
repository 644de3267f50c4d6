// IPv4.
import SwBPFPackets

extension LinePrinter {
  mutating func printIPv4(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard enter(&out) else { return }
    guard bytes.holds(1) else { return out.appendTruncation("ip") }
    let version = bytes.u8(at: 0) >> 4
    if version != 4 {
      if version == 6 {
        out.append("IP6, wrong link-layer encapsulation")
      } else {
        out.append("IP")
        out.append(decimal: UInt32(version))
      }
      return out.appendInvalid()
    }
    if !options.linkHeader { out.append("IP ") }
    guard let header = IPv4View(bytes) else { return out.appendTruncationMark("ip") }
    if length < 20 {
      out.append("truncated-ip ")
      return out.append(decimal: length)
    }
    let headerLength = header.headerLength
    if headerLength < 20 {
      out.append("bad-hlen ")
      return out.append(decimal: UInt32(headerLength))
    }
    let total = UInt32(header.totalLength)
    if length < total {
      out.append("truncated-ip - ")
      out.append(decimal: total - length)
      out.append(" bytes missing! ")
    }
    if total < headerLength {
      out.append("bad-len ")
      return out.append(decimal: total)
    }
    let packet = bytes.extracting(first: Int(total))
    let transport = header.transport
    if options.verbosity > 0, !printIPv4Header(packet, headerLength: headerLength, to: &out) { return }
    if header.fragmentOffset != 0 {
      // No header of the transport in here.
      if options.veryQuiet { return }
      printIPv4Addresses(packet, to: &out)
      out.append(": ip-proto-")
      return out.append(decimal: UInt32(transport))
    }
    if !printsOwnAddresses(transport) {
      printIPv4Addresses(packet, to: &out)
      out.append(": ")
    }
    guard packet.holds(headerLength) else {
      printRemaining(packet.byteCount, of: headerLength, to: &out)
      return out.appendTruncation("ip")
    }
    printTransport(
      transport, packet.extracting(droppingFirst: headerLength),
      length: total - UInt32(truncatingIfNeeded: headerLength),
      ip: packet, isFragment: header.moreFragments, to: &out)
  }

  /// `10.0.0.1 > 10.0.0.2` of the header at the start of `ip`.
  func printIPv4Addresses(_ ip: RawSpan, to out: inout TextBuffer) {
    out.append(ipv4: ip.be32(at: 12))
    out.append(" > ")
    out.append(ipv4: ip.be32(at: 16))
  }

  /// Protocols that print the addresses together with their ports.
  func printsOwnAddresses(_ transport: UInt8) -> Bool {
    transport == IPProtocol.tcp || transport == IPProtocol.udp || transport == IPProtocol.sctp
      || transport == IPProtocol.dccp
  }

  /// ` [remaining caplen(22) < header length(24)]`
  func printRemaining(_ captured: Int, of headerLength: Int, to out: inout TextBuffer) {
    out.append(" [remaining caplen(")
    out.append(decimal: UInt32(captured))
    out.append(") < header length(")
    out.append(decimal: UInt32(headerLength))
    out.append(")]")
  }
}
