// ARP and its relatives.
import SwBPFPackets

extension LinePrinter {
  mutating func printARP(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard let arp = ARPView(bytes) else { return out.appendTruncation("arp") }
    // Other fields in the one, addresses of another form in the other.
    if arp.hardware == 19 { return printUndissected("ATM ARP", length: length, to: &out) }
    if arp.hardware == 15 { return printUndissected("Frame Relay ARP", length: length, to: &out) }
    guard bytes.holds(arp.networkLength, at: arp.targetNetwork) else { return out.appendTruncation("arp") }
    if !options.linkHeader { out.append("ARP, ") }
    let isIP = arp.network == EtherType.ipv4 || arp.network == EtherType.trailer
    let isKnown = isIP && arp.networkLength == 4
    if options.verbosity > 0 {
      printKinds(arp, to: &out)
      out.append(", ")
    } else if !isKnown || arp.hardwareLength == 0 {
      printKinds(arp, to: &out)
      return printLength(length, to: &out)
    }
    func printNetwork(at offset: Int, to out: inout TextBuffer) {
      if isKnown { return out.append(ipv4: bytes.be32(at: offset)) }
      out.append(isIP ? "<wrong len>" : "<wrong proto type>")
    }
    switch arp.operation {
    case 1:
      out.append("Request who-has ")
      printNetwork(at: arp.targetNetwork, to: &out)
      if hasTargetHardware(arp) {
        out.append(" (")
        printHardware(arp, at: arp.targetHardware, to: &out)
        out.append(byte: 0x29)
      }
      out.append(" tell ")
      printNetwork(at: arp.senderNetwork, to: &out)
    case 2:
      out.append("Reply ")
      printNetwork(at: arp.senderNetwork, to: &out)
      out.append(" is-at ")
      printHardware(arp, at: arp.senderHardware, to: &out)
    case 3, 8:
      out.append(arp.operation == 3 ? "Reverse Request who-is " : "Inverse Request who-is ")
      printHardware(arp, at: arp.targetHardware, to: &out)
      out.append(" tell ")
      printHardware(arp, at: arp.senderHardware, to: &out)
    case 4:
      out.append("Reverse Reply ")
      printHardware(arp, at: arp.targetHardware, to: &out)
      out.append(" at ")
      printNetwork(at: arp.targetNetwork, to: &out)
    case 9:
      out.append("Inverse Reply ")
      printHardware(arp, at: arp.senderHardware, to: &out)
      out.append(" at ")
      printNetwork(at: arp.senderNetwork, to: &out)
    default:
      if arp.operation == 10 {
        out.append("NACK Reply ")
      } else {
        out.append("Unknown (")
        out.append(decimal: UInt32(arp.operation))
        out.append(") ")
      }
      return out.appendHexAndText(bytes)
    }
    printLength(length, to: &out)
  }

  /// `Ethernet (len 6), IPv4 (len 4)`
  private func printKinds(_ arp: borrowing ARPView, to out: inout TextBuffer) {
    switch arp.hardware {
    case 1: out.append("Ethernet")
    case 6: out.append("TokenRing")
    case 7: out.append("ArcNet")
    case 23: out.append("Strip")
    case 24: out.append("IEEE 1394")
    case 32: out.append("InfiniBand")
    default:
      out.append("Unknown Hardware (")
      out.append(decimal: UInt32(arp.hardware))
      out.append(byte: 0x29)
    }
    out.append(" (len ")
    out.append(decimal: UInt32(arp.hardwareLength))
    out.append("), ")
    if let name = etherTypeName(arp.network) {
      out.append(name)
    } else {
      out.append("Unknown Protocol (0x")
      out.append(hex: UInt32(arp.network), digits: 4)
      out.append(byte: 0x29)
    }
    out.append(" (len ")
    out.append(decimal: UInt32(arp.networkLength))
    out.append(byte: 0x29)
  }

  private func hasTargetHardware(_ arp: borrowing ARPView) -> Bool {
    for offset in 0..<arp.hardwareLength where arp.bytes.u8(at: arp.targetHardware + offset) != 0 { return true }
    return false
  }

  /// The address at `offset`; that it was captured was checked with the last of the four.
  private func printHardware(_ arp: borrowing ARPView, at offset: Int, to out: inout TextBuffer) {
    if arp.hardwareLength == 0 { return out.append("<empty>") }
    out.append(
      hexOf: arp.bytes.extracting(droppingFirst: offset).extracting(first: arp.hardwareLength), separator: 0x3a)
  }
}
