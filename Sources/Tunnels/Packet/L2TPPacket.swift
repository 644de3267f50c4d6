// l2tp(4)'s packets: encapsulated and taken out again. (RFC 3931; `in_l2tp_output`, `in_l2tp_input`, `l2tp_input`)
// Pure functions over one packet; any thread.
import SwBPFInterfaces
import SwBPFPackets

/// What an l2tp interface is set to, as far as a single packet is concerned.
package struct L2TPSettings: Equatable, Sendable {
  package var isUp = false
  /// nil until `tunnel` was given.
  package var pair: TunnelPair?
  /// nil until `session` was given: the state is down. (L2TP_STATE_UP)
  package var session: L2TPSession?
  /// nil: off. The lengths are 4 or 8.
  package var cookies: L2TPCookies?
  /// Of the interface: bytes behind the Ethernet header.
  package var mtu = 1280
  /// net.l2tp.anysource: whoever knows id and cookie is heard.
  package var takesAnySource = false
  /// net.l2tp.coalesce
  package var coalesces = true

  package init() {}
}

/// The data message over IP: session id, cookie, Ethernet frame. Neither sublayer nor sequence numbers.
package enum L2TPPacket {
  /// IPPROTO_L2TP
  package static let transport: UInt8 = 115
  /// TTL and hop limit of outer headers. (L2TP_TTL)
  package static let hops: UInt8 = 64

  /// Why a frame cannot leave at all; asked before it is tapped.
  @inline(__always)
  package static func refusal(_ settings: L2TPSettings) -> TunnelDrop? {
    if !settings.isUp { return .down }
    if settings.pair == nil { return .unconfigured }
    return settings.session == nil ? .noSession : nil
  }

  /// Puts session header and outer header before a frame, in place. Asked after it was tapped. The frame stays as it is.
  /// - Parameter route: the way to the far end.
  /// - Parameter own: the index of this interface.
  /// - Returns: nil, or why not; then the packet is of no use any more.
  package static func encapsulate(
    _ packet: inout PacketRoom, _ settings: L2TPSettings, by route: RouteAnswer, own: UInt32
  ) -> TunnelDrop? {
    guard let pair = settings.pair else { return .unconfigured }
    if let drop = prepend(to: &packet, settings, by: route, own: own) { return drop }
    return OuterHeader.prepend(to: &packet, pair, transport: transport, trafficClass: 0, hops: hops)
  }

  /// Puts the session header before a frame, in place, where it may leave.
  /// - Returns: nil, or why not; then the packet is of no use any more.
  @inline(__always)
  static func prepend(
    to packet: inout PacketRoom, _ settings: L2TPSettings, by route: RouteAnswer, own: UInt32
  ) -> TunnelDrop? {
    guard let pair = settings.pair else { return .unconfigured }
    guard let session = settings.session else { return .noSession }
    guard packet.count >= EthernetFrame.headerLength else { return .truncated }
    guard !pair.destination.isUnspecified, route.exists, route.interface != own else { return .unreachable }
    let cookie = settings.cookies.map { Int($0.remoteLength) } ?? 0
    guard packet.prepend(4 + cookie) else { return .noRoom }
    packet.store(be32: session.remote, at: 0)
    if let cookies = settings.cookies {
      if cookie == 8 {
        packet.store(be64: cookies.remote, at: 4)
      } else {
        packet.store(be32: UInt32(truncatingIfNeeded: cookies.remote), at: 4)
      }
    }
    return nil
  }

  /// Whose a packet is whose outer header has been taken off.
  package enum Recipient: Equatable, Sendable {
    /// The interface with this local id.
    case session(UInt32)
    /// Session 0: whoever listens to the protocol.
    case control
    /// Too short to say.
    case nobody
  }

  @inline(__always)
  package static func recipient(_ packet: borrowing PacketRoom) -> Recipient {
    guard packet.count >= 4 else { return .nobody }
    let id = packet.bytes.be32(at: 0)
    return id == 0 ? .control : .session(id)
  }

  /// Judges a packet whose outer header has been taken off and takes off the session header.
  /// - Parameter broadcasts: the broadcast addresses of the system's interfaces.
  /// - Returns: nil, or why the packet is dropped; then nothing has changed.
  package static func decapsulate(
    _ packet: inout PacketRoom, _ outer: OuterInfo, _ settings: L2TPSettings, broadcasts: [UInt32]
  ) -> TunnelDrop? {
    guard settings.isUp else { return .down }
    guard let pair = settings.pair else { return .unconfigured }
    // Between the table and the settings the id may have become another one.
    guard let session = settings.session, recipient(packet) == .session(session.local) else { return .noSession }
    if GifPacket.isMartian(outer.source, broadcasts) { return .martian }
    if !settings.takesAnySource { guard outer.pair == pair else { return .source } }
    var length = 4
    if let cookies = settings.cookies {
      length += Int(cookies.localLength)
      guard packet.count >= length else { return .cookie }
      let value = cookies.localLength == 8 ? packet.bytes.be64(at: 4) : UInt64(packet.bytes.be32(at: 4))
      guard value == cookies.local else { return .cookie }
    }
    guard packet.count >= length + EthernetFrame.headerLength else { return .truncated }
    packet.removeFirst(length)
    return nil
  }
}
