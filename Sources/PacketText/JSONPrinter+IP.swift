// IPv4 and IPv6 with their extension headers, as JSON.
import SwBPFPackets

extension JSONPrinter {
  mutating func printIPv4(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 20 || (bytes.holds(1) && bytes.u8(at: 0) >> 4 != 4) { return out.appendMalformed("ip") }
    guard let header = IPv4View(bytes) else { return out.appendTruncated("ip") }
    let headerLength = header.headerLength
    let flags = header.flagsAndOffset
    out.append(#","ip":{"version":4,"source":"#, ipv4: header.source)
    out.append(#","destination":"#, ipv4: header.destination)
    out.append(#","protocol":"#, number: UInt32(header.transport))
    out.append(#","ttl":"#, number: UInt32(header.timeToLive))
    out.append(#","tos":"#, number: UInt32(bytes.u8(at: 1)))
    out.append(#","id":"#, number: UInt32(header.identification))
    out.append(#","length":"#, number: UInt32(header.totalLength))
    out.append(#","header_length":"#, number: UInt32(truncatingIfNeeded: headerLength))
    out.append(#","checksum":"#, number: UInt32(header.checksum))
    out.append(#","dont_fragment":"#, flag: flags & 0x4000 != 0)
    let isFragment = flags & 0x3fff != 0
    if isFragment {
      out.append(#","fragment":{"offset":"#, number: UInt32(header.fragmentOffset) * 8)
      out.append(#","more":"#, flag: header.moreFragments)
      out.append(byte: 0x7d)
    }
    out.append(byte: 0x7d)
    // Segmentation left to the hardware can leave the length 0.
    let total = header.totalLength == 0 ? length : UInt32(header.totalLength)
    guard headerLength >= 20, total >= headerLength else { return out.appendMalformed("ip") }
    let packet = bytes.extracting(first: Int(total))
    guard packet.holds(headerLength) else { return out.appendTruncated("ip") }
    let left = total - UInt32(truncatingIfNeeded: headerLength)
    // Later fragments have no header of the transport.
    if header.fragmentOffset != 0 { return out.appendPayload(left) }
    printTransport(
      header.transport, packet.extracting(droppingFirst: headerLength), length: left,
      isVersion6: false, isFragment: isFragment, to: &out)
  }

  mutating func printIPv6(_ bytes: RawSpan, length: UInt32, to out: inout TextBuffer) {
    if length < 40 || (bytes.holds(1) && bytes.u8(at: 0) >> 4 != 6) { return out.appendMalformed("ip") }
    guard let header = IPv6View(bytes) else { return out.appendTruncated("ip") }
    out.append(#","ip":{"version":6,"source":"#, ipv6: bytes, at: 8)
    out.append(#","destination":"#, ipv6: bytes, at: 24)
    out.append(#","ttl":"#, number: UInt32(header.hopLimit))
    out.append(#","tos":"#, number: header.flow >> 20 & 0xff)
    out.append(#","flow":"#, number: header.flow & 0xfffff)
    out.append(#","length":"#, number: UInt32(header.payloadLength) + 40)
    // A jumbogram (RFC 2675) has no length here: it goes to the end of what encloses it.
    let isJumbo = header.payloadLength == 0 && header.nextHeader == IPProtocol.hopByHop
    let total = isJumbo ? length : UInt32(header.payloadLength) + 40
    let packet = bytes.extracting(first: Int(total))
    let chain = printExtensions(packet, first: header.nextHeader, total: total, to: &out)
    out.append(#","protocol":"#, number: UInt32(chain.next))
    out.append(byte: 0x7d)
    switch chain.end {
    case .malformed: return out.appendMalformed("extension")
    case .truncated: return out.appendTruncated("extension")
    case .whole: break
    }
    let left = total - UInt32(truncatingIfNeeded: chain.offset)
    if chain.isLaterFragment { return out.appendPayload(left) }
    printTransport(
      chain.next, packet.extracting(droppingFirst: chain.offset), length: left,
      isVersion6: true, isFragment: chain.isFragment, to: &out)
  }

  private enum ChainEnd { case whole, truncated, malformed }

  /// Where the walk over extension headers ended.
  private struct Chain {
    var next: UInt8
    var offset = 40
    var isFragment = false
    var isLaterFragment = false
    var end = ChainEnd.whole
  }

  /// `"extensions":[0,43]` and `"fragment"`, as far as they were captured.
  private func printExtensions(
    _ packet: RawSpan, first: UInt8, total: UInt32, to out: inout TextBuffer
  ) -> Chain {
    var chain = Chain(next: first)
    var fragment: (id: UInt32, offsetAndFlags: UInt16) = (0, 0)
    while isExtension(chain.next), !chain.isLaterFragment {
      // All kinds begin with the next header and a length; a fragment header's is always 8.
      let isFragmentHeader = chain.next == IPProtocol.fragment
      let rest = packet.extracting(droppingFirst: chain.offset)
      var count = 8
      if !isFragmentHeader, rest.holds(2) { count = (Int(rest.u8(at: 1)) + 1) * 8 }
      if total < UInt32(truncatingIfNeeded: chain.offset + count) {
        chain.end = .malformed
        break
      }
      guard rest.holds(count) else {
        chain.end = .truncated
        break
      }
      if chain.offset == 40 { out.append(#","extensions":["#) } else { out.append(byte: 0x2c) }
      out.append(decimal: UInt32(chain.next))
      if isFragmentHeader, !chain.isFragment {
        chain.isFragment = true
        fragment = (rest.be32(at: 4), rest.be16(at: 2))
        chain.isLaterFragment = fragment.offsetAndFlags & 0xfff8 != 0
      }
      chain.next = rest.u8(at: 0)
      chain.offset += count
    }
    if chain.offset > 40 { out.append(byte: 0x5d) }
    if chain.isFragment {
      out.append(#","fragment":{"offset":"#, number: UInt32(fragment.offsetAndFlags & 0xfff8))
      out.append(#","more":"#, flag: fragment.offsetAndFlags & 1 != 0)
      out.append(#","id":"#, number: fragment.id)
      out.append(byte: 0x7d)
    }
    return chain
  }

  /// Hop-by-hop, routing, fragment, destination options, mobility.
  private func isExtension(_ number: UInt8) -> Bool {
    number == IPProtocol.hopByHop || number == IPProtocol.routing || number == IPProtocol.fragment
      || number == IPProtocol.destinationOptions || number == 135
  }
}
