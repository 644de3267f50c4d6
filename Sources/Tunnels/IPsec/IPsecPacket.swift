// ipsecif(4)'s packets: what may leave, and what may come in. (`ipsecif4_output`, `ipsecif6_output`, `ipsecif4_input`)
// Pure functions over one packet; any thread.
import Glibc
import SwBPFPackets

package enum IPsecPacket {
  /// Why no packet can leave at all; asked before anything is tapped.
  @inline(__always)
  package static func refusal(_ settings: IPsecSettings) -> TunnelDrop? {
    if !settings.isUp { return .down }
    return settings.pair == nil ? .unconfigured : nil
  }

  /// Whether outer headers may have these addresses.
  package static func isUsable(_ pair: TunnelPair) -> Bool {
    if pair.source.isUnspecified || pair.destination.isUnspecified { return false }
    guard !pair.isIPv6 else { return true }
    return isUsable(pair.source) && isUsable(pair.destination)
  }

  private static func isUsable(_ address: IPAddress) -> Bool { !address.isMulticast && address.v4 != .max }

  /// What an inner packet is: 4 or 41.
  package static func nextHeader(of packet: borrowing PacketRoom) -> Result<UInt8, TunnelDrop> {
    guard packet.count > 0 else { return .failure(.truncated) }
    switch packet.bytes.u8(at: 0) >> 4 {
    case 4: return packet.count >= IPv4View.fixedLength ? .success(IPProtocol.ipv4) : .failure(.truncated)
    case 6: return packet.count >= IPv6View.fixedLength ? .success(IPProtocol.ipv6) : .failure(.truncated)
    default: return .failure(.family)
    }
  }

  /// Judges an inner packet that came out of ESP and puts its traffic class right. Interface and policy were found by the outer
  /// addresses.
  /// - Parameter nextHeader: what ESP said that it is.
  /// - Returns: nil, or why the packet is dropped.
  package static func take(
    _ packet: inout PacketRoom, nextHeader: UInt8, _ outer: OuterInfo, _ settings: IPsecSettings, broadcasts: [UInt32]
  ) -> IPsecDrop? {
    if GifPacket.isMartian(outer.source, broadcasts) { return .tunnel(.martian) }
    switch IPsecPacket.nextHeader(of: packet) {
    case .failure(let drop): return .tunnel(drop)
    case .success(let found): if found != nextHeader { return .tunnel(.family) }
    }
    if nextHeader == IPProtocol.ipv4 {
      let length = Int(packet.bytes.u8(at: 0) & 0xf) * 4
      guard length >= IPv4View.fixedLength, length <= packet.count else { return .tunnel(.truncated) }
    }
    let inner = packet.trafficClass
    guard let new = ECN.egress(inner: inner, outer: outer.trafficClass, settings.ecn) else {
      return .tunnel(.congested)
    }
    if new != inner { packet.setTrafficClass(new) }
    return nil
  }
}

/// What esp_frag asks of a packet. (`key_sp`'s natt_frag; `ipsecif4_needfrag`)
package enum InnerCut: Equatable, Sendable {
  case fits
  /// Cut it into pieces of so many bytes at most.
  case cut(Int)
  /// It must not be cut; its sender is to send packets of so many bytes.
  case tell(Int)
  case impossible

  /// - Parameter fragment: `-esp_frag` of the association; 0 is none.
  package init(_ packet: borrowing PacketRoom, fragment: UInt16) {
    let header = IPv4View.fixedLength
    guard fragment > 0, fragment < UInt16.max else {
      self = .fits
      return
    }
    guard fragment > UInt16(header) else {
      self = .impossible
      return
    }
    let limit = Int(fragment) - header
    let bytes = packet.bytes
    if bytes.u8(at: 0) >> 4 == 6 {
      let limit = max(limit, 1280)
      self = packet.count > limit ? .tell(limit) : .fits
    } else if packet.count <= limit {
      self = .fits
    } else {
      self = bytes.be16(at: 6) & 0x4000 != 0 ? .tell(max(limit, 68)) : .cut(limit)
    }
  }
}
