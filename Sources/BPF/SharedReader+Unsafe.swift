// The other end of shared slots: a reader in another process than the one that fills them.
// One thread takes slots; giving back, counting and asking may be done on any.
import Glibc
import SwBPFKern
import Synchronization

extension BPF {
  /// Borrows slots that another process fills. It has to be trusted to store whole records; that what it says lies inside the
  /// memory is checked.
  @safe package final class SharedReader: @unchecked Sendable {
    package let slotSize: Int
    package let slots: Int
    let layout: RecordLayout
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let base: UnsafeMutableRawPointer
    private let answer: UnsafeMutablePointer<Atomic<UInt64>>
    private let release: @Sendable () -> Void
    private let lock = Lock(rank: .leaf)
    // Guarded by `lock`.
    /// The number of the slot that is read, and how far.
    private var sequence: UInt64 = 0
    private var fill: UInt64 = 0
    /// Borrowed parts, by the number of their slot.
    private var loans: [UInt64: Int] = [:]
    private var asleep: UInt32 = 0
    private var flushes: UInt64 = 0
    private var taken: UInt64 = 0
    private var isBroken = false

    /// - Parameters:
    ///   - region: of ``SharedSlots/size(slotSize:slots:)`` bytes, readable. - answer: 8 bytes, writable.
    ///   - release: unmaps both; called when no slot is borrowed any more.
    package init(
      region: UnsafeMutableRawPointer, answer: UnsafeMutableRawPointer, slotSize: Int, slots: Int, nanoseconds: Bool,
      release: @escaping @Sendable () -> Void
    ) {
      self.slotSize = slotSize
      self.slots = slots
      self.release = release
      layout = RecordLayout(nanoseconds: nanoseconds)
      // SAFETY: the caller's promise: mapped until release() is called, and page-aligned.
      unsafe words = region.assumingMemoryBound(to: Atomic<UInt64>.self)
      unsafe base = region + SharedLayout.headerSize(slots)
      unsafe self.answer = answer.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { release() }

    private func word(_ index: Int) -> UInt64 {
      // SAFETY: every index is inside the header. Loads only: the memory may be read-only.
      unsafe words[index].load(ordering: .sequentiallyConsistent)
    }

    private func entry(_ sequence: UInt64) -> Int { SharedLayout.entries + 2 * Int(sequence % UInt64(slots)) }

    // MARK: Reading

    /// Takes what is behind the last part that was taken, if its slot is full; with `rotating`, also of one that is not.
    /// Never waits. - Throws: ENXIO when the descriptor is not attached (or its interface went away) and all is read.
    package func takeSlot(rotating: Bool) throws(Failure) -> Slot? {
      let state = SharedLayout.State(rawValue: word(SharedLayout.state))
      let isLast = rotating || state != .attached
      let part = lock.withLock { take(isLast) }
      if let part { return Slot(part, of: self) }
      if state == .attached && !lock.withLock({ isBroken }) { return nil }
      throw state == .departed ? .departed : .notAttached
    }

    /// The lock is held.
    private func take(_ rotating: Bool) -> Slots.FullSlot? {
      while !isBroken {
        // In this order: the fill of a number that is over is its last.
        let newest = word(SharedLayout.sequence)
        let stored = word(entry(sequence))
        let isFull = sequence < newest
        let (from, length) = (SharedLayout.length(fill), SharedLayout.length(stored))
        let place = word(entry(sequence) + 1)
        guard newest >= sequence, length >= from, length <= slotSize, place < slots else {
          isBroken = true
          return nil
        }
        let count = SharedLayout.records(stored) &- SharedLayout.records(fill)
        let number = sequence
        let isWanted = length > from && (isFull || rotating)
        if isFull { (sequence, fill) = (sequence + 1, 0) } else if isWanted { fill = stored }
        if isWanted {
          taken &+= count
          loans[number, default: 0] += 1
          return unsafe Slots.FullSlot(
            slot: base + Int(place) * slotSize + from, length: length - from, records: count, sequence: number)
        }
        if !isFull { return nil }
        tell()
      }
      return nil
    }

    func giveBack(_ slot: Slots.FullSlot) {
      lock.withLock {
        loans[slot.sequence] = loans[slot.sequence].flatMap { $0 > 1 ? $0 - 1 : nil }
        tell()
      }
    }

    /// Says how far slots are given back; the lock is held.
    private func tell() {
      let oldest = loans.keys.min().map { min($0, sequence) } ?? sequence
      let value = SharedLayout.answer(returned: UInt32(truncatingIfNeeded: oldest), asleep: asleep)
      unsafe answer.pointee.store(value, ordering: .sequentiallyConsistent)
    }

    /// Bytes stored and not yet taken.
    package var storedBytes: Int {
      lock.withLock {
        let newest = word(SharedLayout.sequence)
        guard newest >= sequence, newest - sequence < UInt64(slots) else { return 0 }
        let lengths = (sequence...newest).reduce(0) { $0 + SharedLayout.length(word(entry($1))) }
        return max(0, lengths - SharedLayout.length(fill))
      }
    }

    /// Before a sleep: has the other process tell of the next record. False when there is something to read already.
    package func mayWait() -> Bool {
      lock.withLock {
        asleep &+= 1
        tell()
      }
      return storedBytes == 0 && word(SharedLayout.state) == SharedLayout.State.attached.rawValue
    }

    /// The interface went away, and nothing else ended it.
    package var isDeparted: Bool { word(SharedLayout.state) == SharedLayout.State.departed.rawValue }

    /// After a request that discards what is stored: what is older is not read any more.
    package func noteFlush() {
      lock.withLock {
        let now = word(SharedLayout.flushes)
        guard now != flushes else { return }
        flushes = now
        taken = 0
        let (number, stored) = (word(SharedLayout.flushSequence), word(SharedLayout.flushFill))
        if number > sequence || (number == sequence && stored & 0xffff_ffff > fill & 0xffff_ffff) {
          (sequence, fill) = (number, stored)
        }
        tell()
      }
    }

    /// Records taken since everything was discarded.
    package var delivered: UInt64 { lock.withLock { taken } }
  }
}

extension BPF.SharedReader: SlotLender {}
