// The outer header of a tunnel's packets: IPv4 or IPv6 in IPv4 or IPv6. (RFC 2003, 2473, 4213; `in_gif.c`, `in6_gif.c`)
// Pure functions over one packet; any thread.
import SwBPFPackets

/// The two ends of a tunnel, as they stand in the header of what is sent.
package struct TunnelPair: Hashable, Sendable {
  package let source: IPAddress
  package let destination: IPAddress

  // A link-local address has its link for scope, so that the same one on two links is two; others have none.

  /// nil when the families differ.
  package init?(source: IPAddress, destination: IPAddress) {
    guard source.isIPv6 == destination.isIPv6 else { return nil }
    self.source = source
    self.destination = destination
  }

  /// Stands where there is no pair.
  static let none = TunnelPair(any: IPAddress(v4: 0))

  private init(any address: IPAddress) { (source, destination) = (address, address) }

  package var isIPv6: Bool { source.isIPv6 }
  package var headerLength: Int { isIPv6 ? IPv6View.fixedLength : IPv4View.fixedLength }
}

package enum OuterHeader {
  /// Puts a header in front, where the packet lies. The packet is not touched otherwise.
  ///
  /// IPv4: DF clear, identification 0 (the system gives one), checksum right. IPv6: flow label 0.
  /// - Parameters:
  ///   - transport: protocol, next header.
  ///   - hops: TTL, hop limit.
  /// - Returns: nil, or why not; then nothing has changed.
  package static func prepend(
    to packet: inout PacketRoom, _ pair: TunnelPair, transport: UInt8, trafficClass: UInt8, hops: UInt8
  ) -> TunnelDrop? {
    let payload = packet.count
    guard payload + (pair.isIPv6 ? 0 : IPv4View.fixedLength) <= 0xffff else { return .tooLong }
    guard packet.prepend(pair.headerLength) else { return .noRoom }
    if pair.isIPv6 {
      packet.store(be32: 6 << 28 | UInt32(trafficClass) << 20, at: 0)
      packet.store(be16: UInt16(payload), at: 4)
      packet.store(be16: UInt16(transport) << 8 | UInt16(hops), at: 6)
      packet.store(be64: pair.source.high, at: 8)
      packet.store(be64: pair.source.low, at: 16)
      packet.store(be64: pair.destination.high, at: 24)
      packet.store(be64: pair.destination.low, at: 32)
    } else {
      packet.store(be16: 0x4500 | UInt16(trafficClass), at: 0)
      packet.store(be16: UInt16(payload + IPv4View.fixedLength), at: 2)
      packet.store(be32: 0, at: 4)
      packet.store(be16: UInt16(hops) << 8 | UInt16(transport), at: 8)
      packet.store(be16: 0, at: 10)
      packet.store(be32: pair.source.v4, at: 12)
      packet.store(be32: pair.destination.v4, at: 16)
      packet.store(be16: InternetChecksum.of(packet.bytes.extracting(first: IPv4View.fixedLength)), at: 10)
    }
    return nil
  }
}

/// What the outer header of a received packet said.
package struct OuterInfo: Equatable, Sendable {
  package var source: IPAddress
  package var destination: IPAddress
  package var transport: UInt8
  package var trafficClass: UInt8
  /// Index of the interface it came in by; 0 when not known.
  package var interface: UInt32

  package init(
    source: IPAddress, destination: IPAddress, transport: UInt8, trafficClass: UInt8, interface: UInt32 = 0
  ) {
    self.source = source
    self.destination = destination
    self.transport = transport
    self.trafficClass = trafficClass
    self.interface = interface
  }

  /// The pair of the tunnel that the packet is for: what it sends, turned round.
  package var pair: TunnelPair? { TunnelPair(source: destination, destination: source) }

  /// Reads the IPv4 header at the front of what a raw socket received, takes it off, and takes off what is behind the packet's
  /// end. IPv6 raw sockets tell the same beside the packet.
  /// - Returns: nil, and the packet is as it was, when the header is broken.
  package static func takeIPv4(off packet: inout PacketRoom, interface: UInt32) -> OuterInfo? {
    guard let header = IPv4View(packet.bytes), header.version == 4 else { return nil }
    let (length, headerLength) = (Int(header.totalLength), header.headerLength)
    guard headerLength >= IPv4View.fixedLength, length >= headerLength, length <= packet.count else { return nil }
    let info = OuterInfo(
      source: IPAddress(v4: header.source), destination: IPAddress(v4: header.destination),
      transport: header.transport, trafficClass: packet.bytes.u8(at: 1), interface: interface)
    packet.keepFirst(length)
    packet.removeFirst(headerLength)
    return info
  }
}
