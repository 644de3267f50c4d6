// VirtualCPU: one CPU of a PerCPUMemory: its area, and the threads that are bound to it.
internal import CKern
import Glibc
import Synchronization

/// A CPU of ours, which any number of threads may be bound to.
///
/// A thread that uses the area announces itself first and then looks whether the area is being swapped; whoever swaps says
/// so first, then waits until no thread uses the area. Announcing is a plain store: the swapping thread's heavy fence orders
/// it for all.
@safe @usableFromInline struct VirtualCPU: ~Copyable {
  // The first field: ThreadSanitizer takes a change in place of any part for one of the first byte, and others read the rest.
  /// Under the mutex.
  var threads: [UnsafeMutablePointer<ThreadRecord>] = unsafe []
  let index: Int
  /// 1 while the area is being swapped.
  @usableFromInline let swapping = Atomic<UInt32>(0)
  @usableFromInline var area: UnsafeMutableRawPointer
  var size: Int
  /// Counts the swaps.
  var generation: UInt64 = 0
  let mutex = PlainMutex()

  init(index: Int, size: Int) {
    self.index = index
    self.size = size
    unsafe area = VirtualCPU.allocate(size)
  }

  /// Zeroed memory for an area.
  static func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    // SAFETY: all bytes are initialized to zero.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: PerCPUMemory.quantum)
    unsafe memset(memory, 0, size)
    return unsafe memory
  }

  /// Gives an area back; no lock may lie in it.
  static func free(_ area: UnsafeMutableRawPointer, size: Int) {
    unsafe LockDebug.freeing(area, count: size)
    unsafe area.deallocate()
  }
}

extension UnsafeMutablePointer<VirtualCPU> {
  /// Keeps threads away from the area and waits for those that use it. Ended by ``release()``.
  func exclude() {
    // SAFETY: a CPU lives as long as its memory, whose owner calls. The same below.
    while !(unsafe pointee.swapping.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent)
      .exchanged)
    {
      usleep(20)
    }
    swkern_heavy_fence()
    var rounds = 0
    while unsafe isInUse {
      // Users are short: at first only the processor is offered.
      if rounds < 32 { sched_yield() } else { usleep(20) }
      rounds += 1
    }
  }

  func release() { unsafe pointee.swapping.store(0, ordering: .releasing) }

  /// Whether a thread that is bound here uses the area.
  private var isInUse: Bool {
    unsafe pointee.mutex.withLock {
      // Acquiring: what a thread did before it gave its reference back has happened.
      unsafe pointee.threads.contains { unsafe $0.pointee.use.load(ordering: .acquiring) & 1 != 0 }
    }
  }
}
