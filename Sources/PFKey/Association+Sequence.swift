// Sequence numbers of packets to send. Any thread, no lock.
import Synchronization

extension Association {
  /// The last number: of 32 bits unless the numbers are extended. With a cyclic number the count goes on, and its low half is
  /// sent.
  private var lastSequence: UInt64 {
    flags.contains(.extendedSequence) || flags.contains(.cyclicSequence) ? .max : UInt64(UInt32.max)
  }

  /// Whether all numbers have been sent.
  package var isExhausted: Bool { sequence.load(ordering: .relaxed) >= lastSequence }

  /// The number of the next packet, 1 for the first one; nil when all have been sent. Nobody else gets it.
  @inline(__always) package func takeSequence() -> UInt64? {
    var last = sequence.load(ordering: .relaxed)
    while last < lastSequence {
      let (done, seen) = sequence.weakCompareExchange(expected: last, desired: last + 1, ordering: .relaxed)
      if done { return last + 1 }
      last = seen
    }
    return nil
  }
}
