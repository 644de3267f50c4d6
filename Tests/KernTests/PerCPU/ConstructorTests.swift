// Constructors, traversals, and CPUs that come later.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@Suite("Constructors and traversals of per-CPU memory", .timeLimit(.minutes(1)))
struct ConstructorTests {
  private let memory = PerCPUMemory(cpus: 3)

  @Test("T-009 a constructor runs once for each CPU, on a zeroed buffer that is not the slot itself")
  func once() {
    let seen = Numbers()
    let buffers = Numbers()
    let storage = memory.create(
      size: 24,
      constructor: { buffer, cpu in
        seen.add(cpu)
        buffers.add(Int(bitPattern: buffer))
        for index in 0..<3 where buffer.load(fromByteOffset: 8 * index, as: Int.self) != 0 { seen.add(-1) }
        buffer.storeBytes(of: cpu + 100, toByteOffset: 8, as: Int.self)
      })
    #expect(seen.all.sorted() == [0, 1, 2])
    memory.forEach(storage) { address, cpu in
      #expect(address.load(fromByteOffset: 8, as: Int.self) == cpu + 100)
      #expect(!buffers.all.contains(Int(bitPattern: address)))
    }
  }

  @Test("T-009 a constructor runs outside the lock of traversals")
  func outside() {
    let other = memory.create(size: 8)
    let visits = Numbers()
    let memory = memory
    _ = memory.create(
      size: 8, constructor: { _, _ in onNewThread { memory.forEach(other) { _, cpu in visits.add(cpu) } } })
    #expect(visits.all.count == 9)
  }

  @Test("T-010 a constructor may sleep and may make a storage that has none")
  func mayAllocate() {
    let memory = memory
    let found = findings {
      let storage = memory.create(
        size: 8,
        constructor: { buffer, cpu in
          LockDebug.sleeping("a constructor")
          pause(0.001)
          buffer.storeBytes(of: memory.create(size: 3000).offset, as: Int.self)
        })
      memory.forEach(storage) { address, _ in #expect(address.load(as: Int.self) != 0) }
    }
    #expect(found == [])
  }

  @Test("T-010 a constructor that makes a storage with a constructor is reported")
  func mayNotNest() {
    let memory = memory
    let found = findings {
      _ = memory.create(size: 8, constructor: { _, _ in _ = memory.create(size: 8, constructor: { _, _ in }) })
    }
    #expect(found == [.nestedConstructor])
    #expect(findings { _ = memory.create(size: 8, constructor: { _, _ in }) } == [])
  }

  @Test("T-011 a CPU that is attached later runs each live constructor once, and can be used")
  func attached() {
    let seen = Numbers()
    let storages = (0..<3).map { number in
      memory.create(
        size: 8,
        constructor: { buffer, cpu in
          seen.add(number * 100 + cpu)
          buffer.storeBytes(of: cpu, as: Int.self)
        })
    }
    memory.free(storages[1], size: 8)
    let before = seen.all.count
    #expect(memory.attachCPU() == 3)
    #expect(seen.all.dropFirst(before).sorted() == [3, 203])
    #expect(memory.cpuCount == 4)
    #expect(memory.areaSizes[3] == memory.areaSizes[0])
    onNewThread {
      memory.bindThread(to: 3)
      #expect(memory.getRef(storages[2]).pointer.load(as: Int.self) == 3)
      memory.putRef(storages[2])
    }
  }

  @Test("T-011 CPUs attached while storages are made get each constructor exactly once")
  func attachedMeanwhile() {
    let seen = Numbers()
    let memory = memory
    let making = Thread(name: "making") {
      for number in 0..<50 { _ = memory.create(size: 8, constructor: { _, cpu in seen.add(number * 100 + cpu) }) }
    }
    for _ in 0..<5 { _ = memory.attachCPU() }
    making.join()
    #expect(seen.all.count == 50 * 8)
    #expect(Set(seen.all).count == 50 * 8)
  }

  @Test("T-013 a traversal visits each CPU once, on the thread that asked for it")
  func traversal() {
    let storage = memory.create(size: 8)
    var seen: [Int] = []
    let thread = pthread_self()
    memory.forEach(storage) { _, cpu in
      seen.append(cpu)
      #expect(pthread_equal(pthread_self(), thread) != 0)
    }
    #expect(seen.sorted() == [0, 1, 2])
  }

  @Test("T-013 a callback that sleeps is reported, as is one that makes, frees or enlarges")
  func callbacks() {
    let storage = memory.create(size: 8)
    let other = memory.create(size: 16)
    #expect(findings { memory.forEach(storage) { _, _ in LockDebug.sleeping("poll") } } == [.sleepInTraversal])
    #expect(findings { memory.forEach(storage) { _, _ in _ = memory.create(size: 8) } } == [.allocationInTraversal])
    #expect(
      findings { memory.forEach(storage) { _, cpu in if cpu == 0 { memory.free(other, size: 16) } } }
        == [.allocationInTraversal])
    #expect(findings { memory.forEach(storage) { _, _ in memory.enlarge() } } == [.allocationInTraversal])
  }

  @Test("T-014 foreach on each CPU runs the callback on a thread of that CPU")
  func onEachCPU() {
    let storage = memory.create(size: 8)
    let seen = Numbers()
    let memory = memory
    let thread = pthread_self()
    memory.forEachOnCPU(storage) { address, cpu in
      seen.add(cpu)
      if memory.currentCPU != cpu || pthread_equal(pthread_self(), thread) != 0 { seen.add(-1) }
      address.storeBytes(of: cpu + 1, as: Int.self)
    }
    #expect(seen.all.sorted() == [0, 1, 2])
    memory.forEach(storage) { address, cpu in #expect(address.load(as: Int.self) == cpu + 1) }
  }
}
