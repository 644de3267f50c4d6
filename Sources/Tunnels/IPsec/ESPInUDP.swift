// What comes to a port of NAT traversal: ESP, keepalives, and words of those who negotiate keys. (RFC 3948; `udp4_espinudp`)
// Pure functions; any thread.
import SwBPFPackets

/// What a UDP payload is.
package enum ESPInUDP: Equatable, Sendable {
  /// ESP begins with the payload.
  case esp
  /// One byte 0xff: it only keeps a translation alive.
  case keepalive
  /// For IKE: behind four zero bytes, or too short to be anything else.
  case ike
  /// Too short for ESP.
  case short

  /// Bytes of the UDP header.
  package static var headerLength: Int { 8 }

  package static func kind(of payload: borrowing RawSpan) -> ESPInUDP {
    let count = payload.byteCount
    if count == 1 && payload.u8(at: 0) == 0xff { return .keepalive }
    if count <= 4 || payload.be32(at: 0) == 0 { return .ike }
    return count <= 8 ? .short : .esp
  }

  /// Puts a UDP header in front of ESP. Its checksum is 0, which only IPv4 allows.
  /// - Returns: false, and nothing changes, when there is no room or the packet is too long.
  package static func prepend(to packet: inout PacketRoom, from source: UInt16, to destination: UInt16) -> Bool {
    let length = packet.count + headerLength
    guard length <= 0xffff, packet.prepend(headerLength) else { return false }
    packet.store(be16: source, at: 0)
    packet.store(be16: destination, at: 2)
    packet.store(be16: UInt16(length), at: 4)
    packet.store(be16: 0, at: 6)
    return true
  }
}
