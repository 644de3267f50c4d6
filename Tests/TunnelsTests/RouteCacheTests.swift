import Glibc
import SwBPFKern
import SwBPFPackets
import Synchronization
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct RouteCacheTests {
  private let host: Host
  /// The namespace of the cables' other ends goes with it.
  private let peer: Host
  private let memory = PerCPUMemory(cpus: 2)

  /// A host with two cables: va to 10.1.0.2, vb to 10.2.0.2. Nobody needs to answer.
  init() throws {
    host = try Host()
    peer = try Host("peer")
    try Host.link(host, "va", peer, "pa", net: 1, ipv6: true)
    try Host.link(host, "vb", peer, "pb", net: 2, ipv6: true)
  }

  private func makeRouting(room: UInt32? = nil, onChange: (@Sendable () -> Void)? = nil) throws -> Routing {
    try host.inside { try Routing(room: room, onChange: onChange) }
  }

  /// Runs on a thread that is bound to a CPU.
  private func on<Result>(cpu: Int, _ body: () throws -> Result) throws -> Result {
    try onNewThread {
      memory.bindThread(to: cpu)
      return try body()
    }
  }

  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  /// Changes something, and waits until it has been heard of.
  private func change(_ routing: Routing, _ words: String) throws {
    try host.ip(words)
    #expect(routing.events.settle())
  }

  @Test("T-026 the same address hits while nothing changes; another one takes the place and is a miss")
  func hitsAndMisses() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let (first, second) = (try address("10.1.0.9"), try address("10.2.0.9"))
    let names = try on(cpu: 0) {
      [first, first, first, second, first].map { cache.lookup($0).interfaceName.text }
    }
    #expect(names == ["va", "va", "va", "vb", "va"])
    #expect(cache.statistics == RouteStatistics(hits: 2, misses: 3, invalidations: 0))
    // Each CPU has a route of its own.
    _ = try on(cpu: 1) { (cache.lookup(first), cache.lookup(first)) }
    #expect(cache.statistics == RouteStatistics(hits: 3, misses: 4, invalidations: 0))
  }

  @Test("T-026 a batch looks under one lock, and ends where nothing is known")
  func batches() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let (first, second, any) = (try address("10.1.0.9"), try address("10.2.0.9"), IPAddress(v4: 0))
    let names = try on(cpu: 0) { () -> [String?] in
      _ = cache.lookup(first)
      return cache.withCurrent { route, now in
        [first, first, second, first].map { route.look($0, from: any, now)?.interfaceName.text }
      }
    }
    #expect(names == ["va", "va", nil, nil])
    #expect(cache.statistics == RouteStatistics(hits: 2, misses: 3, invalidations: 0))
  }

  @Test("T-026 another source is another question")
  func sources() throws {
    let cache = RouteCache(try makeRouting(), in: memory)
    let destination = try address("10.1.0.9")
    let source = try address("10.1.0.1")
    _ = try on(cpu: 0) {
      [nil, source, source, nil].map { cache.lookup(destination, from: $0) }
    }
    #expect(cache.statistics == RouteStatistics(hits: 1, misses: 3, invalidations: 0))
  }

  @Test(
    "T-027 a route that is added, changed or deleted invalidates the routes of all CPUs",
    arguments: [
      ("192.0.2.1", "", "192.0.2.0/24", "10.1.0.2", "10.2.0.2"),
      ("2001:db8::1", "-6 ", "2001:db8::/32", "fd00:1::2", "fd00:2::2"),
    ])
  func changes(_ text: String, _ family: String, _ prefix: String, _ one: String, _ other: String) throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let destination = try address(text)
    func names() throws -> [String] {
      try (0..<2).map { cpu in
        try on(cpu: cpu) {
          let answers = (0..<3).map { _ in cache.lookup(destination) }
          return answers.allSatisfy { $0 == answers[0] } ? answers[0].interfaceName.text : "differs"
        }
      }
    }
    #expect(routing.events.settle())
    #expect(try names() == ["", ""])
    try change(routing, "\(family)route add \(prefix) via \(one)")
    #expect(try names() == ["va", "va"])
    try change(routing, "\(family)route replace \(prefix) via \(other)")
    #expect(try names() == ["vb", "vb"])
    try change(routing, "\(family)route del \(prefix)")
    #expect(try names() == ["", ""])
    // Two CPUs, four states, of which three were invalidated.
    #expect(cache.statistics == RouteStatistics(hits: 16, misses: 8, invalidations: 6))
  }

  @Test("T-027 changed links and addresses invalidate as well: the MTU follows")
  func linkChanges() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let destination = try address("10.1.0.9")
    func mtu() throws -> UInt32 { try on(cpu: 0) { cache.lookup(destination).pathMTU } }
    #expect(try mtu() == 1500)
    try change(routing, "link set va mtu 1400")
    #expect(try mtu() == 1400)
    try change(routing, "addr add 10.1.0.9/32 dev vb")
    #expect(try on(cpu: 0) { cache.lookup(destination).isLocal })
  }

  @Test("T-029 a route whose interface went down is not used")
  func down() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let (four, six) = (try address("10.1.0.9"), try address("fd00:1::9"))
    func answers() throws -> [RouteAnswer] { try on(cpu: 0) { [cache.lookup(four), cache.lookup(six)] } }
    #expect(try answers().map(\.interfaceName.text) == ["va", "va"])
    try change(routing, "link set va down")
    #expect(try answers().map(\.errno) == [ENETUNREACH, ENETUNREACH])
    try change(routing, "route add default via 10.2.0.2")
    #expect(try answers()[0].interfaceName.text == "vb")
    try change(routing, "link del vb")
    #expect(try answers()[0].errno == ENETUNREACH)
  }

  @Test("that there is no way is remembered until something changes")
  func noRoute() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let destination = try address("192.0.2.1")
    #expect(
      try on(cpu: 0) { (0..<5).map { _ in cache.lookup(destination).errno } } == Array(repeating: ENETUNREACH, count: 5)
    )
    #expect(cache.statistics == RouteStatistics(hits: 4, misses: 1, invalidations: 0))
    try change(routing, "route add default via 10.2.0.2")
    #expect(try on(cpu: 0) { cache.lookup(destination).interfaceName.text } == "vb")
  }

  @Test("T-027, T-172 what changes among lost events is found out, too")
  func lostEvents() throws {
    let (entered, mayGo) = (Gate(), Gate())
    let routing = try makeRouting(room: 4096) {
      entered.open()
      mayGo.wait()
    }
    let cache = RouteCache(routing, in: memory)
    let destination = try address("192.0.2.1")
    try host.ip("route add 192.0.2.0/24 via 10.1.0.2")
    #expect(entered.wait(upTo: 5))
    #expect(try on(cpu: 0) { cache.lookup(destination).interfaceName.text } == "va")
    // While the thread hears nothing: more than there is room for, and in the end the one that matters.
    try host.run(["ip", "-batch", "-"], input: (1...200).map { "addr add 10.9.0.\($0)/32 dev va\n" }.joined())
    try host.ip("route replace 192.0.2.0/24 via 10.2.0.2")
    mayGo.open()
    #expect(routing.events.settle())
    #expect(routing.events.lost > 0)
    #expect(try on(cpu: 0) { cache.lookup(destination).interfaceName.text } == "vb")
    #expect(cache.statistics.invalidations > 0)
  }

  @Test("T-030 a flush forgets the routes of all CPUs")
  func flush() throws {
    let cache = RouteCache(try makeRouting(), in: memory)
    let destination = try address("10.1.0.9")
    for cpu in 0..<2 { _ = try on(cpu: cpu) { cache.lookup(destination) } }
    cache.flush()
    #expect(cache.statistics == RouteStatistics(hits: 0, misses: 2, invalidations: 2))
    for cpu in 0..<2 { _ = try on(cpu: cpu) { cache.lookup(destination) } }
    #expect(cache.statistics == RouteStatistics(hits: 0, misses: 4, invalidations: 2))
  }

  @Test("T-031 a flush of one address forgets it on this CPU, and no other address")
  func flushOne() throws {
    let cache = RouteCache(try makeRouting(), in: memory)
    let (kept, gone) = (try address("fd00:1::9"), try address("fd00:2::9"))
    for cpu in 0..<2 { _ = try on(cpu: cpu) { cache.lookup(kept) } }
    try on(cpu: 0) {
      cache.flush(gone)
      _ = cache.lookup(kept)
    }
    #expect(cache.statistics == RouteStatistics(hits: 1, misses: 2, invalidations: 0))
    try on(cpu: 0) { cache.flush(kept) }
    for cpu in 0..<2 { _ = try on(cpu: cpu) { cache.lookup(kept) } }
    #expect(cache.statistics == RouteStatistics(hits: 2, misses: 3, invalidations: 1))
  }

  @Test("T-024 the cached route stays where it is while areas are enlarged 1000 times under workers")
  func enlarged() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let destinations = [try address("10.1.0.9"), try address("fd00:2::9")]
    let ends = Atomic<Bool>(false)
    let wrong = Atomic<Int>(0)
    let rounds = Atomic<Int>(0)
    let workers = (0..<4).map { number in
      Thread(name: "worker") { [memory] in
        memory.bindThread(to: number % 2)
        let place = cache.route.identity
        let name = number < 2 ? "va" : "vb"
        while !ends.load(ordering: .relaxed) {
          if cache.lookup(destinations[number / 2]).interfaceName.text != name || cache.route.identity != place {
            wrong.wrappingAdd(1, ordering: .relaxed)
          }
          // Workers that never rest leave no processor to whoever enlarges.
          if rounds.wrappingAdd(1, ordering: .relaxed).newValue % 64 == 0 { pause(0.0002) }
        }
      }
    }
    for round in 0..<(Requirement.short ? 200 : 1000) {
      memory.enlarge()
      if round % 100 == 0 { cache.flush() }
    }
    #expect(eventually { rounds.load(ordering: .relaxed) > 1000 })
    ends.store(true, ordering: .relaxed)
    for worker in workers { worker.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(cache.statistics.hits > 0)
  }

  @Test("T-025 who waits for the lock has the pointers already: areas are swapped meanwhile, and it does not matter")
  func contended() throws {
    let cache = RouteCache(try makeRouting(), in: memory)
    let destination = try address("10.1.0.9")
    let route = try on(cpu: 0) { cache.route }
    let (locked, mayGo, done) = (Gate(), Gate(), Gate())
    let holder = Thread(name: "holder") {
      route.withLock { _ in
        locked.open()
        mayGo.wait()
      }
    }
    #expect(locked.wait())
    let worker = Thread(name: "worker") { [memory] in
      memory.bindThread(to: 0)
      _ = cache.lookup(destination)
      done.open()
    }
    #expect(!done.wait(upTo: 1))
    // Were the worker still using the area, this would wait for it, and it waits for the lock.
    for _ in 0..<10 { memory.enlarge() }
    mayGo.open()
    #expect(done.wait())
    holder.join()
    worker.join()
    #expect(try on(cpu: 0) { cache.route.identity } == route.identity)
    #expect(cache.statistics == RouteStatistics(hits: 0, misses: 1, invalidations: 0))
  }

  @Test("T-027 a look-up after a change that was heard of never gives the old way, on any thread")
  func stress() throws {
    let routing = try makeRouting()
    let cache = RouteCache(routing, in: memory)
    let destination = try address("192.0.2.1")
    try change(routing, "route add 192.0.2.0/24 via 10.1.0.2")
    // Odd while the route changes; otherwise half of it says how often it changed.
    let state = Atomic<Int>(0)
    let ends = Atomic<Bool>(false)
    let wrong = Atomic<Int>(0)
    let workers = (0..<3).map { number in
      Thread(name: "worker") { [memory] in
        memory.bindThread(to: number % 2)
        while !ends.load(ordering: .relaxed) {
          let before = state.load(ordering: .acquiring)
          let name = cache.lookup(destination).interfaceName.text
          let after = state.load(ordering: .acquiring)
          guard before == after, before & 1 == 0 else { continue }
          if name != (before & 2 == 0 ? "va" : "vb") { wrong.wrappingAdd(1, ordering: .relaxed) }
        }
      }
    }
    for round in 1...20 {
      state.wrappingAdd(1, ordering: .acquiringAndReleasing)
      try change(routing, "route replace 192.0.2.0/24 via 10.\(round % 2 == 1 ? 2 : 1).0.2")
      state.wrappingAdd(1, ordering: .acquiringAndReleasing)
      pause(0.002)
    }
    ends.store(true, ordering: .relaxed)
    for worker in workers { worker.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(cache.statistics.invalidations > 0)
  }
}
