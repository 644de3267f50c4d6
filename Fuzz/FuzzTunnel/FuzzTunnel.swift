// Fuzzes what a tunnel does with bytes that others chose: outer packets to inner packets, devices' super-packets to segments.
import SwBPFPackets
import SwBPFTunnels

/// Room that stays for the life of the process.
private nonisolated(unsafe) let batch = PacketBatch(8, size: 65536, headroom: 128)

@_cdecl("LLVMFuzzerTestOneInput") public func fuzzTunnel(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
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

/// From the wire: the first byte chooses the settings.
private func input(_ bytes: [UInt8]) {
  var packet = fill(0, bytes[1...])
  let choice = bytes[0]
  var outer = OuterInfo(
    source: IPAddress(v6: 1, 2), destination: IPAddress(v6: 1, 3), transport: choice & 1 == 0 ? 4 : 41,
    trafficClass: choice)
  if choice & 2 == 0 {
    guard let taken = OuterInfo.takeIPv4(off: &packet, interface: 1) else { return }
    outer = taken
  }
  var settings = GifSettings()
  settings.isUp = true
  settings.pair = outer.pair
  settings.ecn = choice & 4 == 0 ? .cleared : .passed
  settings.filtersIngress = false
  guard GifPacket.decapsulate(&packet, outer, settings, broadcasts: [0x0aff_ffff], back: nil) == nil else { return }
  precondition(packet.count >= 20, "a packet without a header came through")
  // As two segments that may belong together.
  let half = packet.count / 2
  var parts = [fill(1, bytes[1...].prefix(half)), fill(2, bytes[1...].prefix(half)), packet]
  var coalescer = Coalescer(capacity: 3)
  coalescer.arrange(parts, 3, isOn: true)
  precondition(coalescer.runs.map(\.count).reduce(0, +) == 3)
  for run in coalescer.runs { _ = coalescer.join(run, &parts) }
  // Out again by another tunnel.
  var route = RouteAnswer()
  route.interface = 7
  let before = packet.count
  if GifPacket.encapsulate(&packet, settings, by: route, own: 8) == nil { precondition(packet.count > before) }
}

/// From a device: the first eight bytes are what it says of the packet.
private func output(_ bytes: [UInt8]) {
  var packet = fill(0, bytes[8...])
  var offload = PacketOffload()
  offload.segments = [.none, .tcp4, .tcp6, .udp][Int(bytes[0] & 3)]
  offload.segmentSize = UInt16(bytes[1]) << 8 | UInt16(bytes[2])
  if bytes[0] & 4 != 0 {
    offload.checksum = (UInt16(bytes[3]) << 8 | UInt16(bytes[4]), UInt16(bytes[5]) << 8 | UInt16(bytes[6]))
  }
  if var segments = Segments(of: packet, offload) {
    var total = 0
    var room = batch.packets[1]
    for _ in 0..<min(segments.count, 200) {
      room.reset(headroom: 128, count: 0)
      guard segments.next(of: packet, into: &room) else { break }
      total += room.count
    }
    precondition(total > 0, "a super-packet without a segment")
  } else if !Segments.isBroken(packet, offload) {
    _ = Checksums.complete(&packet, offload)
  }
}
