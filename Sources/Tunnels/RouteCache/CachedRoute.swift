// One CPU's cached route.
import SwBPFPackets
import Synchronization

/// The way to one address, and what it was found for. (`struct route` as rtcache(9) fills it)
///
/// Lies in memory of its own that never moves; per-CPU memory only points to it. Who changes it holds the lock beside it.
/// Who only looks may do without (``hit(_:from:_:)``): `sequence` tells him that what he read belongs together. So every
/// field is an atomic word, and no method is mutating: ThreadSanitizer would take that for a write.
package struct CachedRoute: ~Copyable {
  /// Odd while the route is changed.
  private let sequence = Atomic<UInt64>(0)
  /// The generation of ``RouteEvents`` when the question was asked, and the families of its addresses, in one word to
  /// compare; 0 when nothing is cached.
  private let stamp = Atomic<UInt64>(0)
  private let destination = AtomicAddress()
  private let source = AtomicAddress()
  private let answer = AtomicAnswer()
  private let hits = Atomic<UInt64>(0)
  private let misses = Atomic<UInt64>(0)
  private let invalidations = Atomic<UInt64>(0)

  init() {}

  /// The answer for an address, if it is of this generation; counts. Without the lock.
  /// - Returns: nil as well while somebody changes the route: the lock is to be taken, and ``look(_:from:_:)``.
  @inline(__always)
  borrowing func hit(_ destination: IPAddress, from source: IPAddress, _ now: UInt64) -> RouteAnswer? {
    let before = sequence.load(ordering: .acquiring)
    guard before & 1 == 0, isOf(destination, source, now) else { return nil }
    let known = answer.load()
    // All loads above are acquiring, so this one comes after them.
    guard sequence.load(ordering: .relaxed) == before else { return nil }
    hits.store(hits.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    return known
  }

  /// The answer for an address, if it is of this generation; counts. Under the lock.
  package borrowing func look(_ destination: IPAddress, from source: IPAddress, _ now: UInt64) -> RouteAnswer? {
    if isOf(destination, source, now) {
      hits.store(hits.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
      return answer.load()
    }
    missed(now)
    return nil
  }

  @inline(__always)
  private borrowing func isOf(_ destination: IPAddress, _ source: IPAddress, _ now: UInt64) -> Bool {
    let different = self.destination.difference(from: destination) | self.source.difference(from: source)
    let stamp = stamp.load(ordering: .acquiring) ^ Self.stamp(destination, source, now)
    return (different | stamp) == 0
  }

  /// Not 0, since generations begin with 1.
  @inline(__always)
  private static func stamp(_ destination: IPAddress, _ source: IPAddress, _ generation: UInt64) -> UInt64 {
    (generation &<< 2) | (destination.isIPv6 ? 2 : 0) | (source.isIPv6 ? 1 : 0)
  }

  @inline(never) private borrowing func missed(_ now: UInt64) {
    misses.store(misses.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    let known = stamp.load(ordering: .relaxed)
    if known != 0 && known >> 2 != now { invalidated() }
    change { stamp.store(0, ordering: .releasing) }
  }

  private borrowing func invalidated() {
    invalidations.store(invalidations.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }

  /// Keeps an answer. Under the lock.
  /// - Parameter asked: the generation of the moment before the question.
  borrowing func keep(_ destination: IPAddress, from source: IPAddress, _ asked: UInt64, _ answer: RouteAnswer) {
    guard asked != RouteEvents.Counts.unreliable else { return }
    change {
      self.destination.store(destination)
      self.source.store(source)
      self.answer.store(answer)
      stamp.store(Self.stamp(destination, source, asked), ordering: .releasing)
    }
  }

  /// Forgets what is kept, or only what is kept of one address. Under the lock.
  borrowing func flush(_ only: IPAddress?) {
    let known = stamp.load(ordering: .relaxed)
    guard known != 0 else { return }
    if let only, only.isIPv6 != (known & 2 != 0) || destination.difference(from: only) != 0 { return }
    invalidated()
    change { stamp.store(0, ordering: .releasing) }
  }

  /// The words that the body stores are stored releasing: who sees one of them sees the odd number, or a later one.
  private borrowing func change(_ body: () -> Void) {
    let before = sequence.load(ordering: .relaxed)
    sequence.store(before &+ 1, ordering: .relaxed)
    body()
    sequence.store(before &+ 2, ordering: .releasing)
  }

  /// Two threads of one CPU that hit in the same moment may be counted as one.
  package var statistics: RouteStatistics {
    RouteStatistics(
      hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed),
      invalidations: invalidations.load(ordering: .relaxed))
  }
}

/// What became of look-ups.
package struct RouteStatistics: Equatable, Sendable {
  /// Answered at once.
  package var hits: UInt64 = 0
  /// The system was asked.
  package var misses: UInt64 = 0
  /// Routes that were thrown away because something changed, or because they were flushed.
  package var invalidations: UInt64 = 0

  static func += (sum: inout RouteStatistics, more: RouteStatistics) {
    sum.hits += more.hits
    sum.misses += more.misses
    sum.invalidations += more.invalidations
  }
}
