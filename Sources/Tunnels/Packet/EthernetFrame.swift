// What a tunnel of Ethernet frames has to know of them.
// Pure functions over one frame; any thread.
import SwBPFPackets

package enum EthernetFrame {
  /// Addresses and type; tags come behind. (ETHER_HDR_LEN)
  package static let headerLength = 14

  /// Where the network header of a frame begins: behind at most two tags.
  /// - Returns: nil for a frame that is shorter than its header.
  package static func networkOffset(_ frame: borrowing RawSpan) -> Int? {
    var length = headerLength
    while frame.holds(length) {
      guard EtherType.isTag(frame.be16(at: length - 2)), length < headerLength + 8 else { return length }
      length += 4
    }
    return nil
  }

  /// Whether an IP packet comes right behind a header without tags.
  @inline(__always)
  package static func isIP(_ frame: borrowing RawSpan) -> Bool {
    guard frame.holds(headerLength + 1) else { return false }
    let type = frame.be16(at: 12)
    return type == EtherType.ipv4 || type == EtherType.ipv6
  }

  /// Whether two frames, which have one, have the same header without tags.
  @inline(__always)
  package static func haveOneHeader(_ a: borrowing RawSpan, _ b: borrowing RawSpan) -> Bool {
    a.be64(at: 0) == b.be64(at: 0) && a.be32(at: 8) == b.be32(at: 8) && a.be16(at: 12) == b.be16(at: 12)
  }

  /// A number that is the same for all frames of a conversation in one direction.
  @inline(__always)
  package static func flow(_ frame: borrowing RawSpan) -> UInt64 {
    var hash = frame.be64(at: 0) ^ UInt64(frame.be32(at: 8)) << 23
    switch frame.be16(at: 12) {
    case EtherType.ipv4:
      guard frame.holds(headerLength + 24) else { break }
      hash ^= frame.be64(at: 26)
      // Fragments of one packet have no ports but the first.
      if frame.be16(at: 20) & 0x3fff == 0 { hash ^= UInt64(frame.be32(at: 34)) << 17 }
    case EtherType.ipv6:
      guard frame.holds(headerLength + 44) else { break }
      hash ^= frame.be64(at: 30) ^ frame.be64(at: 46) ^ UInt64(frame.be32(at: 54)) << 17
    default: break
    }
    return hash.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15).low >> 32
  }

  /// The ends of an outer packet of a tunnel that the frame carries: IPv4, IPv6 or L2TP in IP, or ESP, whole or its fragments.
  /// - Returns: nil for any other frame.
  package static func tunnelled(_ frame: borrowing RawSpan) -> TunnelPair? {
    guard let start = networkOffset(frame) else { return nil }
    switch frame.be16(at: start - 2) {
    case EtherType.ipv4:
      guard frame.holds(IPv4View.fixedLength, at: start), isTunnel(frame.u8(at: start + 9)) else { return nil }
      return TunnelPair(
        source: IPAddress(v4: frame.be32(at: start + 12)), destination: IPAddress(v4: frame.be32(at: start + 16)))
    case EtherType.ipv6:
      guard frame.holds(IPv6View.fixedLength, at: start) else { return nil }
      var transport = frame.u8(at: start + 6)
      if transport == IPProtocol.fragment, frame.holds(1, at: start + IPv6View.fixedLength) {
        transport = frame.u8(at: start + IPv6View.fixedLength)
      }
      guard isTunnel(transport) else { return nil }
      return TunnelPair(
        source: IPAddress(v6: frame.be64(at: start + 8), frame.be64(at: start + 16)),
        destination: IPAddress(v6: frame.be64(at: start + 24), frame.be64(at: start + 32)))
    default: return nil
    }
  }

  @inline(__always)
  private static func isTunnel(_ transport: UInt8) -> Bool {
    transport == IPProtocol.ipv4 || transport == IPProtocol.ipv6 || transport == L2TPPacket.transport
      || transport == IPProtocol.esp
  }
}
