// References: what getRef promises, and what ends the promise.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@Suite("References to per-CPU memory", .timeLimit(.minutes(1)))
struct ReferenceTests {
  private let memory = PerCPUMemory(cpus: 2)

  /// A thread with a reference on a CPU, until it is told to give it back.
  private final class Holder: @unchecked Sendable {
    private let holding = Mark()
    private let told = Mark()
    private var thread: Thread?
    init(_ memory: PerCPUMemory, _ storage: PerCPUMemory.Storage, cpu: Int, sleeping: Bool) {
      thread = Thread(name: "holder") {
        memory.bindThread(to: cpu)
        memory.getRef(storage).pointer.storeBytes(of: 0x5a, as: UInt8.self)
        if sleeping { PerCPUMemory.willSleep() }
        self.holding.set()
        while !self.told.isSet { usleep(200) }
        memory.putRef(storage)
      }
      while !holding.isSet { usleep(200) }
    }
    func end() {
      told.set()
      thread?.join()
    }
  }

  @Test("T-005 a holder that sleeps does not keep the old area: the enlarge is over before its putRef")
  func sleeper() {
    let storage = memory.create(size: 8)
    let holder = Holder(memory, storage, cpu: 1, sleeping: true)
    let size = memory.areaSizes[1]
    memory.enlarge()
    #expect(memory.areaSizes[1] == size + 2048)
    #expect(content(memory, storage)[1][0] == 0x5a)
    holder.end()
  }

  @Test("T-006 while a holder is awake its CPU keeps its area; the others get theirs")
  func awake() {
    let storage = memory.create(size: 8)
    let before = memory.areaSizes
    let holder = Holder(memory, storage, cpu: 1, sleeping: false)
    let enlarging = Thread(name: "enlarging") { memory.enlarge() }
    #expect(eventually { memory.areaSizes[0] == before[0] + 2048 })
    pause(0.05)
    #expect(memory.areaSizes[1] == before[1])
    holder.end()
    enlarging.join()
    #expect(memory.areaSizes[1] == before[1] + 2048)
    #expect(content(memory, storage)[1][0] == 0x5a)
  }

  @Test("a thread that wants a reference while its CPU's area is swapped gets it in the new one")
  func late() {
    let storage = memory.create(size: 8)
    let holder = Holder(memory, storage, cpu: 1, sleeping: false)
    let enlarging = Thread(name: "enlarging") { memory.enlarge() }
    #expect(eventually { memory.areaSizes[0] == memory.areaSizes[1] + 2048 })
    let got = Mark()
    let second = Thread(name: "second") {
      memory.bindThread(to: 1)
      memory.getRef(storage).pointer.storeBytes(of: 0x77, as: UInt8.self)
      memory.putRef(storage)
      got.set()
    }
    pause(0.02)
    #expect(!got.isSet)
    holder.end()
    for thread in [enlarging, second] { thread.join() }
    #expect(content(memory, storage)[1][0] == 0x77)
  }

  @Test("T-007 a slot that is used after a sleep and an enlarge is reported")
  func slept() {
    let storage = memory.create(size: 8)
    memory.bindThread(to: 0)
    let found = reports {
      let reference = memory.getRef(storage)
      PerCPUMemory.willSleep()
      onNewThread { memory.enlarge() }
      _ = reference.pointer
      memory.putRef(storage)
    }
    #expect(found.map(\.kind) == [.slotAfterSleep])
    PerCPUMemory.unbindThread()
  }

  @Test("a slot may be used after a sleep in which its area stayed")
  func sleptInPeace() {
    let storage = memory.create(size: 8)
    memory.bindThread(to: 0)
    #expect(
      findings {
        let reference = memory.getRef(storage)
        PerCPUMemory.willSleep()
        _ = reference.pointer
        memory.putRef(storage)
        let second = memory.getRef(storage)
        _ = second.pointer
        memory.putRef(storage)
      } == [])
    PerCPUMemory.unbindThread()
  }

  #if DEBUG
    @Test("T-007 by default the use of such a slot ends the process")
    func traps() async {
      await #expect(processExitsWith: .failure) {
        let memory = PerCPUMemory(cpus: 1)
        let storage = memory.create(size: 8)
        let reference = memory.getRef(storage)
        PerCPUMemory.willSleep()
        onNewThread { memory.enlarge() }
        _ = reference.pointer
      }
    }
  #endif

  @Test("references nest, and the area stays until the last is given back")
  func nested() {
    let storage = memory.create(size: 8)
    let size = memory.areaSizes[1]
    let enlarging = onNewThread {
      memory.bindThread(to: 1)
      _ = memory.getRef(storage)
      _ = memory.getRef(storage)
      let enlarging = Thread(name: "enlarging") { memory.enlarge() }
      memory.putRef(storage)
      pause(0.03)
      #expect(memory.areaSizes[1] == size)
      memory.putRef(storage)
      return enlarging
    }
    enlarging.join()
    #expect(memory.areaSizes[1] == size + 2048)
  }

  @Test("T-015 putRef without getRef is reported")
  func tooMany() {
    let storage = memory.create(size: 8)
    #expect(findings { memory.putRef(storage) } == [.unbalanced])
  }

  @Test("T-015 a thread that ends, or is bound elsewhere, with a reference is reported")
  func tooFew() {
    let storage = memory.create(size: 8)
    #expect(findings { Thread(name: "leaving") { _ = memory.getRef(storage) }.join() } == [.unbalanced])
    #expect(
      findings {
        onNewThread {
          memory.bindThread(to: 0)
          _ = memory.getRef(storage)
          memory.bindThread(to: 1)
        }
      } == [.unbalanced])
    memory.enlarge()
  }

  @Test("T-015 a traversal whose callback keeps a reference is reported")
  func keptInTraversal() {
    let storage = memory.create(size: 8)
    #expect(
      findings {
        onNewThread {
          memory.forEach(storage) { _, cpu in if cpu == 0 { _ = memory.getRef(storage) } }
          memory.putRef(storage)
        }
      } == [.unbalanced])
  }

  @Test("T-025 a thread that waits for its route's lock has its copy already, and holds up no enlarge")
  func copiedBeforeLocking() {
    let routes = makeRoutes(in: memory)
    var route: CachedRoute?
    func find(_ value: Unmanaged<CachedRoute>, cpu: Int) { if cpu == 0 { route = value.takeUnretainedValue() } }
    routes.forEach(find)
    let taken = Mark()
    let told = Mark()
    let held = route!
    let holding = Thread(name: "holding") {
      held.lock.withLock {
        taken.set()
        while !told.isSet { usleep(200) }
      }
    }
    #expect(eventually { taken.isSet })
    let inside = Mark()
    let waiting = Thread(name: "waiting") {
      memory.bindThread(to: 0)
      routes.withCurrent { value in
        let route = value.takeUnretainedValue()
        inside.set()
        route.lock.withLock { route.uses += 1 }
      }
    }
    #expect(eventually { inside.isSet })
    let size = memory.areaSizes[0]
    memory.enlarge()
    #expect(memory.areaSizes[0] == size + 2048)
    told.set()
    for thread in [holding, waiting] { thread.join() }
    #expect(route!.lock.withLock { route!.uses } == 1)
  }
}
