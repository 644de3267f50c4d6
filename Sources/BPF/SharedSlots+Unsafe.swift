// Slots that lie in memory which another process reads: the layout of that memory.
// Made by whoever serves others, kept by the descriptor's buffers until they are freed.
import Glibc
import Synchronization

extension BPF {
  /// Memory for the slots of one descriptor, and the word that its reader writes.
  ///
  ///     words | entries, one for each slot | padding to a page | slots
  ///
  /// Slots are filled in turn and numbered from 0 on: the entry of number n is n modulo the number of slots. Whoever reads
  /// maps this part read-only; what he says lies in a page of its own.
  @safe package final class SharedSlots: @unchecked Sendable {
    package let slotSize: Int
    package let slots: Int
    let words: UnsafeMutablePointer<Atomic<UInt64>>
    let base: UnsafeMutableRawPointer
    let answer: UnsafeMutablePointer<Atomic<UInt64>>
    private let release: @Sendable () -> Void

    /// Bytes of the part that readers may only read; nil for numbers that cannot be.
    package static func size(slotSize: Int, slots: Int) -> Int? {
      guard (64...(256 << 20)).contains(slotSize), (2...65536).contains(slots) else { return nil }
      let (bytes, overflows) = slotSize.multipliedReportingOverflow(by: slots)
      return overflows || bytes > 1 << 40 ? nil : SharedLayout.headerSize(slots) + bytes
    }

    /// - Parameters:
    ///   - region: of ``size(slotSize:slots:)`` bytes, all zero, writable here.
    ///   - answer: 8 bytes that the reader writes.
    ///   - release: unmaps both; called once, on any thread, when nothing uses them any more.
    package init(
      region: UnsafeMutableRawPointer, answer: UnsafeMutableRawPointer, slotSize: Int, slots: Int,
      release: @escaping @Sendable () -> Void
    ) {
      self.slotSize = slotSize
      self.slots = slots
      self.release = release
      // SAFETY: the caller's promise: both are mapped until release() is called, page-aligned, so aligned for words.
      unsafe words = region.assumingMemoryBound(to: Atomic<UInt64>.self)
      unsafe base = region + SharedLayout.headerSize(slots)
      unsafe self.answer = answer.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { release() }
  }
}

/// Places in the shared memory, in words of 8 bytes.
enum SharedLayout {
  /// The number of the slot that is being filled.
  static let sequence = 0
  /// How often everything stored was discarded, and where the last time: a number and a fill.
  static let flushes = 1
  static let flushSequence = 2
  static let flushFill = 3
  /// A ``State``.
  static let state = 4
  /// Two words each: a fill, and the slot's place among the slots.
  static let entries = 8

  enum State: UInt64 {
    case detached = 0
    case attached = 1
    /// The interface went away.
    case departed = 2
  }

  static func headerSize(_ slots: Int) -> Int { ((entries + 2 * slots) * 8 + 4095) & ~4095 }

  /// How far a slot is filled: bytes below, records above. One word, so that both are of one moment.
  static func fill(_ length: Int, _ records: UInt64) -> UInt64 { UInt64(length) | records << 32 }
  static func length(_ fill: UInt64) -> Int { Int(fill & 0xffff_ffff) }
  static func records(_ fill: UInt64) -> UInt64 { fill >> 32 }

  /// What a reader says: how many slots he has given back, modulo 2^32, above; below a number that he changes when he has
  /// read everything and is going to sleep.
  static func answer(returned: UInt32, asleep: UInt32) -> UInt64 { UInt64(returned) << 32 | UInt64(asleep) }
}

/// What a descriptor keeps for itself of slots that another process reads: nothing that this one writes is believed.
@safe struct Sharing {
  let words: UnsafeMutablePointer<Atomic<UInt64>>
  let base: UnsafeMutableRawPointer
  let answer: UnsafeMutablePointer<Atomic<UInt64>>
  /// The number of the store slot.
  var sequence: UInt64 = 0
  /// Records of the store slot that were discarded.
  var discarded: UInt64 = 0
  /// Slots given back so far.
  var returned: UInt32 = 0
  /// The last sleep that was ended.
  var woken: UInt32 = 0
  /// The reader has said what cannot be: it gets no slot back any more.
  var isBroken = false

  init(_ memory: BPF.SharedSlots) {
    unsafe words = memory.words
    unsafe base = memory.base
    unsafe answer = memory.answer
  }

  func store(_ value: UInt64, at word: Int) {
    // SAFETY: every word is inside the header; the memory lives as long as the slots.
    unsafe words[word].store(value, ordering: .releasing)
  }
}
