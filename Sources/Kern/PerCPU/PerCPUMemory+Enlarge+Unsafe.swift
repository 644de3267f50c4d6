// How offsets are taken and areas grow.
import Glibc

extension PerCPUMemory {
  /// An offset with so many free bytes, after larger areas have been made if need be. (`percpu_backend_alloc`)
  func takeOffset(_ size: Int) -> Int {
    while true {
      let (offset, areaSize) = lock.withLock {
        if let offset = arena.take(size) { return (offset, 0) }
        return (0, importOffsets(size))
      }
      if offset != 0 { return offset }
      enlarge(to: areaSize)
    }
  }

  /// Adds offsets to the arena. Returns how large the areas must be before one of them is used.
  private func importOffsets(_ size: Int) -> Int {
    lock.assertHeld()
    let rounded = (size + PerCPUMemory.importSize - 1) / PerCPUMemory.importSize * PerCPUMemory.importSize
    arena.add(nextOffset..<nextOffset + rounded)
    nextOffset += rounded
    return nextOffset
  }

  /// Makes every area larger by one import although nobody needs it. For tests of those who keep things in areas.
  package func enlarge() {
    willSleepOnControlPath("enlarge")
    enlarge(to: lock.withLock { importOffsets(1) })
  }

  /// Gives each CPU an area of so many bytes, unless it has as large a one. (`percpu_cpu_enlarge`)
  ///
  /// Old areas are freed one by one, each as soon as its CPU has the new one.
  package func enlarge(to size: Int) {
    let cpus = unsafe cpus
    for index in unsafe cpus.indices {
      let cpu = unsafe cpus[index]
      let new = unsafe VirtualCPU.allocate(size)
      unsafe cpu.exclude()
      let (unused, unusedSize) = unsafe traversing { unsafe swap(cpu, new, size) }
      unsafe cpu.release()
      let discarded = unsafe unused == new
      unsafe VirtualCPU.free(unused, size: unusedSize)
      lock.withLock {
        if discarded { counts.discarded += 1 } else { counts.swapped += 1 }
      }
    }
  }

  /// Returns the area that is not needed: the old one, or the new one when somebody was faster. (`percpu_cpu_swap`)
  private func swap(
    _ cpu: UnsafeMutablePointer<VirtualCPU>, _ new: UnsafeMutableRawPointer, _ size: Int
  ) -> (UnsafeMutableRawPointer, Int) {
    // SAFETY: the CPU is excluded and the traversal lock is held: nobody else touches area and size.
    let (old, oldSize) = unsafe (cpu.pointee.area, cpu.pointee.size)
    guard oldSize < size else { return unsafe (new, size) }
    unsafe memcpy(new, old, oldSize)
    unsafe cpu.pointee.size = size
    let generation = unsafe cpu.pointee.generation + 1
    unsafe cpu.pointee.mutex.withLock {
      // Assigned, not changed in place: ThreadSanitizer takes that for a change of the whole struct.
      unsafe cpu.pointee.generation = generation
      unsafe cpu.pointee.area = new
      let threads = unsafe cpu.pointee.threads
      for index in unsafe threads.indices { unsafe threads[index].pointee.area = new }
    }
    return unsafe (old, oldSize)
  }
}
