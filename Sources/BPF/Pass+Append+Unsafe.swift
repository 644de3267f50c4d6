// Appending: a peer's matches of a part become records in its store slot. (`catchpacket`)
// Called by the pass, under the buffer lock.
import Glibc
import SwBPFFilterMachine

extension TapReader {
  /// Appends one peer's matches and counts. Returns whether a reader has something to read now.
  @inline(__always)
  func append(_ verdict: Verdict, _ peer: UnsafeMutablePointer<Peer>, to state: UnsafeMutablePointer<BufferState>)
    -> Bool
  {
    var dropped: UInt64 = 0
    var cut: UInt64 = 0
    var rotated = false
    let wasSilent = unsafe !state.pointee.slots.hasStored
    let cookedFrom = unsafe peer.pointee.node.pointee.cookedFrom
    let nanoseconds = unsafe state.pointee.slots.layout.nanoseconds
    let limit = unsafe UInt32(clamping: state.pointee.slots.slotSize - BPF.savefileHeaderSize)
    for index in 0..<verdict.matches {
      let take = unsafe matches[index].take
      let frame = unsafe frames + Int(matches[index].frame)
      var bytes = unsafe min(take, frame.pointee.captured)
      var length = unsafe frame.pointee.length
      var from = unsafe frame.pointee.base
      // The kernel's block or our slot was too small for what the program asked for.
      var isCut = unsafe frame.pointee.captured < min(take, length)
      var prefix: UInt32 = 0
      if _slowPath(cookedFrom >= 0) {
        let header = min(UInt32(cookedFrom), bytes)
        bytes &-= header
        length &-= min(UInt32(cookedFrom), length)
        unsafe from += Int(header)
        prefix = UInt32(BPF.cookedHeaderSize)
        length &+= prefix
      }
      if _slowPath(bytes &+ prefix > limit) {
        bytes = limit > prefix ? limit &- prefix : 0
        isCut = true
      }
      let size = BPF.savefileHeaderSize &+ Int(prefix) &+ Int(bytes)
      guard let place = unsafe state.pointee.slots.room(size, rotated: &rotated) else {
        dropped &+= 1
        continue
      }
      if isCut { cut &+= 1 }
      let fraction = unsafe nanoseconds ? frame.pointee.nanoseconds : frame.pointee.nanoseconds / 1000
      // SAFETY: room() gave `size` bytes; the frame has at least `bytes` bytes from `from` on.
      unsafe place.storeBytes(of: frame.pointee.seconds, as: UInt32.self)
      unsafe place.storeBytes(of: fraction, toByteOffset: 4, as: UInt32.self)
      unsafe place.storeBytes(of: bytes &+ prefix, toByteOffset: 8, as: UInt32.self)
      unsafe place.storeBytes(of: length, toByteOffset: 12, as: UInt32.self)
      if _slowPath(prefix > 0) {
        unsafe TapReader.cook(&frame.pointee.metadata, into: place + BPF.savefileHeaderSize)
      }
      unsafe memcpy(place + BPF.savefileHeaderSize + Int(prefix), from, Int(bytes))
    }
    unsafe state.pointee.slots.count(verdict, dropped: dropped, cut: cut)
    return unsafe state.pointee.slots.tells(
      rotated: rotated, stored: UInt64(verdict.matches) > dropped, wasSilent: wasSilent)
  }

  /// Writes a LINUX_SLL2 header; every field in network order.
  private static func cook(_ metadata: UnsafePointer<FrameMetadata>, into place: UnsafeMutableRawPointer) {
    let about = unsafe metadata.pointee
    unsafe place.storeBytes(of: about.protocolType.bigEndian, as: UInt16.self)
    unsafe place.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
    unsafe place.storeBytes(of: about.interfaceIndex.bigEndian, toByteOffset: 4, as: UInt32.self)
    unsafe place.storeBytes(of: about.hardwareType.bigEndian, toByteOffset: 8, as: UInt16.self)
    unsafe place.storeBytes(of: about.packetType, toByteOffset: 10, as: UInt8.self)
    unsafe place.storeBytes(of: about.addressLength, toByteOffset: 11, as: UInt8.self)
    unsafe place.storeBytes(of: about.address, toByteOffset: 12, as: UInt64.self)
  }
}

extension Slots {
  /// Adds what a peer made of a part.
  @inline(__always) mutating func count(_ verdict: TapReader.Verdict, dropped: UInt64, cut: UInt64) {
    let captured = UInt64(verdict.matches)
    counters.offered &+= verdict.offered
    counters.hidden &+= verdict.hidden
    counters.refused &+= verdict.refused
    counters.captured &+= captured
    counters.dropped &+= dropped
    counters.cut &+= cut
    counters.waiting &+= captured &- dropped
  }

  /// Whether readers have something to read now that they had not before a part.
  @inline(__always) mutating func tells(rotated: Bool, stored: Bool, wasSilent: Bool) -> Bool {
    if _slowPath(isShared) { return share(rotated: rotated, stored: stored) }
    if rotated && wantsFullSlot { return true }
    return stored && (immediate || readiness.isTimedOut || (wasSilent && (tellsFirst || readiness.batchTimeout != nil)))
  }
}
