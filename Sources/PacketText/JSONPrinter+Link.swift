// Link-level headers as JSON: Ethernet with its tags, LLC, Linux cooked captures, BSD's loopback, bare IP.
import SwBPFPackets

extension JSONPrinter {
  mutating func printEthernet(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard let header = EthernetView(frame) else { return out.appendTruncated("ethernet") }
    out.append(#","ethernet":{"source":"#, mac: frame, at: 6)
    out.append(#","destination":"#, mac: frame, at: 0)
    // 802.3 has a length where Ethernet II has a type.
    if header.type > EtherType.greatestLength {
      out.append(#","type":"#, number: UInt32(header.type))
    } else {
      out.append(#","length":"#, number: UInt32(header.type))
    }
    out.append(byte: 0x7d)
    printTagged(header.type, frame, at: EthernetView.fixedLength, length: length, to: &out)
  }

  /// The tags at `offset`, if `first` is a tag's type, and what they lead to.
  private mutating func printTagged(
    _ first: UInt16, _ frame: RawSpan, at start: Int, length whole: UInt32, to out: inout TextBuffer
  ) {
    var type = first
    var offset = start
    if EtherType.isTag(type) {
      out.append(#","vlan":["#)
      while EtherType.isTag(type), frame.holds(4, at: offset) {
        let tag = frame.be16(at: offset)
        if offset > start { out.append(byte: 0x2c) }
        out.append(#"{"id":"#, number: UInt32(tag & 0xfff))
        out.append(#","priority":"#, number: UInt32(tag >> 13))
        out.append(#","dei":"#, flag: tag & 0x1000 != 0)
        type = frame.be16(at: offset + 2)
        // The type behind the tag.
        out.append(#","type":"#, number: UInt32(type))
        out.append(byte: 0x7d)
        offset += 4
      }
      out.append(byte: 0x5d)
      if EtherType.isTag(type) { return out.appendTruncated("vlan") }
    }
    let payload = frame.extracting(droppingFirst: offset)
    var length = whole > UInt32(clamping: offset) ? whole - UInt32(clamping: offset) : 0
    if type > EtherType.greatestLength, type != EtherType.jumboLLC {
      return printType(type, payload, length: length, to: &out)
    }
    if type <= EtherType.greatestLength { length = min(length, UInt32(type)) }
    printLLC(payload.extracting(first: Int(length)), length: length, to: &out)
  }

  /// The packet behind an Ethernet type.
  mutating func printType(_ type: UInt16, _ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    switch type {
    case EtherType.ipv4: printIPv4(bytes, length: length, to: &out)
    case EtherType.ipv6: printIPv6(bytes, length: length, to: &out)
    case EtherType.arp, EtherType.reverseARP: printARP(bytes, length: length, to: &out)
    default: out.appendPayload(length)
    }
  }

  /// 802.2, with SNAP.
  private mutating func printLLC(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 3 { return out.appendMalformed("llc") }
    guard bytes.holds(3) else { return out.appendTruncated("llc") }
    // Unnumbered frames have one byte of control, the others two.
    let isUnnumbered = bytes.u8(at: 2) & 3 == 3
    let isSNAP = bytes.be16(at: 0) == 0xaaaa && bytes.u8(at: 2) == 3
    let headerLength = isSNAP ? 8 : isUnnumbered ? 3 : 4
    if length < headerLength { return out.appendMalformed("llc") }
    guard bytes.holds(headerLength) else { return out.appendTruncated("llc") }
    out.append(#","llc":{"dsap":"#, number: UInt32(bytes.u8(at: 0)))
    out.append(#","ssap":"#, number: UInt32(bytes.u8(at: 1)))
    out.append(#","control":"#, number: UInt32(isUnnumbered ? UInt16(bytes.u8(at: 2)) : bytes.le16(at: 2)))
    if isSNAP {
      out.append(#","oui":"#, number: bytes.be24(at: 3))
      out.append(#","type":"#, number: UInt32(bytes.be16(at: 6)))
    }
    out.append(byte: 0x7d)
    let rest = bytes.extracting(droppingFirst: headerLength)
    let left = length - UInt32(headerLength)
    if isSNAP, bytes.be24(at: 3) == 0 {
      printType(bytes.be16(at: 6), rest, length: left, to: &out)
    } else {
      out.appendPayload(left)
    }
  }

  /// DLT_LINUX_SLL.
  mutating func printCooked(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(16) else { return out.appendTruncated("cooked") }
    out.append(#","cooked":{"packet_type":"#, number: UInt32(frame.be16(at: 0)))
    out.append(#","hardware_type":"#, number: UInt32(frame.be16(at: 2)))
    printCookedAddress(frame, at: 6, Int(frame.be16(at: 4)), to: &out)
    printCookedPayload(
      frame, type: frame.be16(at: 14), hardware: frame.be16(at: 2), headerLength: 16, length: length, to: &out)
  }

  /// DLT_LINUX_SLL2.
  mutating func printCooked2(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(20) else { return out.appendTruncated("cooked") }
    out.append(#","cooked":{"packet_type":"#, number: UInt32(frame.u8(at: 10)))
    out.append(#","interface_index":"#, number: frame.be32(at: 4))
    out.append(#","hardware_type":"#, number: UInt32(frame.be16(at: 8)))
    printCookedAddress(frame, at: 12, Int(frame.u8(at: 11)), to: &out)
    printCookedPayload(
      frame, type: frame.be16(at: 0), hardware: frame.be16(at: 8), headerLength: 20, length: length, to: &out)
  }

  private func printCookedAddress(_ frame: RawSpan, at offset: Int, _ count: Int, to out: inout TextBuffer) {
    if count == 0 { return }
    out.append(#","source":"#, hexOf: frame.extracting(offset..<(offset + min(count, 8))))
  }

  private mutating func printCookedPayload(
    _ frame: RawSpan, type: UInt16, hardware: UInt16, headerLength: Int, length whole: UInt32,
    to out: inout TextBuffer
  ) {
    out.append(#","type":"#, number: UInt32(type))
    out.append(byte: 0x7d)
    let length = whole > UInt32(headerLength) ? whole - UInt32(headerLength) : 0
    // ARPHRD_IEEE80211_RADIOTAP and ARPHRD_NETLINK give the type a meaning of their own; ETH_P_802_2 is 4.
    if hardware == 803 || hardware == 824 || (type <= EtherType.greatestLength && type != 4) {
      return out.appendPayload(length)
    }
    if type == 4 { return printLLC(frame.extracting(droppingFirst: headerLength), length: length, to: &out) }
    printTagged(type, frame, at: headerLength, length: whole, to: &out)
  }

  /// DLT_NULL and DLT_LOOP: an address family, in the byte order of whoever captured.
  mutating func printNull(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(4) else { return out.appendTruncated("null") }
    var family = frame.le32(at: 0)
    if family & 0xffff_0000 != 0 { family = family.byteSwapped }
    out.append(#","family":"#, number: family)
    let payload = frame.extracting(droppingFirst: 4)
    let left = length > 4 ? length - 4 : 0
    switch family {
    case 2: printIPv4(payload, length: left, to: &out)
    case 24, 28, 30: printIPv6(payload, length: left, to: &out)
    default: out.appendPayload(left)
    }
  }

  /// DLT_RAW: the version of IP is in the first byte.
  mutating func printRaw(_ frame: RawSpan, length: UInt32, to out: inout TextBuffer) {
    guard frame.holds(1) else { return out.appendTruncated("ip") }
    if frame.u8(at: 0) >> 4 == 6 {
      printIPv6(frame, length: length, to: &out)
    } else {
      printIPv4(frame, length: length, to: &out)
    }
  }
}
