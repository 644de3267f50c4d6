// Fuzzes what a tunnel does with bytes that others chose: outer packets to inner packets, devices' super-packets to
// segments, and these put together and cut again.
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
  // Out again by another tunnel.
  var route = RouteAnswer()
  route.interface = 7
  let before = packet.count
  guard GifPacket.encapsulate(&packet, settings, by: route, own: 8) == nil else { return }
  let header = outer.source.isIPv6 ? 40 : 20
  precondition(packet.count == before + header)
  guard var fragments = Fragments(of: packet, mtu: outer.source.isIPv6 ? 1280 : 68, identification: 1) else { return }
  let front = header + (outer.source.isIPv6 ? 8 : 0)
  var total = 0
  var piece = batch.packets[1]
  piece.reset(headroom: 128, count: 0)
  while fragments.next(of: packet, into: &piece) { total += piece.count - front }
  precondition(total == before, "fragments that are not the packet")
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
  if let segments = Segments(of: packet, offload) {
    precondition(segments.count > 0, "a super-packet without a segment")
    join(cut(packet, segments, most: 5))
  } else if !Segments.isBroken(packet, offload) {
    _ = Checksums.complete(&packet, offload)
  }
  // As they came, twice the same and once shorter.
  join([bytes[8...], bytes[8...], bytes[8...].dropLast()].map(Array.init))
}

/// The first segments of a packet, which is not the last of the batch.
private func cut(_ packet: PacketRoom, _ segments: Segments, most: Int) -> [[UInt8]] {
  var segments = segments
  var room = batch.packets[7]
  room.reset(headroom: 128, count: 0)
  var pieces: [[UInt8]] = []
  while pieces.count < most, segments.next(of: packet, into: &room) { pieces.append(bytes(of: room)) }
  return pieces
}

private func bytes(of packet: PacketRoom) -> [UInt8] {
  (0..<packet.count).map { packet.bytes.u8(at: $0) }
}

/// Puts packets together where they belong together. Cut again, they are what they were.
private func join(_ pieces: [[UInt8]]) {
  var parts = pieces.indices.map { fill($0 + 1, pieces[$0][...]) }
  var coalescer = Coalescer(capacity: parts.count)
  coalescer.arrange(parts, parts.count, isOn: true)
  precondition(coalescer.runs.map(\.count).reduce(0, +) == parts.count, "a packet that is in no run, or in two")
  for run in coalescer.runs where run.count > 1 {
    let offload = coalescer.join(run, &parts, mtu: 1280)
    let headers = coalescer.headerLength(of: run)
    var places = [run.first]
    while let next = coalescer.place(after: places[places.count - 1]) { places.append(next) }
    let whole = bytes(of: parts[run.first]) + places.dropFirst().flatMap { pieces[$0].dropFirst(headers) }
    let packet = fill(0, whole[...])
    guard let segments = Segments(of: packet, offload) else { preconditionFailure("no super-packet came of a run") }
    precondition(cut(packet, segments, most: 9) == places.map { pieces[$0] }, "a run that is cut otherwise")
  }
}
