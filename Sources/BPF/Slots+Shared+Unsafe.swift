// Slots that another process reads: what it is told, and what is taken from it. Every access under the buffer lock.
import Synchronization

extension Slots {
  /// The store slot, its place among the slots.
  private func place(of slot: UnsafeMutableRawPointer, _ sharing: Sharing) -> UInt64 {
    unsafe UInt64((slot - sharing.base) / slotSize)
  }

  private func entry(_ sequence: UInt64) -> Int { SharedLayout.entries + 2 * Int(sequence % UInt64(number)) }

  /// The slots are there: the first one is being filled.
  mutating func beginSharing() {
    guard let sharing else { return }
    unsafe sharing.store(place(of: store, sharing), at: entry(0) + 1)
  }

  /// A slot became full and another one is filled.
  @inline(never)
  mutating func shareRotation(length: Int, records: UInt64) {
    guard var next = sharing else { return }
    next.store(SharedLayout.fill(length, next.discarded + records), at: entry(next.sequence))
    next.discarded = 0
    next.sequence += 1
    next.store(0, at: entry(next.sequence))
    unsafe next.store(place(of: store, next), at: entry(next.sequence) + 1)
    next.store(next.sequence, at: SharedLayout.sequence)
    sharing = next
  }

  /// Shows what is stored. Whether the reader has to be told: it sleeps, or many slots wait for it.
  /// - Parameter stored: there is something new.
  @inline(never)
  mutating func share(rotated: Bool, stored: Bool) -> Bool {
    guard stored, let now = sharing else { return false }
    let fill = SharedLayout.fill(storeLength, now.discarded + storeRecords)
    // Sequentially consistent, as the reader's side: either it sees what is stored, or its sleep is seen here.
    unsafe now.words[entry(now.sequence)].store(fill, ordering: .sequentiallyConsistent)
    let asleep = unsafe UInt32(truncatingIfNeeded: now.answer.pointee.load(ordering: .sequentiallyConsistent))
    if asleep != now.woken {
      sharing?.woken = asleep
      return true
    }
    guard rotated else { return false }
    _ = reclaim()
    return fullCount >= tellsAt
  }

  /// Takes back what the reader has given back. Whether a slot is free.
  @inline(never)
  mutating func reclaim() -> Bool {
    guard var now = sharing, !now.isBroken else { return freeCount > 0 }
    let said = unsafe UInt32(truncatingIfNeeded: now.answer.pointee.load(ordering: .acquiring) >> 32)
    let count = said &- now.returned
    if count > UInt32(fullCount) {
      now.isBroken = true
    } else {
      now.returned = said
      for _ in 0..<count { settleOldest() }
    }
    sharing = now
    return freeCount > 0
  }

  /// Everything stored is discarded; slots that were shown stay the reader's until it gives them back.
  mutating func discardShared() {
    _ = reclaim()
    forgetRecords()
    guard var now = sharing else { return }
    now.discarded += storeRecords
    storeRecords = 0
    flushCount += 1
    now.store(now.sequence, at: SharedLayout.flushSequence)
    now.store(SharedLayout.fill(storeLength, now.discarded), at: SharedLayout.flushFill)
    now.store(flushCount, at: SharedLayout.flushes)
    sharing = now
  }

  /// Shows whether frames can still come.
  @inline(never)
  func shareState() {
    let state: SharedLayout.State = attachments > 0 ? .attached : departed ? .departed : .detached
    sharing?.store(state.rawValue, at: SharedLayout.state)
  }
}
