// ARP and reverse ARP as JSON.
import SwBPFPackets

extension JSONPrinter {
  func printARP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 8 { return out.appendMalformed("arp") }
    guard let header = ARPView(bytes) else { return out.appendTruncated("arp") }
    out.append(#","arp":{"operation":"#, number: UInt32(header.operation))
    out.append(#","hardware_type":"#, number: UInt32(header.hardware))
    out.append(#","protocol_type":"#, number: UInt32(header.network))
    let whole = 8 + 2 * (header.hardwareLength + header.networkLength)
    let isWhole = bytes.holds(whole) && length >= whole
    if isWhole {
      let isIPv4 = header.network == EtherType.ipv4 && header.networkLength == 4
      printHardware(#","sender_hardware":"#, bytes, at: header.senderHardware, header.hardwareLength, to: &out)
      printNetwork(#","sender":"#, bytes, at: header.senderNetwork, header.networkLength, isIPv4, to: &out)
      printHardware(#","target_hardware":"#, bytes, at: header.targetHardware, header.hardwareLength, to: &out)
      printNetwork(#","target":"#, bytes, at: header.targetNetwork, header.networkLength, isIPv4, to: &out)
    }
    out.append(byte: 0x7d)
    if isWhole { return }
    if length < whole { out.appendMalformed("arp") } else { out.appendTruncated("arp") }
  }

  private func printHardware(
    _ key: StaticString, _ bytes: RawSpan, at offset: Int, _ count: Int, to out: inout TextBuffer
  ) {
    out.append(key, hexOf: bytes.extracting(offset..<(offset + count)))
  }

  private func printNetwork(
    _ key: StaticString, _ bytes: RawSpan, at offset: Int, _ count: Int, _ isIPv4: Bool, to out: inout TextBuffer
  ) {
    if isIPv4 {
      out.append(key, ipv4: bytes.be32(at: offset))
    } else {
      out.append(key, hexOf: bytes.extracting(offset..<(offset + count)))
    }
  }
}
