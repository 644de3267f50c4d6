// SNAP, the five bytes behind an LLC header that name an organisation and its protocol.
import SwBPFPackets

extension LinePrinter {
  /// Prints what follows an LLC header for SNAP.
  ///
  /// - Returns: false when the caller shall dump the bytes.
  mutating func printSNAP(
    _ bytes: RawSpan, length: UInt32, link: RawSpan?, to out: inout TextBuffer
  ) -> Bool {
    guard bytes.holds(5), length >= 5 else {
      out.appendTruncationMark("snap")
      return true
    }
    let organisation = bytes.be24(at: 0)
    let type = bytes.be16(at: 3)
    let rest = length &- 5
    let payload = bytes.extracting(droppingFirst: 5)
    if options.linkHeader {
      out.append("oui ")
      printOrganisation(organisation, to: &out)
      out.append(organisation == 0 ? ", ethertype " : ", pid ")
      printNameAndNumber(protocolName(type, of: organisation), of: type, to: &out)
      printLengthColon(rest, to: &out)
    }
    switch organisation {
    case 0x000000, 0x0000f8:
      if printPayload(of: type, payload, length: rest, to: &out) { return true }
    case 0x080007:
      if type == 0x809b, printPayload(of: type, payload, length: rest, to: &out) { return true }
    case 0x00000c, 0x0080c2:
      // Cisco's protocols and bridged frames: tcpdump's printers for them are not here.
      if let name = protocolName(type, of: organisation) {
        printUndissected(name, length: rest, to: &out)
        return true
      }
    default: break
    }
    if !options.linkHeader {
      if let link {
        out.append(mac: link, at: 6)
        out.append(" > ")
        out.append(mac: link, at: 0)
        out.append(byte: 0x20)
      }
      if organisation == 0 {
        out.append("SNAP, ethertype ")
      } else {
        out.append("SNAP, oui ")
        printOrganisation(organisation, to: &out)
        out.append(", pid ")
      }
      printNameAndNumber(protocolName(type, of: organisation), of: type, to: &out)
      printLengthColon(rest, to: &out)
    }
    return false
  }

  private func printOrganisation(_ organisation: UInt32, to out: inout TextBuffer) {
    out.append(organisationName(organisation) ?? "Unknown")
    out.append(" (0x")
    out.append(hex: organisation, digits: 6)
    out.append(byte: 0x29)
  }

  private func protocolName(_ type: UInt16, of organisation: UInt32) -> StaticString? {
    switch (organisation, type) {
    case (0x000000, _), (0x0000f8, _), (0x080007, _): etherTypeName(type)
    case (0x00000c, 0x2000): "CDP"
    case (0x00000c, 0x2003): "VTP"
    case (0x00000c, 0x2004): "DTP"
    case (0x00000c, 0x0111): "UDLD"
    case (0x00000c, 0x010b): "PVST"
    case (0x00000c, 0x010c): "VLAN Bridge"
    case (0x0080c2, 0x0001): "Ethernet + FCS"
    case (0x0080c2, 0x0007): "Ethernet w/o FCS"
    case (0x0080c2, 0x0002): "802.4 + FCS"
    case (0x0080c2, 0x0008): "802.4 w/o FCS"
    case (0x0080c2, 0x0003): "Token Ring + FCS"
    case (0x0080c2, 0x0009): "Token Ring w/o FCS"
    case (0x0080c2, 0x0004): "FDDI + FCS"
    case (0x0080c2, 0x000a): "FDDI w/o FCS"
    case (0x0080c2, 0x0005): "802.6 + FCS"
    case (0x0080c2, 0x000b): "802.6 w/o FCS"
    case (0x0080c2, 0x000e): "BPDU"
    default: nil
    }
  }
}
