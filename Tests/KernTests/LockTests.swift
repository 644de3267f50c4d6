// Lock and Condition: exclusion, ranks, timed waits.
import SwBPFKern
import TestSupport
import Testing

/// A number that only its lock protects.
private final class Guarded: @unchecked Sendable {
  let lock = Lock(rank: .leaf)
  let changed = Condition()
  var value = 0
}

@Suite("Lock", .timeLimit(.minutes(1)))
struct LockTests {
  @Test("threads that add under a lock lose nothing")
  func mutualExclusion() {
    let guarded = Guarded()
    let rounds = Requirement.short || Requirement.sanitizer != nil ? 5_000 : 50_000
    let threads = (0..<4).map { _ in
      Thread(name: "adder") { for _ in 0..<rounds { guarded.lock.withLock { guarded.value += 1 } } }
    }
    for thread in threads { thread.join() }
    #expect(guarded.lock.withLock { guarded.value } == 4 * rounds)
  }

  @Test("withLock gives the lock back when its body throws")
  func throwing() {
    struct Oops: Error {}
    let guarded = Guarded()
    #expect(throws: Oops.self) { try guarded.lock.withLock { throw Oops() } }
    #expect(guarded.lock.withLock { true })
  }

  @Test("assertHeld is content with the thread that holds the lock")
  func assertHeld() {
    let guarded = Guarded()
    guarded.lock.withLock { guarded.lock.assertHeld() }
  }

  @Test("locks may be taken in the order of their ranks, and again after that")
  func order() {
    let first = Lock(rank: .descriptor)
    let second = Lock(rank: .buffer)
    for _ in 0..<2 { first.withLock { second.withLock {} } }
    second.withLock {}
    first.withLock {}
  }

  @Test("a wait ends at its deadline, neither earlier nor much later")
  func deadline() {
    let guarded = Guarded()
    let start = Clock.monotonic()
    guarded.lock.withLock {
      while guarded.lock.wait(guarded.changed, until: start + 20_000_000) {}
      guarded.lock.assertHeld()
    }
    let waited = Clock.monotonic() - start
    #expect(waited >= 20_000_000 && waited < 2_000_000_000)
  }

  @Test("a broadcast wakes every waiter, with the lock held")
  func broadcast() {
    let guarded = Guarded()
    let threads = (0..<3).map { _ in
      Thread(name: "waiter") {
        guarded.lock.withLock {
          while guarded.value == 0 { _ = guarded.lock.wait(guarded.changed) }
          guarded.value += 1
        }
      }
    }
    pause(0.01)
    guarded.lock.withLock {
      guarded.value = 1
      guarded.changed.broadcast()
    }
    for thread in threads { thread.join() }
    #expect(guarded.lock.withLock { guarded.value } == 4)
  }

  #if DEBUG
    @Test("taking a lock of a lower rank traps")
    func wrongOrder() async {
      await #expect(processExitsWith: .failure) {
        let first = Lock(rank: .descriptor)
        let second = Lock(rank: .buffer)
        second.withLock { first.withLock {} }
      }
    }

    @Test("taking two locks of one rank traps")
    func sameRank() async {
      await #expect(processExitsWith: .failure) {
        let first = Lock(rank: .buffer)
        let second = Lock(rank: .buffer)
        second.withLock { first.withLock {} }
      }
    }

    @Test("taking a lock twice traps")
    func twice() async {
      await #expect(processExitsWith: .failure) {
        let lock = Lock(rank: .leaf)
        lock.withLock { lock.lock() }
      }
    }

    @Test("unlocking a lock that nobody holds traps")
    func notHeld() async {
      await #expect(processExitsWith: .failure) { Lock(rank: .leaf).unlock() }
    }

    @Test("unlocking another thread's lock traps")
    func othersLock() async {
      await #expect(processExitsWith: .failure) {
        let guarded = Guarded()
        guarded.lock.lock()
        Thread(name: "other") { guarded.lock.unlock() }.join()
      }
    }

    @Test("assertHeld traps without the lock")
    func assertNotHeld() async {
      await #expect(processExitsWith: .failure) { Lock(rank: .leaf).assertHeld() }
    }
  #endif
}
