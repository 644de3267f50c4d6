// Per-CPU memory: the current slot should cost at most a third of a mutex pair.
import SwBPFKern

enum PerCPURows {
  /// What a slot points to.
  final class Object {
    let lock = Lock(rank: .route)
    var uses = 0
  }

  static func run(rounds: Int) {
    let memory = PerCPUMemory(cpus: 2)
    memory.bindThread(to: 0)
    let objects = PerCPU<UnsafeMutablePointer<Int>>(
      in: memory,
      make: { _ in
        let object = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        object.initialize(to: 0)
        return object
      },
      destroy: { object, _ in object.deallocate() })
    let locked = PerCPU<Unmanaged<Object>>(
      in: memory, make: { _ in .passRetained(Object()) }, destroy: { object, _ in object.release() })
    let storage = memory.create(size: 8)
    var result = 0
    Table.show(
      "per-CPU memory (bound thread)", rounds: rounds,
      [
        Yardstick().pair,
        Contestant("current slot (withCurrent)") { times in
          var sum = 0
          for _ in 0..<times { sum &+= objects.withCurrent { Int(bitPattern: $0) } }
          result = sum
        },
        Contestant("getRef, putRef") { times in
          var sum = 0
          for _ in 0..<times {
            sum &+= memory.getRef(storage).pointer.load(as: Int.self)
            memory.putRef(storage)
          }
          result = sum
        },
        Contestant("current slot and its lock") { times in
          for _ in 0..<times {
            locked.withCurrent { object in
              object._withUnsafeGuaranteedRef { object in object.lock.withLock { object.uses &+= 1 } }
            }
          }
        },
      ])
    Table.show(
      "per-CPU memory, control paths", rounds: rounds, times: 200,
      [
        Contestant("create and free a storage") { times in
          for _ in 0..<times { memory.free(memory.create(size: 64), size: 64) }
        },
        Contestant("enlarge, area of 64 KiB, 2 CPUs") { times in
          let small = PerCPUMemory(cpus: 2)
          small.enlarge(to: 65536)
          for step in 1...times { small.enlarge(to: 65536 + 2048 * (step % 8 + 1)) }
        },
      ])
    PerCPUMemory.unbindThread()
    withExtendedLifetime(result) {}
  }
}
