// Epoch: what a reader may still see is not freed; everything else is, soon.
import SwBPFKern
import Synchronization
import TestSupport
import Testing

/// What was freed, in order.
private final class Log: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var entries: [Int] = []
  func add(_ entry: Int) { lock.withLock { entries.append(entry) } }
  var all: [Int] { lock.withLock { entries } }
}

private final class Flag: Sendable {
  let value = Atomic<Int>(0)
  var isSet: Bool { value.load(ordering: .acquiring) != 0 }
  func set() { value.store(1, ordering: .releasing) }
}

/// A thread that is inside an epoch while it is told to be: a test itself must not take locks there.
private final class Visitor: @unchecked Sendable {
  private let epoch: Epoch
  private let inside = Flag()
  private let told = Flag()
  private var thread: Thread?
  init(_ epoch: Epoch) { self.epoch = epoch }

  func enter() {
    thread = Thread(name: "visitor") {
      let reader = self.epoch.reader()
      reader.enter()
      self.inside.set()
      while !self.told.isSet { pause(0.0002) }
      reader.leave()
    }
    while !inside.isSet { pause(0.0002) }
  }

  func leave() {
    told.set()
    thread?.join()
  }
}

@Suite("Epoch", .timeLimit(.minutes(1)))
struct EpochTests {
  @Test("a thing is freed at once when no reader is inside")
  func noReader() {
    let epoch = Epoch()
    let log = Log()
    let reader = epoch.reader()
    epoch.retire {
      log.add(1)
      return true
    }
    #expect(log.all == [1])
    #expect(epoch.pendingCount == 0)
    _ = consume reader
  }

  @Test("a thing is not freed while a reader is inside, and within 50 ms after it left, without another retirement")
  func readerInside() {
    let epoch = Epoch()
    let log = Log()
    let reader = Visitor(epoch)
    reader.enter()
    for entry in 0..<3 {
      epoch.retire {
        log.add(entry)
        return true
      }
    }
    pause(0.1)
    #expect(log.all.isEmpty)
    #expect(epoch.pendingCount == 3)
    reader.leave()
    let left = monotonicSeconds()
    #expect(eventually { log.all.count == 3 })
    // Half of what is measured on a busy machine is the machine.
    #expect(monotonicSeconds() - left < (Requirement.sanitizer == nil ? 0.05 : 0.5))
    #expect(log.all == [0, 1, 2], "in the order of retiring")
    #expect(epoch.pendingCount == 0)
  }

  @Test("a reader that entered after the retirement does not hold it up")
  func lateReader() {
    let epoch = Epoch()
    let log = Log()
    let early = Visitor(epoch)
    let late = Visitor(epoch)
    early.enter()
    epoch.retire {
      log.add(1)
      return true
    }
    late.enter()
    epoch.retire {
      log.add(2)
      return true
    }
    early.leave()
    #expect(eventually { log.all == [1] })
    pause(0.03)
    #expect(log.all == [1], "the second was retired while the late reader was inside")
    late.leave()
    #expect(eventually { log.all == [1, 2] })
  }

  @Test("a free that says no is asked again until it says yes")
  func askedAgain() {
    let epoch = Epoch()
    let ready = Flag()
    let log = Log()
    epoch.retire {
      log.add(ready.isSet ? 1 : 0)
      return ready.isSet
    }
    #expect(eventually { epoch.pendingCount == 1 })
    ready.set()
    epoch.retire { true }
    #expect(eventually { log.all.last == 1 })
    #expect(eventually { epoch.pendingCount == 0 })
    #expect(log.all.filter { $0 == 1 }.count == 1)
  }

  @Test("a free that says no is asked again within 50 ms although nobody retires or reads")
  func askedAgainAlone() {
    let epoch = Epoch()
    let ready = Flag()
    let freed = Flag()
    epoch.retire {
      if ready.isSet { freed.set() }
      return ready.isSet
    }
    ready.set()
    let start = monotonicSeconds()
    #expect(eventually { freed.isSet })
    #expect(monotonicSeconds() - start < (Requirement.sanitizer == nil ? 0.05 : 0.5))
  }

  @Test("synchronize returns after the readers that were inside")
  func synchronize() {
    let epoch = Epoch()
    let done = Flag()
    let reader = Visitor(epoch)
    reader.enter()
    let waiter = Thread(name: "waiter") {
      epoch.synchronize()
      done.set()
    }
    pause(0.03)
    #expect(!done.isSet)
    reader.leave()
    waiter.join()
    #expect(done.isSet)
  }

  @Test("with 4096 things waiting, the retiring thread waits for the readers")
  func bounded() {
    let epoch = Epoch()
    let done = Flag()
    let reader = Visitor(epoch)
    reader.enter()
    let retiring = Thread(name: "retiring") {
      for _ in 0..<5000 { epoch.retire { true } }
      done.set()
    }
    #expect(eventually { epoch.pendingCount == 4096 })
    pause(0.03)
    #expect(!done.isSet)
    #expect(epoch.pendingCount == 4096)
    reader.leave()
    retiring.join()
    #expect(eventually { epoch.pendingCount == 0 })
  }

  @Test("a reader's place is used again after it is gone")
  func places() {
    let epoch = Epoch()
    // There are 1024 places; who finds none ends the process.
    for _ in 0..<3000 {
      let reader = epoch.reader()
      reader.enter()
      reader.leave()
    }
  }

  /// A published box: readers look into it, writers replace it; a freed one says so.
  private final class Published: @unchecked Sendable {
    let current: Atomic<UnsafeMutableRawPointer>
    init() { current = Atomic(Published.make()) }
    deinit { current.load(ordering: .relaxed).deallocate() }
    static func make() -> UnsafeMutableRawPointer {
      let box = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
      box.storeBytes(of: 0x600d, as: UInt64.self)
      return box
    }
  }

  @Test("readers never see a freed thing while many threads replace and retire it")
  func replacing() {
    let epoch = Epoch()
    let published = Published()
    let stop = Flag()
    let rounds = Requirement.short ? 500 : Requirement.sanitizer != nil ? 2_000 : 10_000
    withExtendedLifetime(published) {
      let counters = Counters()
      let readers = (0..<2).map { _ in
        Thread(name: "reader") {
          let reader = epoch.reader()
          var wrong = 0
          while !stop.isSet {
            reader.enter()
            let box = published.current.load(ordering: .sequentiallyConsistent)
            if box.load(as: UInt64.self) != 0x600d { wrong += 1 }
            reader.leave()
          }
          counters.wrong.wrappingAdd(wrong, ordering: .relaxed)
        }
      }
      let writers = (0..<3).map { _ in
        Thread(name: "writer") {
          for _ in 0..<rounds {
            nonisolated(unsafe) let old = published.current.exchange(
              Published.make(), ordering: .sequentiallyConsistent)
            epoch.retire {
              old.storeBytes(of: 0xdead, as: UInt64.self)
              old.deallocate()
              counters.freed.wrappingAdd(1, ordering: .relaxed)
              return true
            }
          }
        }
      }
      for thread in writers { thread.join() }
      stop.set()
      for thread in readers { thread.join() }
      #expect(eventually { counters.freed.load(ordering: .relaxed) == 3 * rounds })
      #expect(eventually { epoch.pendingCount == 0 })
      #expect(counters.wrong.load(ordering: .relaxed) == 0)
    }
  }

  private final class Counters: Sendable {
    let wrong = Atomic<Int>(0)
    let freed = Atomic<Int>(0)
  }
}
