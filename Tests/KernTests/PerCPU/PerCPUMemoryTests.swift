// PerCPUMemory: storages, areas that grow, references.
import SwBPFKern
import TestSupport
import Testing

@Suite("PerCPUMemory", .timeLimit(.minutes(1)))
struct PerCPUMemoryTests {
  @Test("T-001 the offset of a storage is never 0, and no enlarge changes it")
  func offsets() {
    let memory = PerCPUMemory(cpus: 2)
    let storages = (0..<50).map { memory.create(size: 1 + $0) }
    let offsets = storages.map(\.offset)
    #expect(!offsets.contains(0))
    #expect(offsets.allSatisfy { $0 % PerCPUMemory.quantum == 0 })
    #expect(Set(offsets).count == 50)
    for _ in 0..<20 { memory.enlarge() }
    #expect(storages.map(\.offset) == offsets)
  }

  @Test("storages do not overlap")
  func apart() {
    let memory = PerCPUMemory(cpus: 1)
    let ranges = (0..<60).map { memory.create(size: 1 + 17 * $0 % 300) }.map { $0.offset..<$0.offset + $0.size }
      .sorted { $0.lowerBound < $1.lowerBound }
    for (first, second) in zip(ranges, ranges.dropFirst()) { #expect(first.upperBound <= second.lowerBound) }
    #expect(ranges.last!.upperBound <= memory.areaSizes[0])
  }

  @Test("T-002 a new storage is zero on every CPU, also where another one was")
  func zeroed() {
    let memory = PerCPUMemory(cpus: 3)
    let first = memory.create(size: 100)
    fill(memory, first, 1)
    memory.free(first, size: 100)
    let second = memory.create(size: 100)
    #expect(second.offset == first.offset)
    #expect(content(memory, second) == [[UInt8]](repeating: [UInt8](repeating: 0, count: 100), count: 3))
  }

  @Test("T-003 areas are one quantum, and grow on every CPU by multiples of 2048 bytes when offsets are used up")
  func growth() {
    let memory = PerCPUMemory(cpus: 2)
    let quantum = PerCPUMemory.quantum
    #expect(memory.areaSizes == [quantum, quantum])
    _ = memory.create(size: 1)
    #expect(memory.areaSizes == [quantum + 2048, quantum + 2048])
    _ = memory.create(size: 2048 - quantum)
    #expect(memory.areaSizes[0] == quantum + 2048, "it fits exactly")
    _ = memory.create(size: 5000)
    #expect(memory.areaSizes == [quantum + 2048 + 6144, quantum + 2048 + 6144])
    memory.enlarge()
    #expect(memory.areaSizes[1] == quantum + 2048 + 6144 + 2048)
  }

  @Test("offsets that are freed are used again, neighbours joined")
  func reuse() {
    let memory = PerCPUMemory(cpus: 1)
    let storages = (0..<4).map { _ in memory.create(size: 512) }
    for index in [0, 2, 1, 3] { memory.free(storages[index], size: 512) }
    _ = memory.create(size: 2048)
    #expect(memory.areaSizes == [PerCPUMemory.quantum + 2048])
  }

  @Test("T-004 after an enlarge each CPU has the same bytes at another address")
  func moved() {
    let memory = PerCPUMemory(cpus: 3)
    let storage = memory.create(size: 777)
    fill(memory, storage, 5)
    let before = content(memory, storage)
    var addresses: [UnsafeMutableRawPointer] = []
    memory.forEach(storage) { address, _ in addresses.append(address) }
    memory.enlarge()
    #expect(content(memory, storage) == before)
    memory.forEach(storage) { address, cpu in #expect(address != addresses[cpu]) }
  }

  @Test("T-008 an enlarge that comes after a larger one gives its areas up; nothing is lost")
  func late() {
    let memory = PerCPUMemory(cpus: 2)
    let storage = memory.create(size: 300)
    fill(memory, storage, 9)
    let before = (content(memory, storage), memory.statistics)
    memory.enlarge(to: 8192)
    memory.enlarge(to: 4096)
    #expect(memory.areaSizes == [8192, 8192])
    #expect(content(memory, storage) == before.0)
    #expect(memory.statistics.swapped == before.1.swapped + 2)
    #expect(memory.statistics.discarded == before.1.discarded + 2)
  }

  @Test("T-008 two enlarges that race for the same CPUs end with the larger areas and all bytes")
  func racing() {
    for round in 0..<(Requirement.short ? 20 : 100) {
      let memory = PerCPUMemory(cpus: 2)
      let storage = memory.create(size: 1000)
      fill(memory, storage, round)
      let before = content(memory, storage)
      let threads = [4096, 8192, 6144].map { size in Thread(name: "enlarge") { memory.enlarge(to: size) } }
      for thread in threads { thread.join() }
      #expect(memory.areaSizes == [8192, 8192])
      #expect(content(memory, storage) == before)
      let counts = memory.statistics
      #expect(counts.swapped + counts.discarded == 8)
    }
  }

  @Test("T-012 a storage is freed by its size only, and its destructor runs once per CPU on the last content")
  func freed() {
    let memory = PerCPUMemory(cpus: 3)
    let seen = Numbers()
    let storage = memory.create(
      size: 40, destructor: { bytes, cpu in seen.add(cpu * 1000 + Int(bytes.load(as: UInt8.self))) })
    fill(memory, storage, 7)
    var done = true
    #expect(findings { done = memory.free(storage, size: 48) } == [.wrongSize])
    #expect(!done)
    #expect(seen.all.isEmpty)
    #expect(memory.free(storage, size: 40))
    #expect(seen.all.sorted() == [7, 1000 + 38, 2000 + 69])
  }

  @Test("T-012 when the destructor runs, the storage's own bytes are zero")
  func zeroFirst() {
    let memory = PerCPUMemory(cpus: 2)
    let seen = Numbers()
    let holder = Holder()
    let storage = memory.create(
      size: 8,
      destructor: { _, cpu in
        holder.memory!.forEach(holder.storage!) { address, other in
          if other == cpu { seen.add(address.load(as: Int.self)) }
        }
      })
    holder.memory = memory
    holder.storage = storage
    memory.forEach(storage) { address, _ in address.storeBytes(of: 42, as: Int.self) }
    memory.free(storage, size: 8)
    #expect(seen.all == [0, 0])
    holder.memory = nil
  }

  private final class Holder: @unchecked Sendable {
    var memory: PerCPUMemory?
    var storage: PerCPUMemory.Storage?
  }
}
