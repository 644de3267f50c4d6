// ThreadRecord: what Kern knows of a thread: its virtual CPU, and, while LockDebug is on, what it holds.
// Public, because only that is inlined in other modules.
public import CKern
import Glibc
import Synchronization

/// One thread's record. Made when a thread first needs one, freed when it ends.
///
/// - Threads: only its own, but for ``use``.
@safe @usableFromInline struct ThreadRecord: ~Copyable {
  struct Held {
    let address: UInt
    let rank: LockRank
  }

  private static let lastIdentity = Atomic<UInt>(0)
  /// What other threads know this one by: never used again.
  let identity = lastIdentity.wrappingAdd(1, ordering: .relaxed).newValue
  // What the thread has of its CPU's area: the values of `use`.
  @inlinable static var none: UInt32 { 0 }
  /// One reference. Odd values: nobody swaps the area meanwhile.
  @inlinable static var one: UInt32 { 1 }
  /// References, counted in `references`, of a thread that has slept.
  static var slept: UInt32 { 2 }
  /// References, counted in `references`.
  static var several: UInt32 { 3 }

  /// Others look whether it is odd.
  @usableFromInline let use = Atomic<UInt32>(0)
  /// References that were taken and not given back, of whichever storage; while `use` is slept or several.
  var references = 0
  /// Whose CPU the thread is bound to; compared, never followed.
  @usableFromInline var memory: UnsafeRawPointer?
  @usableFromInline var cpu: UnsafeMutablePointer<VirtualCPU>?
  /// The CPU's area, so that it need not be looked for there. Written by whoever swaps it, too, while `use` is even.
  @usableFromInline var area: UnsafeMutableRawPointer?
  /// Keeps the memory while the thread is bound.
  var keeper: PerCPUMemory?
  /// How often the thread slept with a reference.
  var slept: UInt64 = 0
  /// Traversals (percpu_foreach) that the thread is in.
  var traversing = 0

  /// How many references the thread has.
  var pins: Int {
    switch use.load(ordering: .relaxed) {
    case ThreadRecord.none: 0
    case ThreadRecord.one: 1
    default: references
    }
  }

  // Only while LockDebug is on.
  var held: [Held] = []
  var epochDepth = 0

  /// This thread's record, if it has one. One load.
  @inlinable @inline(__always) static var existing: UnsafeMutablePointer<ThreadRecord>? {
    // SAFETY: set below, to a record of this type.
    unsafe swkern_thread()?.assumingMemoryBound(to: ThreadRecord.self)
  }

  /// This thread's record.
  @inline(__always) static var current: UnsafeMutablePointer<ThreadRecord> {
    if let record = unsafe existing { return unsafe record }
    return unsafe make()
  }

  @inline(never) private static func make() -> UnsafeMutablePointer<ThreadRecord> {
    // SAFETY: aligned to two cache lines, so that no thread's announcement shares a line with another's.
    let size = (MemoryLayout<ThreadRecord>.stride + 127) & ~127
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 128)
    let record = unsafe memory.bindMemory(to: ThreadRecord.self, capacity: 1)
    unsafe record.initialize(to: ThreadRecord())
    unsafe swkern_thread_set(record) { memory in
      // SAFETY: the record made above; the thread is at its end and nobody else keeps it once it is unbound.
      guard let memory = unsafe memory else { return }
      let record = unsafe memory.assumingMemoryBound(to: ThreadRecord.self)
      if LockDebug.isOn { unsafe LockDebug.exiting(record) }
      unsafe PerCPUMemory.unbind(record)
      unsafe record.deinitialize(count: 1)
      unsafe memory.deallocate()
    }
    return unsafe record
  }
}
