// Fuzzes what an l2tp does with bytes that others chose: outer packets to frames, bridged super-frames to messages.
import SwBPFInterfaces
import SwBPFPackets
import SwBPFTunnels

/// Room that stays for the life of the process.
private nonisolated(unsafe) let batch = PacketBatch(4, size: 65536 + 64, headroom: 128)

@_cdecl("LLVMFuzzerTestOneInput") public func fuzzL2TP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 8, size < 60000 else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  input(bytes)
  output(bytes)
  return 0
}

private func fill(_ index: Int, _ bytes: ArraySlice<UInt8>) -> PacketRoom {
  var packet = batch.packets[index]
  packet.reset(headroom: 128, count: bytes.count)
  packet.copy(from: bytes.span.bytes, at: 0)
  return packet
}

/// An interface as the first byte wants it.
private func settings(_ choice: UInt8, _ pair: TunnelPair?) -> L2TPSettings {
  var settings = L2TPSettings()
  settings.isUp = true
  settings.pair = pair
  settings.session = L2TPSession(local: 1, remote: 2)
  settings.takesAnySource = choice & 1 == 0
  if choice & 2 != 0 {
    settings.cookies = L2TPCookies(
      localLength: choice & 4 == 0 ? 4 : 8, local: 3, remoteLength: choice & 8 == 0 ? 4 : 8, remote: 4)
  }
  return settings
}

/// From the wire: what comes through is a frame that the message ended with, and nothing came through but with our id and cookie.
private func input(_ bytes: [UInt8]) {
  let choice = bytes[0]
  var packet = fill(0, bytes[1...])
  var outer = OuterInfo(
    source: IPAddress(v6: 1, 2), destination: IPAddress(v6: 1, 3), transport: L2TPPacket.transport, trafficClass: 0)
  if choice & 16 == 0 {
    guard let taken = OuterInfo.takeIPv4(off: &packet, interface: 1) else { return }
    outer = taken
  }
  let settings = settings(choice, outer.pair)
  let whole = packet
  guard case .session(let id) = L2TPPacket.recipient(packet) else { return }
  guard L2TPPacket.decapsulate(&packet, outer, settings, broadcasts: [0x0aff_ffff]) == nil else {
    precondition(packet.count == whole.count && packet.start == whole.start, "a refusal changed the packet")
    return
  }
  let cookie = settings.cookies.map { Int($0.localLength) } ?? 0
  precondition(id == 1 && packet.count == whole.count - 4 - cookie && packet.count >= EthernetFrame.headerLength)
  if cookie == 4 { precondition(whole.bytes.be32(at: 4) == 3) }
  if cookie == 8 { precondition(whole.bytes.be64(at: 4) == 3) }
  _ = EthernetFrame.flow(packet.bytes)
  _ = EthernetFrame.haveOneHeader(packet.bytes, packet.bytes)
  if EthernetFrame.isIP(packet.bytes) { precondition(EthernetFrame.networkOffset(packet.bytes) == 14) }
}

/// From a bridge: whatever a frame is, it leaves as it is, behind our headers.
private func output(_ bytes: [UInt8]) {
  var packet = fill(1, bytes[1...])
  let frame = bytes[1...]
  if let offset = EthernetFrame.networkOffset(packet.bytes) {
    precondition([14, 18, 22].contains(offset) && offset <= packet.count)
  }
  _ = EthernetFrame.tunnelled(packet.bytes)
  var route = RouteAnswer()
  route.interface = 7
  let isIPv6 = bytes[0] & 32 != 0
  let ends =
    isIPv6 ? (IPAddress(v6: 1, 2), IPAddress(v6: 1, 3)) : (IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0002))
  let settings = settings(bytes[0], TunnelPair(source: ends.0, destination: ends.1))
  guard L2TPPacket.encapsulate(&packet, settings, by: route, own: 8) == nil else { return }
  let headers = (isIPv6 ? 40 : 20) + 4 + (settings.cookies.map { Int($0.remoteLength) } ?? 0)
  precondition(packet.count == frame.count + headers)
  for index in frame.indices.prefix(2000) {
    precondition(packet.bytes.u8(at: headers + index - 1) == frame[index], "the frame changed")
  }
}
