// gif(4)'s packets: encapsulated and taken out again. (`gif_output`, `in_gif_output`, `in_gif_input`, `gif_validate4`)
// Pure functions over one packet; any thread.
import SwBPFPackets

/// What a gif interface is set to, as far as a single packet is concerned.
package struct GifSettings: Equatable, Sendable {
  package var isUp = false
  /// nil until `tunnel` was given.
  package var pair: TunnelPair?
  /// Of the interface: bytes of inner packets.
  package var mtu = 1280
  /// link1
  package var ecn = ECNMode.cleared
  /// Not with link2.
  package var filtersIngress = true
  /// net.inet.ip.gifttl
  package var ttl: UInt8 = 30
  /// net.inet6.ip6.gifhlim
  package var hopLimit: UInt8 = 30
  /// net.inet6.ip6.gifpmtu: outer IPv6 packets are as long as the path takes, not 1280 bytes.
  package var usesPathMTU = false
  /// net.gif.coalesce
  package var coalesces = true

  package init() {}
}

package enum GifPacket {
  /// Why a packet cannot leave at all; asked before it is tapped.
  @inline(__always)
  package static func refusal(_ settings: GifSettings) -> TunnelDrop? {
    if !settings.isUp { return .down }
    return settings.pair == nil ? .unconfigured : nil
  }

  /// Puts the outer header before an inner packet, in place. Asked after it was tapped.
  ///
  /// The inner packet stays as it is: its TTL was decremented by whoever forwarded it.
  /// - Parameter route: the way to the far end.
  /// - Parameter own: the index of this interface.
  /// - Returns: nil, or why not; then nothing has changed.
  package static func encapsulate(
    _ packet: inout PacketRoom, _ settings: GifSettings, by route: RouteAnswer, own: UInt32
  ) -> TunnelDrop? {
    guard let pair = settings.pair else { return .unconfigured }
    guard packet.count > 0 else { return .truncated }
    let transport: UInt8
    switch packet.bytes.u8(at: 0) >> 4 {
    case 4:
      guard packet.count >= IPv4View.fixedLength else { return .truncated }
      transport = IPProtocol.ipv4
    case 6:
      guard packet.count >= IPv6View.fixedLength else { return .truncated }
      transport = IPProtocol.ipv6
    default: return .family
    }
    guard !pair.destination.isUnspecified, route.exists, route.interface != own else { return .unreachable }
    return OuterHeader.prepend(
      to: &packet, pair, transport: transport, trafficClass: ECN.ingress(inner: packet.trafficClass, settings.ecn),
      hops: pair.isIPv6 ? settings.hopLimit : settings.ttl)
  }

  /// Judges a packet whose outer header has been taken off and puts its inner traffic class right.
  ///
  /// The pair has been compared: that is how the interface was found. The inner addresses are not looked at.
  /// - Parameters:
  ///   - broadcasts: the broadcast addresses of the system's interfaces.
  ///   - back: the way to the outer source; asked for only when the ingress filter is on.
  /// - Returns: nil, or why the packet is dropped.
  package static func decapsulate(
    _ packet: inout PacketRoom, _ outer: OuterInfo, _ settings: GifSettings, broadcasts: [UInt32],
    back: RouteAnswer?
  ) -> TunnelDrop? {
    guard settings.isUp else { return .down }
    guard let pair = settings.pair, pair == outer.pair else { return .unconfigured }
    if isMartian(outer.source, broadcasts) { return .martian }
    if settings.filtersIngress {
      guard let back, back.exists, back.interface == outer.interface else { return .ingress }
    }
    let version: UInt8
    let headerLength: Int
    switch outer.transport {
    case IPProtocol.ipv4: (version, headerLength) = (4, IPv4View.fixedLength)
    case IPProtocol.ipv6: (version, headerLength) = (6, IPv6View.fixedLength)
    default: return .family
    }
    guard packet.count >= headerLength else { return .truncated }
    guard packet.bytes.u8(at: 0) >> 4 == version else { return .family }
    if version == 4 {
      let length = Int(packet.bytes.u8(at: 0) & 0xf) * 4
      guard length >= IPv4View.fixedLength, length <= packet.count else { return .truncated }
    }
    let inner = packet.trafficClass
    guard let new = ECN.egress(inner: inner, outer: outer.trafficClass, settings.ecn) else { return .congested }
    if new != inner { packet.setTrafficClass(new) }
    return nil
  }

  /// Whether nothing can come from this address.
  package static func isMartian(_ source: IPAddress, _ broadcasts: [UInt32]) -> Bool {
    if source.isMulticast || source.isUnspecified { return true }
    guard !source.isIPv6 else { return false }
    switch source.v4 >> 24 {
    case 0, 127, 255: return true
    default: return broadcasts.contains(source.v4)
    }
  }
}
