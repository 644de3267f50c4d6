// The short way of a pass: one peer, no program. The driver writes records into the peer's store slot itself.
// Called by ring threads between begin and end of a pass.
import SwBPFKern

/// The free end of one peer's store slot, on loan to the driver's hot loop. The peer's buffer lock is held meanwhile.
///
/// The driver writes savefile records (``BPF/savefileHeaderSize``, then the bytes) one behind the other while they fit, and
/// counts. What does not fit, or is to be cut, takes the long way.
@safe package struct TapRun {
  /// Where the next record goes.
  package var place: UnsafeMutableRawPointer
  /// One past the last byte of the slot.
  package let limit: UnsafeMutableRawPointer
  let start: UnsafeMutableRawPointer
  /// The fraction of a stamp is written as nanoseconds, not microseconds.
  package let nanoseconds: Bool
  /// Frames of the way that the peer wants to see are records; the others are only counted.
  package let hidden: BPF.Way?
  package var records: UInt64 = 0
  package var hiddenFrames: UInt64 = 0
  package var cut: UInt64 = 0
}

extension TapReader {
  /// Opens a run of the pass's only peer. Nothing may have been collected since the last part.
  /// - Returns: nil when the peer has left or was flushed since the pass began: these frames are not its frames.
  package func openRun() -> TapRun? {
    assert(isPlain && frameCount == 0)
    let peer = unsafe peers.pointee
    unsafe Step.point(.usesNode, peer.node)
    let state = unsafe peer.node.pointee.buffers
    unsafe Step.point(.usesBuffers, state)
    unsafe state.pointee.lock.lock()
    guard unsafe peer.node.pointee.live && state.pointee.generation.load(ordering: .relaxed) == peer.generation else {
      unsafe state.pointee.lock.unlock()
      return nil
    }
    let hidden: BPF.Way? =
      peer.direction == BPF.Direction.in.rawValue
      ? .sent : peer.direction == BPF.Direction.out.rawValue ? .received : nil
    return unsafe state.pointee.slots.openRun(hidden: hidden)
  }

  /// Ends a run: counts what was written and gives the lock back.
  package mutating func closeRun(_ run: TapRun) {
    let state = unsafe peers.pointee.node.pointee.buffers
    let wasSilent = unsafe !state.pointee.slots.hasStored
    unsafe state.pointee.slots.closeRun(run)
    if unsafe state.pointee.slots.wantsWakeUp
      && state.pointee.slots.tells(rotated: false, stored: run.records > 0, wasSilent: wasSilent)
    {
      unsafe note(state)
    }
    unsafe state.pointee.lock.unlock()
  }
}

extension Slots {
  /// The free end of the store slot.
  fileprivate func openRun(hidden: BPF.Way?) -> TapRun {
    let place = unsafe store + storeLength
    return unsafe TapRun(
      place: place, limit: store + slotSize, start: place, nanoseconds: layout.nanoseconds, hidden: hidden)
  }

  /// What a run wrote belongs to the slot now.
  fileprivate mutating func closeRun(_ run: TapRun) {
    storeLength += unsafe run.place - run.start
    storeRecords &+= run.records
    counters.offered &+= run.records &+ run.hiddenFrames
    counters.hidden &+= run.hiddenFrames
    counters.captured &+= run.records
    counters.waiting &+= run.records
    counters.cut &+= run.cut
  }
}
