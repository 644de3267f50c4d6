// UDP. Ports that LinePrinter+Ports.swift does not know get the plain line, also where tcpdump dissects them.
import SwBPFPackets

extension LinePrinter {
  mutating func printUDP(
    _ bytes: RawSpan, length: UInt32, ip: RawSpan, isFragment: Bool, to out: inout TextBuffer
  ) {
    guard bytes.holds(4) else {
      let isVersion6 = ip.u8(at: 0) >> 4 == 6
      if ip.u8(at: isVersion6 ? 6 : 9) == IPProtocol.udp {
        printAddresses(ip, isVersion6: isVersion6, to: &out)
        out.append(": ")
      }
      return out.appendTruncationMark("udp")
    }
    printEndpoints(bytes, of: IPProtocol.udp, ip: ip, to: &out)
    if length < 8 {
      out.append("truncated-udp ")
      return out.append(decimal: length)
    }
    guard bytes.holds(6) else { return out.appendTruncationMark("udp") }
    var claimed = UInt32(bytes.be16(at: 4))
    // A jumbogram (RFC 2675) leaves its length to IP.
    if claimed == 0, length > 65535 { claimed = length }
    if claimed < 8 {
      out.append("truncated-udplength ")
      return out.append(decimal: claimed)
    }
    guard bytes.holds(8) else { return out.appendTruncationMark("udp") }
    if options.verbosity > 0, !isFragment {
      printUDPChecksum(bytes, length: min(claimed, length), ip: ip, to: &out)
    }
    if !options.quiet,
      printUDPPayload(
        bytes.extracting(droppingFirst: 8), length: min(claimed, length) - 8, source: bytes.be16(at: 0),
        destination: bytes.be16(at: 2), ip: ip, isFragment: isFragment, to: &out)
    {
      return
    }
    if claimed > length, !isFragment {
      out.append("UDP, bad length ")
      out.append(decimal: claimed - 8)
      out.append(" > ")
      out.append(decimal: length - 8)
    } else {
      out.append("UDP, length ")
      out.append(decimal: claimed - 8)
    }
  }
  /// `[udp sum ok] `; of IPv4, where it may be left out, only with -vv.
  private func printUDPChecksum(_ bytes: RawSpan, length: UInt32, ip: RawSpan, to out: inout TextBuffer) {
    let stored = bytes.be16(at: 6)
    if ip.u8(at: 0) >> 4 == 4 {
      if options.verbosity < 2 { return }
      if stored == 0 { return out.append("[no cksum] ") }
    }
    guard bytes.holds(Int(length)) else { return }
    let verdict = judge(bytes, length: length, stored: stored, transport: IPProtocol.udp, ip: ip)
    printVerdict(verdict, of: "udp", stored: stored, to: &out)
  }
}
