// PerCPU: the face of per-CPU memory that shows values of pointers only.
import SwBPFKern
import Synchronization
import TestSupport
import Testing

/// A cached route with its lock, as per-CPU memory points to it.
final class CachedRoute: @unchecked Sendable {
  static let live = Atomic<Int>(0)
  let cpu: Int
  let lock = Lock(rank: .route)
  var uses = 0
  init(cpu: Int) {
    self.cpu = cpu
    CachedRoute.live.wrappingAdd(1, ordering: .relaxed)
  }
  deinit { CachedRoute.live.wrappingSubtract(1, ordering: .relaxed) }
}

func makeRoutes(in memory: PerCPUMemory) -> PerCPU<Unmanaged<CachedRoute>> {
  PerCPU(in: memory, make: { .passRetained(CachedRoute(cpu: $0)) }, destroy: { route, _ in route.release() })
}

@Suite("PerCPU", .timeLimit(.minutes(1)))
struct PerCPUTests {
  @Test("a thread sees the value of the CPU that it is bound to")
  func current() {
    let memory = PerCPUMemory(cpus: 3)
    let routes = makeRoutes(in: memory)
    for cpu in 0..<3 {
      onNewThread {
        memory.bindThread(to: cpu)
        #expect(memory.currentCPU == cpu)
        #expect(routes.withCurrent { $0.takeUnretainedValue().cpu } == cpu)
      }
    }
  }

  @Test("a thread that was not bound is bound at its first use, to one CPU after the other")
  func unbound() {
    let memory = PerCPUMemory(cpus: 2)
    let routes = makeRoutes(in: memory)
    let seen = (0..<4).map { _ in onNewThread { routes.withCurrent { $0.takeUnretainedValue().cpu } } }
    #expect(seen == [0, 1, 0, 1])
  }

  @Test("a peek is for a thread that is bound and has no reference; withCurrent serves all others")
  func peek() {
    let memory = PerCPUMemory(cpus: 2)
    let routes = makeRoutes(in: memory)
    func peeked() -> Int? { routes.peekCurrent { $0.takeUnretainedValue().cpu } }
    onNewThread {
      #expect(peeked() == nil)
      memory.bindThread(to: 1)
      #expect(peeked() == 1)
      #expect(routes.withCurrent { _ in peeked() } == nil)
      // The reference is given back, whatever the body says.
      #expect(routes.peekCurrent { _ in Int?.none } == nil)
      #expect(peeked() == 1)
      memory.enlarge()
      #expect(peeked() == 1)
      // Of another memory's CPU.
      let other = PerCPUMemory(cpus: 1)
      other.bindThread(to: 0)
      #expect(peeked() == nil)
      PerCPUMemory.unbindThread()
    }
  }

  @Test("T-006 areas are enlarged under threads that peek: what they see is always their CPU's")
  func peekUnderEnlarges() {
    let memory = PerCPUMemory(cpus: 2)
    let routes = makeRoutes(in: memory)
    let ends = Atomic<Bool>(false)
    let seen = Atomic<Int>(0)
    let wrong = Atomic<Int>(0)
    let workers = (0..<3).map { number in
      Thread(name: "worker") {
        memory.bindThread(to: number % 2)
        while !ends.load(ordering: .relaxed) {
          for _ in 0..<64 {
            guard let cpu = routes.peekCurrent({ $0.takeUnretainedValue().cpu }) else { continue }
            seen.wrappingAdd(1, ordering: .relaxed)
            if cpu != number % 2 { wrong.wrappingAdd(1, ordering: .relaxed) }
          }
          pause(0.0002)
        }
      }
    }
    for _ in 0..<1000 { memory.enlarge() }
    ends.store(true, ordering: .relaxed)
    for worker in workers { worker.join() }
    #expect(seen.load(ordering: .relaxed) > 0)
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test("T-024 the object that a slot points to stays where it is over an enlarge")
  func stable() {
    let memory = PerCPUMemory(cpus: 2)
    let routes = makeRoutes(in: memory)
    memory.bindThread(to: 1)
    let before = routes.withCurrent { $0.toOpaque() }
    let swapped = memory.statistics.swapped
    memory.enlarge()
    #expect(routes.withCurrent { $0.toOpaque() } == before)
    #expect(memory.statistics.swapped == swapped + 2)
    PerCPUMemory.unbindThread()
  }

  @Test("each value is destroyed once when the object goes")
  func destroyed() {
    let before = CachedRoute.live.load(ordering: .relaxed)
    do {
      let routes = makeRoutes(in: PerCPUMemory(cpus: 4))
      #expect(CachedRoute.live.load(ordering: .relaxed) == before + 4)
      routes.memory.enlarge()
    }
    #expect(CachedRoute.live.load(ordering: .relaxed) == before)
  }
}
