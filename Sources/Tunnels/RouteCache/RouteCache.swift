// The cached route of a tunnel, one for each CPU.
// Looked at by workers for each packet; flushed by requests. (`if_tunnel.c`, `rtcache(9)`)
import SwBPFBPF
import SwBPFKern
import SwBPFPackets
import Synchronization

/// The routes of one network namespace: whom to ask, and who hears of changes.
package final class Routing: Sendable {
  package let resolver: RouteResolver
  package let events: RouteEvents

  /// For the network namespace of the calling thread.
  /// - Parameters: as those of ``RouteEvents``.
  package init(room: UInt32? = nil, onChange: (@Sendable () -> Void)? = nil) throws(BPF.Failure) {
    resolver = try RouteResolver()
    events = try RouteEvents(room: room, onChange: onChange)
  }
}

/// The way to where a tunnel sends, remembered on each CPU until something changes that may change it.
///
/// The system's sockets find their way themselves; the cache answers what the tunnel has to know of it: whether there is one,
/// by which interface, how much fits.
/// - Threads: any. A worker is bound to a CPU (``PerCPUMemory/bindThread(to:)``), so that its lock is its own.
/// - Cost of a hit: the CPU's slot and some loads; no lock is taken.
package final class RouteCache: Sendable {
  private let routing: Routing
  private let counts: RouteEvents.Counts
  private let routes: PerCPU<TunnelRoute>

  /// - Parameter memory: whose CPUs are meant.
  package init(_ routing: Routing, in memory: PerCPUMemory = .shared) {
    self.routing = routing
    counts = routing.events.counts
    routes = PerCPU(in: memory) { _ in
      TunnelRoute()
    } destroy: { route, _ in
      route.free()
    }
  }

  /// The way to an address. Asks the system, and so sleeps some microseconds, when this CPU's route is another one or something
  /// has changed. (`rtcache_lookup`)
  ///
  /// A change counts when ``RouteEvents`` has heard of it, some microseconds after it was made; ``RouteEvents/settle()`` waits
  /// for that. That there is no way is remembered as well.
  /// - Parameter source: what rules may look at; nil for any.
  package func lookup(_ destination: IPAddress, from source: IPAddress? = nil) -> RouteAnswer {
    let now = counts.generation.load(ordering: .acquiring)
    let from = source ?? IPAddress(v4: 0)
    if let known = routes.peekCurrent({ $0.hit(destination, from: from, now) }) { return known }
    return lookSlowly(destination, from: source)
  }

  /// Somebody may be changing the route, or it is another one.
  @inline(never)
  private func lookSlowly(_ destination: IPAddress, from source: IPAddress?) -> RouteAnswer {
    let now = counts.generation.load(ordering: .acquiring)
    let from = source ?? IPAddress(v4: 0)
    // The value, two pointers, is a copy before the lock is taken, and the lock is released before the reference.
    let known = routes.withCurrent { $0.withLock { $0.look(destination, from: from, now) } }
    return known ?? ask(destination, source, now)
  }

  /// Runs the body with this CPU's route, locked: for a batch of packets. (`if_tunnel_get_ro`, `if_tunnel_put_ro`)
  ///
  /// The body must not sleep. Where ``CachedRoute/look(_:from:_:)`` knows nothing it ends, and ``lookup(_:from:)`` asks.
  /// - Parameter body: gets the route and the generation to look with.
  /// - Cost: the lock once, then some ns for each packet.
  package func withCurrent<Result>(_ body: (borrowing CachedRoute, _ now: UInt64) -> Result) -> Result {
    let now = counts.generation.load(ordering: .acquiring)
    return routes.withCurrent { $0.withLock { body($0, now) } }
  }

  /// Neither lock nor CPU is held meanwhile: whoever else is bound to this CPU does not wait for the system.
  @inline(never)
  private func ask(_ destination: IPAddress, _ source: IPAddress?, _ now: UInt64) -> RouteAnswer {
    let answer = routing.resolver.ask(destination, from: source)
    guard answer.isLasting else { return answer }
    routes.withCurrent {
      $0.withLock { $0.keep(destination, from: source ?? IPAddress(v4: 0), now, answer) }
    }
    return answer
  }

  /// Forgets the routes of all CPUs. (`if_tunnel_ro_percpu_rtcache_free`)
  package func flush() {
    func flush(_ route: TunnelRoute, _ cpu: Int) { route.withLock { $0.flush(nil) } }
    routes.forEach(flush)
  }

  /// Forgets the route of this CPU if it leads to this address.
  package func flush(_ destination: IPAddress) {
    routes.withCurrent { $0.withLock { $0.flush(destination) } }
  }

  /// Of all CPUs.
  package var statistics: RouteStatistics {
    var sum = RouteStatistics()
    func add(_ route: TunnelRoute, _ cpu: Int) { sum += route.withLock { $0.statistics } }
    routes.forEach(add)
    return sum
  }

  /// What this CPU's memory points to: always the same.
  var route: TunnelRoute { routes.withCurrent { $0 } }
}
