// ReplayWindow: which sequence numbers of an association have come. (RFC 4303, 3.4.3 and appendix A; `ipsec_chkreplay`)
import SwBPFKern
import Synchronization

/// A window over the numbers that came, in a ring of bits that moves without shifting. (RFC 6479)
///
/// - Threads: any. ``judge(_:)`` takes no lock; ``accept(_:)`` takes one, and its word counts.
@safe final class ReplayWindow: @unchecked Sendable {
  /// Numbers that can be told from replays; 0: nothing is checked.
  let size: UInt64
  private let isExtended: Bool
  /// The highest number that was accepted.
  private let top = Atomic<UInt64>(0)
  /// A bit for each number, by its low bits. One word more than the window has.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let mask: UInt64
  private let lock = Lock(rank: .leaf)

  /// - Parameter size: in packets.
  init(size: Int, isExtended: Bool) {
    self.size = UInt64(size)
    self.isExtended = isExtended
    var count = 2
    while count < (size + 63) / 64 + 1 { count *= 2 }
    mask = UInt64(count - 1)
    // SAFETY: freed in deinit; indices are masked.
    unsafe words = .allocate(capacity: count)
    for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    unsafe words.deinitialize(count: Int(mask) + 1)
    unsafe words.deallocate()
  }

  /// The whole number of a packet that carries the low half. (RFC 4303, A2.2)
  @inline(__always) func number(low: UInt32) -> UInt64 {
    guard isExtended else { return UInt64(low) }
    let top = top.load(ordering: .acquiring)
    let high = top >> 32
    // Without a window half of the numbers are taken for old ones.
    let size = size == 0 ? 1 << 31 : size
    let bottom = UInt32(truncatingIfNeeded: top) &- UInt32(size - 1)
    let isSplit = UInt32(truncatingIfNeeded: top) < UInt32(size - 1)
    if isSplit {
      return (low >= bottom && high > 0 ? high - 1 : high) << 32 | UInt64(low)
    }
    return (low >= bottom ? high : high &+ 1) << 32 | UInt64(low)
  }

  /// Whether a number is worth verifying its packet. (`ipsec_chkreplay`)
  @inline(__always) func judge(_ number: UInt64) -> ESPDrop? {
    if size == 0 { return nil }
    if number == 0 { return .late }
    let top = top.load(ordering: .acquiring)
    if number > top { return nil }
    if top - number >= size { return .late }
    return unsafe words[word(number)].load(ordering: .relaxed) & bit(number) == 0 ? nil : .replayed
  }

  /// Notes the number of a packet that was verified; nil when it is the first with it. (`ipsec_updatereplay`)
  func accept(_ number: UInt64) -> ESPDrop? {
    if size == 0 && !isExtended { return nil }
    lock.lock()
    defer { lock.unlock() }
    let last = top.load(ordering: .relaxed)
    if number > last {
      // Words that the window enters are cleared before anybody can look there.
      let steps = min((number >> 6) - (last >> 6), mask + 1)
      var step: UInt64 = 0
      while step < steps {
        unsafe words[Int(((number >> 6) - step) & mask)].store(0, ordering: .relaxed)
        step += 1
      }
      set(number)
      top.store(number, ordering: .releasing)
      return nil
    }
    if size == 0 { return nil }
    if let drop = judge(number) { return drop }
    set(number)
    return nil
  }

  private func set(_ number: UInt64) {
    // Only the holder of the lock writes.
    let old = unsafe words[word(number)].load(ordering: .relaxed)
    unsafe words[word(number)].store(old | bit(number), ordering: .relaxed)
  }

  @inline(__always) private func word(_ number: UInt64) -> Int { Int((number >> 6) & mask) }
  @inline(__always) private func bit(_ number: UInt64) -> UInt64 { 1 << (number & 63) }
}
