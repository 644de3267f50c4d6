// Fuzzes what ipsec interfaces do with bytes that others chose: datagrams at a port of NAT traversal, what was inside of ESP, and
// inner packets that have to be cut or answered.
import SwBPFPackets
import SwBPFTunnels

/// Room that stays for the life of the process.
private nonisolated(unsafe) let batch = PacketBatch(4, size: 65536, headroom: 128)

@_cdecl("LLVMFuzzerTestOneInput") public func fuzzNATT(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 4, size < 60000 else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  datagram(bytes)
  taker(bytes)
  inside(bytes)
  outgoing(bytes)
  return 0
}

private func fill(_ index: Int, _ bytes: ArraySlice<UInt8>) -> PacketRoom {
  var packet = batch.packets[index]
  packet.reset(headroom: 128, count: bytes.count)
  packet.copy(from: bytes.span.bytes, at: 0)
  return packet
}

private func datagram(_ bytes: [UInt8]) {
  var packet = fill(0, bytes[...])
  switch ESPInUDP.kind(of: packet.bytes) {
  case .esp: precondition(packet.count > 8 && packet.bytes.be32(at: 0) != 0, "no ESP")
  case .keepalive: precondition(packet.count == 1, "no keepalive")
  case .ike: precondition(packet.count <= 4 || packet.bytes.be32(at: 0) == 0, "ESP for IKE")
  case .short: precondition((5...8).contains(packet.count), "a length of its own")
  }
  let before = packet.count
  if ESPInUDP.prepend(to: &packet, from: 4500, to: 4501) {
    precondition(packet.count == before + 8 && Int(packet.bytes.be16(at: 4)) == packet.count, "a UDP header")
  }
}

/// The bytes as net.ipsec.ike, and as the answer of who is there.
private func taker(_ bytes: [UInt8]) {
  if let taker = IKETaker(String(decoding: bytes, as: UTF8.self)) {
    precondition(IKETaker("\(taker)") == taker && taker.endpoint.port != 0, "another taker")
  }
  let packet = fill(0, bytes[...])
  if ESPInUDP.mayAnswer(packet.bytes) {
    precondition(bytes[..<4].allSatisfy { $0 == 0 } && bytes.count > 4, "an answer like ESP")
  }
}

/// The first byte chooses the settings.
private func inside(_ bytes: [UInt8]) {
  var packet = fill(1, bytes[1...])
  let choice = bytes[0]
  let outer = OuterInfo(
    source: IPAddress(v6: 1, 2), destination: IPAddress(v6: 1, 3), transport: 50, trafficClass: choice >> 6)
  var settings = IPsecSettings()
  settings.isUp = true
  settings.pair = outer.pair
  settings.ecn = choice & 1 == 0 ? .cleared : .passed
  let upper: UInt8 = choice & 2 == 0 ? 4 : 41
  guard IPsecPacket.take(&packet, nextHeader: upper, outer, settings, broadcasts: []) == nil else { return }
  precondition(packet.bytes.u8(at: 0) >> 4 == (upper == 4 ? 4 : 6), "another family came through")
  precondition(packet.count >= (upper == 4 ? 20 : 40), "a packet without a header came through")
}

/// The first two bytes are esp_frag.
private func outgoing(_ bytes: [UInt8]) {
  let packet = fill(2, bytes[2...])
  guard case .success = IPsecPacket.nextHeader(of: packet) else { return }
  var room = batch.packets[3]
  room.reset(headroom: 128, count: 0)
  switch InnerCut(packet, fragment: UInt16(bytes[0]) << 8 | UInt16(bytes[1])) {
  case .fits, .impossible: break
  case .tell(let mtu):
    if TooBig.write(about: packet, mtu: mtu, into: &room) { precondition(room.count <= 1280, "a long answer") }
  case .cut(let limit):
    guard var fragments = InnerFragments(of: packet, limit: limit) else { return }
    var count = 0
    while fragments.next(of: packet, into: &room) {
      count += 1
      // A header of 60 bytes and 8 of payload may be longer than what was asked for.
      precondition(room.count <= max(limit, 68), "a long fragment")
    }
    precondition(count > 0, "no fragment")
  }
}
