import Testing

@testable import SwBPFBPF

@Suite("Memory of slots")
struct SlotMemoryTests {
  @Test("what one descriptor gave back serves the next one of the same size")
  func reuse() throws {
    let memory = SlotMemory()
    let first = try memory.take(65536, ready: 65536)
    memory.giveBack(first, 65536)
    #expect(memory.bytes == 65536)
    let other = try memory.take(32768, ready: 0)
    #expect(other != first && memory.bytes == 65536)
    #expect(try memory.take(65536, ready: 0) == first)
    #expect(memory.bytes == 0)
    memory.giveBack(first, 65536)
    memory.giveBack(other, 32768)
  }

  @Test("no more is kept than 4 MiB, and nothing above 1 MiB")
  func limits() throws {
    let memory = SlotMemory()
    let large = try memory.take(SlotMemory.mostOfOne + 4096, ready: 0)
    memory.giveBack(large, SlotMemory.mostOfOne + 4096)
    #expect(memory.bytes == 0)
    let regions = try (0..<6).map { _ in try memory.take(1 << 20, ready: 0) }
    for region in regions { memory.giveBack(region, 1 << 20) }
    #expect(memory.bytes == SlotMemory.mostBytes)
  }

  @Test("more than there is room for is ENOMEM")
  func none() {
    #expect(throws: BPF.Failure.system(errno: 12, call: "mmap")) { _ = try SlotMemory().take(1 << 60, ready: 0) }
  }
}
