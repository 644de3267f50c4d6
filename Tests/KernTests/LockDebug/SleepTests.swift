// What a thread must not do inside an epoch section, with a reference to per-CPU memory, or with a lock of the packet path.
import SwBPFKern
import TestSupport
import Testing

@Suite("Sleeping and sections", .timeLimit(.minutes(1)))
struct SleepTests {
  /// One that can be waited on, for no time at all.
  private final class Waited: Sendable {
    let lock: Lock
    let condition = Condition()
    init(_ rank: LockRank) { lock = Lock(rank: rank) }
    func wait() { lock.withLock { _ = lock.wait(condition, until: 1) } }
  }

  /// A reader that outlives its thread.
  private final class Reading: Sendable { let reader = Epoch().reader() }

  private func inEpoch(_ body: () -> Void) {
    let reader = Epoch().reader()
    reader.enter()
    body()
    reader.leave()
  }

  @Test("a lock that is not of rank buffer is reported inside an epoch section")
  func lockInEpoch() {
    let leaf = Lock(rank: .leaf)
    let buffer = Lock(rank: .buffer)
    #expect(findings { inEpoch { leaf.withLock {} } } == [.heldInEpoch])
    #expect(findings { inEpoch { buffer.withLock {} } } == [])
  }

  @Test("entering an epoch section with a lock is reported")
  func lockIntoEpoch() {
    let reader = Epoch().reader()
    let lock = Lock(rank: .engine)
    #expect(
      findings {
        lock.withLock {
          reader.enter()
          reader.leave()
        }
      } == [.heldInEpoch])
  }

  @Test("a sleep inside an epoch section is reported, whatever sleeps")
  func sleepInEpoch() {
    let waited = Waited(.buffer)
    let thread = Thread(name: "short") {}
    let event = Event.open()
    let epoch = Epoch()
    #expect(findings { inEpoch { waited.wait() } } == [.sleepInEpoch])
    #expect(findings { inEpoch { _ = Event.wait(for: event, timeout: 0) } } == [.sleepInEpoch])
    #expect(findings { inEpoch { thread.join() } } == [.sleepInEpoch])
    #expect(findings { inEpoch { epoch.synchronize() } } == [.sleepInEpoch])
    #expect(findings { inEpoch { LockDebug.sleeping("a system call") } } == [.sleepInEpoch])
  }

  @Test("a sleep with a lock of rank buffer is reported, but not a wait with that lock itself, or with others")
  func sleepWithLock() {
    let buffer = Waited(.buffer)
    let engine = Waited(.engine)
    let leaf = Waited(.leaf)
    #expect(findings { buffer.lock.withLock { LockDebug.sleeping("poll") } } == [.sleepWithLock])
    #expect(findings { buffer.lock.withLock { leaf.wait() } } == [.sleepWithLock])
    #expect(findings { buffer.wait() } == [])
    #expect(findings { engine.lock.withLock { leaf.wait() } } == [])
  }

  @Test("a sleep with a reference to per-CPU memory is reported; saying so before is no sleep")
  func sleepPinned() {
    let memory = PerCPUMemory(cpus: 1)
    let storage = memory.create(size: 8)
    let leaf = Waited(.leaf)
    #expect(
      findings {
        _ = memory.getRef(storage)
        leaf.wait()
        memory.putRef(storage)
      } == [.sleepWhilePinned])
    #expect(
      findings {
        _ = memory.getRef(storage)
        PerCPUMemory.willSleep()
        memory.putRef(storage)
      } == [])
    PerCPUMemory.unbindThread()
  }

  @Test("a thread that ends inside an epoch section is reported")
  func endInEpoch() {
    let reading = Reading()
    #expect(findings { Thread(name: "leaving") { reading.reader.enter() }.join() } == [.epochOnExit])
  }
}
