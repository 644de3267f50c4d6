// The old shapes, which per-CPU memory must not hold: a lock by value, a route by value. Each must be found out.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@Suite("Old shapes in per-CPU memory", .timeLimit(.minutes(1)))
struct EmbeddedTests {
  /// The old record: a route, and behind it its lock, both by value.
  private struct OldRecord {
    static let routeSize = 64
    static let size = routeSize + EmbeddedLock.size
    let address: UnsafeMutableRawPointer
    var lock: EmbeddedLock { EmbeddedLock(at: address + OldRecord.routeSize) }
  }

  @Test("T-021 a lock inside per-CPU memory gives, on demand, each of the four reports once the areas have grown")
  func fourReports() {
    let memory = PerCPUMemory(cpus: 2)
    let storage = memory.create(size: OldRecord.size)
    var old: [UnsafeMutableRawPointer] = []
    memory.forEach(storage) { address, _ in
      OldRecord(address: address).lock.initialize()
      old.append(OldRecord(address: address).lock.address)
    }
    memory.bindThread(to: 0)

    let freed = reports { memory.enlarge() }
    #expect(freed.map(\.kind) == [.freedWithLock], "the old area goes with its lock")
    #expect(freed.first.map { report in old.contains { UInt(bitPattern: $0) == report.address } } == true)

    let taken = findings {
      let lock = OldRecord(address: memory.getRef(storage).pointer).lock
      lock.lock()
      lock.unlock()
      memory.putRef(storage)
    }
    #expect(taken == [.uninitialized], "nobody knows the lock at its new address")

    // Somebody else's lock, which is all right, at an address that has become free.
    #expect(findings { LockDebug.initialized(old[0], rank: .leaf) } == [.alreadyInitialized], "a false detection")

    let destroyed = findings {
      memory.forEach(storage) { address, _ in OldRecord(address: address).lock.destroy() }
    }
    #expect(destroyed == [.uninitialized])
    for address in old { LockDebug.destroyed(address) }
    PerCPUMemory.unbindThread()
  }

  @Test("a route inside per-CPU memory: its address is reported when its user has slept meanwhile")
  func routeByValue() {
    let memory = PerCPUMemory(cpus: 1)
    let storage = memory.create(size: OldRecord.routeSize)
    let found = findings {
      let record = memory.getRef(storage)
      _ = record.pointer
      // The old way: the lookup sleeps, and comes back to its record.
      PerCPUMemory.willSleep()
      onNewThread { memory.enlarge() }
      _ = record.pointer
      memory.putRef(storage)
    }
    #expect(found == [.slotAfterSleep])
    PerCPUMemory.unbindThread()
  }

  @Test(
    "T-024 T-025 pointers: 1000 enlarges while threads use routes, with no report and no loss", .timeLimit(.minutes(5)))
  func pointers() {
    let memory = PerCPUMemory(cpus: 2)
    let stop = Mark()
    var total = 0
    let before = LockDebug.lockCount
    func takeLock(_ route: Unmanaged<CachedRoute>, cpu: Int) { route.takeUnretainedValue().lock.withLock {} }
    func addUses(_ route: Unmanaged<CachedRoute>, cpu: Int) { total += route.takeUnretainedValue().uses }
    let found = findings {
      let routes = makeRoutes(in: memory)
      let users = (0..<4).map { number in
        let count = Count()
        return (
          count,
          Thread(name: "user") {
            memory.bindThread(to: number % 2)
            while !stop.isSet {
              routes.withCurrent { route in
                // Pointers were copied before the lock is taken; the reference is given back after it is.
                let route = route.takeUnretainedValue()
                route.lock.withLock { route.uses += 1 }
              }
              count.value += 1
              if count.value % 64 == 0 { usleep(200) }
            }
          }
        )
      }
      let maker = Thread(name: "maker") {
        while !stop.isSet {
          let storage = memory.create(
            size: 200, constructor: { buffer, cpu in buffer.storeBytes(of: cpu, as: Int.self) })
          memory.free(storage, size: 200)
          usleep(500)
        }
      }
      for _ in 0..<1000 {
        memory.enlarge()
        routes.forEach(takeLock)
      }
      stop.set()
      for (_, thread) in users { thread.join() }
      maker.join()
      routes.forEach(addUses)
      #expect(total == users.reduce(0) { $0 + $1.0.value })
    }
    #expect(found == [])
    #expect(total > 0)
    #expect(memory.areaSizes.allSatisfy { $0 >= 1000 * PerCPUMemory.importSize })
    // The memory has two locks of its own.
    #expect(LockDebug.lockCount == before, "every lock of a route is gone")
  }

  private final class Count: @unchecked Sendable { var value = 0 }
}
