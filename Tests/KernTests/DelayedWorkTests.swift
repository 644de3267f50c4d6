// DelayedWork: the control thread's queue.
import SwBPFKern
import TestSupport
import Testing

private final class Log: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var entries: [(Int, Int64)] = []
  func add(_ entry: Int) { lock.withLock { entries.append((entry, Clock.monotonic())) } }
  var all: [Int] { lock.withLock { entries.map(\.0) } }
  var times: [Int64] { lock.withLock { entries.map(\.1) } }
}

@Suite("DelayedWork", .timeLimit(.minutes(1)))
struct DelayedWorkTests {
  @Test("closures run in the order in which they are due, never early")
  func order() {
    let work = DelayedWork(name: "order")
    let log = Log()
    let start = Clock.monotonic()
    work.schedule(after: 60_000_000) { log.add(3) }
    work.schedule(after: 30_000_000) { log.add(2) }
    work.schedule(after: 0) { log.add(1) }
    #expect(eventually { log.all.count == 3 })
    #expect(log.all == [1, 2, 3])
    #expect(log.times[1] >= start + 30_000_000)
    #expect(log.times[2] >= start + 60_000_000)
    work.stop()
  }

  @Test("a closure may schedule the next one")
  func chain() {
    let work = DelayedWork(name: "chain")
    let log = Log()
    work.schedule(after: 0) {
      log.add(1)
      work.schedule(after: 1_000_000) { log.add(2) }
    }
    #expect(eventually { log.all == [1, 2] })
    work.stop()
  }

  @Test("stop waits for the closure that runs and forgets the others")
  func stop() {
    let work = DelayedWork(name: "stop")
    let log = Log()
    work.schedule(after: 0) {
      log.add(1)
      pause(0.05)
      log.add(2)
    }
    work.schedule(after: 1_000_000) { log.add(3) }
    #expect(eventually { log.all == [1] })
    work.stop()
    #expect(log.all == [1, 2])
    work.schedule(after: 0) { log.add(4) }
    pause(0.02)
    #expect(log.all == [1, 2])
  }

  @Test("stop returns when nothing was ever scheduled")
  func idle() { DelayedWork(name: "idle").stop() }
}
