// PPP as it comes inside PPTP's GRE. Control protocols get one honest word.
import SwBPFPackets

extension LinePrinter {
  mutating func printPPP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 2 { return out.appendTruncationMark("ppp") }
    guard bytes.holds(2) else { return out.appendTruncation("ppp") }
    var offset = 0
    switch bytes.be16(at: 0) {
    case 0xff03: offset = 2
    case 0x0003, 0x0103:
      // pppd's marks of a direction where the address would be.
      if options.linkHeader { out.append(bytes.u8(at: 0) == 0 ? "In  " : "Out ") }
      offset = 2
    default: break
    }
    if Int(length) < offset + 2 { return out.appendTruncationMark("ppp") }
    guard bytes.holds(1, at: offset) else { return out.appendTruncation("ppp") }
    var number = UInt16(bytes.u8(at: offset))
    if number & 1 == 0 {
      guard bytes.holds(2, at: offset) else { return out.appendTruncation("ppp") }
      number = bytes.be16(at: offset)
      offset += 1
    }
    offset += 1
    let name = pppName(number)
    if options.linkHeader {
      out.append(name ?? "unknown")
      out.append(" (0x")
      out.append(hex: UInt32(number), digits: 4)
      out.append("), length ")
      out.append(decimal: length)
      if name == nil { return }
      out.append(": ")
    }
    let payload = bytes.extracting(droppingFirst: offset)
    let rest = length - UInt32(truncatingIfNeeded: offset)
    switch number {
    case 0x0021, 0x002f, EtherType.ipv4: printIPv4(payload, length: rest, to: &out)
    case 0x0057, EtherType.ipv6: printIPv6(payload, length: rest, to: &out)
    case 0x00fd: out.append("compressed PPP data")
    case 0x0023, 0x002b, 0x003d, 0x0281, 0x0283, 0x8021, 0x8023, 0x8057, 0x80fd, 0x8281, 0xc021, 0xc023, 0xc02b,
      0xc02d, 0xc223, EtherType.ipx, 0x7e00...0x7eff:
      // tcpdump's printers for these, and for frames escaped as on a serial line, are not here.
      printUndissected(name ?? "PPP", length: rest, to: &out)
    default:
      if let name {
        out.append(name)
      } else {
        out.append("unknown PPP protocol (0x")
        out.append(hex: UInt32(number), digits: 4)
        out.append(byte: 0x29)
      }
      out.append(byte: 0x20)
      out.appendHexLines(payload.extracting(first: min(payload.byteCount, Int(rest))))
    }
  }

  private func pppName(_ number: UInt16) -> StaticString? {
    switch number {
    case 0x0021: "IP"
    case 0x0023: "OSI"
    case 0x0025: "NS"
    case 0x0027: "DECNET"
    case 0x0029: "APPLE"
    case 0x002b: "IPX"
    case 0x002d: "VJC IP"
    case 0x002f: "VJNC IP"
    case 0x0031: "BRPDU"
    case 0x0033: "STII"
    case 0x0035: "VINES"
    case 0x003d: "MLPPP"
    case 0x0057: "IP6"
    case 0x00fd: "Compressed"
    case 0x0201: "HELLO"
    case 0x0231: "LUXCOM"
    case 0x0233: "SNS"
    case 0x0281, 0x0283: "MPLS"
    case 0x8021: "IPCP"
    case 0x8023: "OSICP"
    case 0x8025: "NSCP"
    case 0x8027: "DECNETCP"
    case 0x8029: "APPLECP"
    case 0x802b: "IPXCP"
    case 0x8033: "STIICP"
    case 0x8035: "VINESCP"
    case 0x8057: "IP6CP"
    case 0x80fd: "CCP"
    case 0x8281: "MPLSCP"
    case 0xc021: "LCP"
    case 0xc023: "PAP"
    case 0xc025: "LQM"
    case 0xc027: "SPAP"
    case 0xc02b: "BACP"
    case 0xc02d: "BAP"
    case 0xc03d: "MLPPP-CP"
    case 0xc123: "Old-SPAP"
    case 0xc223: "CHAP"
    case 0xc227: "EAP"
    default: nil
    }
  }
}
