// Appending as read(2) of an open bpf device returns it: `struct bpf_hdr`, frame, zeros. (`catchpacket`)
// Called by the pass, under the buffer lock.
import Glibc

extension TapReader {
  /// Appends one peer's matches as device records and counts. Returns whether a reader has something to read now.
  mutating func appendDeviceRecords(
    _ verdict: Verdict, _ peer: UnsafeMutablePointer<Peer>, to state: UnsafeMutablePointer<BufferState>
  ) -> Bool {
    var dropped: UInt64 = 0
    var cut: UInt64 = 0
    var rotated = false
    let wasSilent = unsafe !state.pointee.slots.hasStored
    let layout = unsafe state.pointee.slots.layout
    let node = unsafe peer.pointee.node
    let header = unsafe layout.headerLength(link: node.pointee.linkHeader)
    let most = unsafe state.pointee.slots.slotSize - Int(header)
    for index in 0..<verdict.matches {
      let frame = unsafe frames + Int(matches[index].frame)
      let wanted = unsafe min(matches[index].take, frame.pointee.length)
      let bytes = unsafe min(Int(min(wanted, frame.pointee.captured)), most)
      // A slot that is smaller than the header holds nothing.
      guard most >= 0,
        let place = unsafe state.pointee.slots.alignedRoom(Int(header) + bytes, rotated: &rotated)
      else {
        dropped &+= 1
        continue
      }
      if bytes < wanted { cut &+= 1 }
      let stamp = unsafe stampOfRecord(frame, layout.stamp, &state.pointee.slots.lastMonotonic)
      unsafe DeviceRecord.write(
        frame, stamp: stamp, captured: UInt32(bytes), header: header, node: node, layout: layout, to: place)
      // SAFETY: alignedRoom() gave room for header and `bytes` bytes; the frame has at least `bytes`.
      unsafe memcpy(place + Int(header), frame.pointee.base, bytes)
    }
    unsafe state.pointee.slots.count(verdict, dropped: dropped, cut: cut)
    return unsafe state.pointee.slots.tells(
      rotated: rotated, stored: UInt64(verdict.matches) > dropped, wasSilent: wasSilent)
  }

  /// A frame's stamp on the clock of a format, ns. From boot it never goes back, also when the wall clock does.
  private mutating func stampOfRecord(
    _ frame: UnsafePointer<TapFrame>, _ format: BPF.StampFormat, _ last: inout Int64
  ) -> Int64 {
    let wall = unsafe frame.pointee.stamp
    guard format.isMonotonic else { return wall }
    last = max(last, wall - offsetFromBoot())
    return last
  }
}

/// Writes the headers of device records.
enum DeviceRecord {
  /// Writes a header of `header` bytes in front of where the frame goes; what no field covers is zero.
  /// - Parameter stamp: ns.
  static func write(
    _ frame: UnsafePointer<TapFrame>, stamp: Int64, captured: UInt32, header: UInt32,
    node: UnsafePointer<PeerNode>, layout: RecordLayout, to place: UnsafeMutableRawPointer
  ) {
    // SAFETY: `header` bytes are free at `place`, at least `layout.headerBytes`, which cover every store below.
    unsafe place.initializeMemory(as: UInt8.self, repeating: 0, count: Int(header))
    let seconds = stamp / 1_000_000_000
    let nanoseconds = UInt64(stamp % 1_000_000_000)
    let length = unsafe frame.pointee.length
    if layout.profile == .openbsd {
      let way: UInt8 = unsafe frame.pointee.way == .received ? 1 : 2
      unsafe place.storeBytes(of: UInt32(truncatingIfNeeded: seconds), as: UInt32.self)
      unsafe place.storeBytes(of: UInt32(nanoseconds / 1000), toByteOffset: 4, as: UInt32.self)
      unsafe place.storeBytes(of: captured, toByteOffset: 8, as: UInt32.self)
      unsafe place.storeBytes(of: length, toByteOffset: 12, as: UInt32.self)
      unsafe place.storeBytes(of: UInt16(header), toByteOffset: 16, as: UInt16.self)
      unsafe place.storeBytes(of: node.pointee.interfaceIndex, toByteOffset: 18, as: UInt16.self)
      unsafe place.storeBytes(of: way << 4, toByteOffset: 22, as: UInt8.self)
      return
    }
    if layout.stamp.unit != 3 {
      unsafe place.storeBytes(of: seconds, as: Int64.self)
      unsafe place.storeBytes(of: fraction(nanoseconds, layout.stamp), toByteOffset: 8, as: UInt64.self)
    }
    unsafe place.storeBytes(of: captured, toByteOffset: 16, as: UInt32.self)
    unsafe place.storeBytes(of: length, toByteOffset: 20, as: UInt32.self)
    unsafe place.storeBytes(of: UInt16(header), toByteOffset: 24, as: UInt16.self)
  }

  /// The part of a second in a format's unit.
  private static func fraction(_ nanoseconds: UInt64, _ format: BPF.StampFormat) -> UInt64 {
    switch format.unit {
    case 0: nanoseconds / 1000
    case 1: nanoseconds
    // 2^64 / 10^9, as bintime(9) converts.
    default: nanoseconds &* 18_446_744_073
    }
  }
}
