// One CPU's cached route.

/// The way to one address, and what it was found for. (`struct route` as rtcache(9) fills it)
///
/// Lies in memory of its own that never moves; per-CPU memory only points to it. Guarded by the lock beside it.
package struct CachedRoute {
  private var destination = IPAddress(ipv4: 0)
  private var source = IPAddress(ipv4: 0)
  /// Of ``RouteEvents`` when the question was asked; 0 when nothing is cached.
  private var generation: UInt64 = 0
  private var answer = RouteAnswer()
  private(set) var statistics = RouteStatistics()

  /// The answer for an address, if it is of this generation; counts.
  package mutating func look(_ destination: IPAddress, from source: IPAddress, _ now: UInt64) -> RouteAnswer? {
    if generation == now && self.destination == destination && self.source == source {
      statistics.hits &+= 1
      return answer
    }
    missed(destination, now)
    return nil
  }

  @inline(never) private mutating func missed(_ destination: IPAddress, _ now: UInt64) {
    statistics.misses += 1
    if generation != 0 && generation != now { statistics.invalidations += 1 }
    generation = 0
  }

  /// Keeps an answer.
  /// - Parameter asked: the generation of the moment before the question.
  mutating func keep(_ destination: IPAddress, from source: IPAddress, _ asked: UInt64, _ answer: RouteAnswer) {
    guard asked != RouteEvents.Counts.unreliable else { return }
    self.destination = destination
    self.source = source
    self.answer = answer
    generation = asked
  }

  /// Forgets what is kept, or only what is kept of one address.
  mutating func flush(_ only: IPAddress?) {
    guard generation != 0 && (only == nil || only == destination) else { return }
    statistics.invalidations += 1
    generation = 0
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
