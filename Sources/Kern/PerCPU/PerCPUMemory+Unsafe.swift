// PerCPUMemory: memory that each virtual CPU has a copy of, addressed by offset. (`percpu(9)`)
// Storages are made and freed on control paths; workers get at theirs by getRef.
internal import CKern
import Glibc
import Synchronization

/// Areas of memory, one for each CPU, and the storages in them.
///
/// A storage is an offset, the same in every area. When the offsets are used up, every CPU gets a larger area: the bytes
/// are copied, the old area is freed at once. So **an address in an area is good only until its holder gives the reference
/// back or sleeps**, nothing that must stay where it is (a lock, a list member) may lie in an area, and what lies there must
/// survive memcpy. ``PerCPU`` is the face that holds to that; this one is what it stands on.
/// - Threads: any, where nothing else is said. Making and freeing sleeps.
@safe @usableFromInline package final class PerCPUMemory: @unchecked Sendable {
  /// The memory of the whole process: a CPU of ours for each of the machine's.
  package static let shared = PerCPUMemory(cpus: max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))))

  /// Offsets are multiples of this; the first one, too, so that no storage has offset 0. Bytes.
  package static let quantum = 16
  /// Areas grow by multiples of this. Bytes.
  package static let importSize = 2048

  /// Runs for one CPU: the storage's bytes (zeroed for a constructor, the last content for a destructor), the CPU.
  package typealias Hook = @Sendable (UnsafeMutableRawPointer, Int) -> Void

  /// One storage. (`percpu_t`)
  @safe package final class Storage: Sendable {
    package let offset: Int
    /// Bytes.
    package let size: Int
    let constructor: Hook?
    let destructor: Hook?

    init(offset: Int, size: Int, constructor: Hook?, destructor: Hook?) {
      self.offset = offset
      self.size = size
      unsafe self.constructor = constructor
      unsafe self.destructor = destructor
    }
  }

  /// What has been done so far.
  package struct Statistics: Sendable {
    /// Areas that took the place of smaller ones.
    package internal(set) var swapped = 0
    /// Areas that came too late: a larger one was there already.
    package internal(set) var discarded = 0
  }

  let lock = Lock(rank: .perCPU)
  let idle = Condition()
  // Under the lock.
  var arena = OffsetArena(quantum: PerCPUMemory.quantum)
  var nextOffset = PerCPUMemory.quantum
  var published: [Storage] = []
  /// The thread that runs constructors, or takes a storage out; others wait.
  var busy: UInt?
  var counts = Statistics()

  /// Held while bytes of other CPUs' areas are looked at, and while an area is exchanged. (percpu_swap_lock)
  let traversal = Lock(rank: .traversal)

  /// Protects the list of CPUs. Threads are bound at any place, so it has no rank.
  let listing = PlainMutex()
  // Under it.
  var all: [UnsafeMutablePointer<VirtualCPU>] = unsafe []
  /// How many of them have what they need: threads may be bound to them.
  var usableCPUs = 0
  var nextBound = 0

  /// Memory with so many CPUs, numbered from 0.
  package init(cpus: Int) {
    precondition(cpus > 0)
    PerCPUMemory.startBarriers
    for index in 0..<cpus { addCPU(index) }
    usableCPUs = cpus
  }

  private static let startBarriers: Void = swkern_barriers_start()

  deinit {
    for index in unsafe all.indices {
      // SAFETY: no thread is bound any more, since a bound thread keeps the memory.
      unsafe VirtualCPU.free(all[index].pointee.area, size: all[index].pointee.size)
      unsafe all[index].deinitialize(count: 1)
      unsafe all[index].deallocate()
    }
  }

  /// The CPUs that are there now.
  var cpus: [UnsafeMutablePointer<VirtualCPU>] { unsafe listing.withLock { unsafe all } }

  package var cpuCount: Int { listing.withLock { usableCPUs } }

  /// The size of each CPU's area, in bytes.
  package var areaSizes: [Int] {
    let cpus = unsafe cpus
    return traversal.withLock { unsafe cpus.map { unsafe $0.pointee.size } }
  }

  package var statistics: Statistics { lock.withLock { counts } }

  private func addCPU(_ index: Int) {
    // SAFETY: freed in deinit.
    let cpu = UnsafeMutablePointer<VirtualCPU>.allocate(capacity: 1)
    unsafe cpu.initialize(to: VirtualCPU(index: index, size: nextOffset))
    listing.withLock { unsafe all.append(cpu) }
  }

  /// Attaches one more CPU: its storages are constructed before this returns. (`percpu_init_cpu`)
  /// - Returns: its number.
  package func attachCPU() -> Int {
    willSleepOnControlPath("attachCPU")
    var number = 0
    whileBusy("attachCPU") {
      let (cpu, storages) = unsafe lock.withLock {
        unsafe addCPU(all.count)
        return unsafe (all[all.count - 1], published)
      }
      for storage in storages { unsafe construct(storage, on: cpu) }
      number = unsafe cpu.pointee.index
      listing.withLock { usableCPUs += 1 }
    }
    return number
  }

  // MARK: Storages

  /// Makes a storage of so many bytes, zeroed, and runs its constructor once for each CPU. (`percpu_create`)
  ///
  /// The constructor fills a buffer, whose bytes are then copied into the area. It may sleep and may make storages without
  /// a constructor.
  package func create(size: Int, constructor: Hook? = nil, destructor: Hook? = nil) -> Storage {
    willSleepOnControlPath("percpu_create")
    let storage = unsafe Storage(
      offset: takeOffset(size), size: size, constructor: constructor, destructor: destructor)
    if unsafe constructor == nil {
      unsafe zero(storage, on: cpus)
      if unsafe destructor != nil { lock.withLock { published.append(storage) } }
      return storage
    }
    whileBusy("percpu_create") {
      let cpus = unsafe cpus
      for index in unsafe cpus.indices { unsafe construct(storage, on: cpus[index]) }
      lock.withLock { published.append(storage) }
    }
    return storage
  }

  /// Frees a storage: runs its destructor once for each CPU on a copy of the last content. (`percpu_free`)
  /// - Parameter size: as it was created.
  /// - Returns: false, and nothing is done, for another size.
  @discardableResult
  package func free(_ storage: Storage, size: Int) -> Bool {
    willSleepOnControlPath("percpu_free")
    guard size == storage.size else {
      LockDebug.report(.wrongSize, 0, "\(size) instead of \(storage.size)")
      return false
    }
    if unsafe storage.constructor != nil || storage.destructor != nil {
      var constructed: [UnsafeMutablePointer<VirtualCPU>] = unsafe []
      whileBusy("percpu_free") {
        lock.withLock { published.removeAll { $0 === storage } }
        unsafe constructed = cpus
      }
      for index in unsafe constructed.indices { unsafe destroy(storage, on: constructed[index]) }
    }
    lock.withLock { arena.release(storage.offset, storage.size) }
    return true
  }

  private func construct(_ storage: Storage, on cpu: UnsafeMutablePointer<VirtualCPU>) {
    guard let constructor = unsafe storage.constructor else { return }
    // SAFETY: the buffer has the storage's size, as has its place in the area.
    let buffer = unsafe VirtualCPU.allocate(storage.size)
    unsafe constructor(buffer, cpu.pointee.index)
    traversing { _ = unsafe memcpy(cpu.pointee.area + storage.offset, buffer, storage.size) }
    unsafe VirtualCPU.free(buffer, size: storage.size)
  }

  private func destroy(_ storage: Storage, on cpu: UnsafeMutablePointer<VirtualCPU>) {
    guard let destructor = unsafe storage.destructor else { return }
    let buffer = unsafe VirtualCPU.allocate(storage.size)
    traversing {
      unsafe memcpy(buffer, cpu.pointee.area + storage.offset, storage.size)
      unsafe memset(cpu.pointee.area + storage.offset, 0, storage.size)
    }
    unsafe destructor(buffer, cpu.pointee.index)
    unsafe VirtualCPU.free(buffer, size: storage.size)
  }

  private func zero(_ storage: Storage, on cpus: [UnsafeMutablePointer<VirtualCPU>]) {
    for index in unsafe cpus.indices {
      traversing { _ = unsafe memset(cpus[index].pointee.area + storage.offset, 0, storage.size) }
    }
  }

  // MARK: Busy

  /// Runs the body while nobody else runs constructors or takes storages out.
  private func whileBusy(_ what: StaticString, _ body: () -> Void) {
    let me = unsafe ThreadRecord.current.pointee.identity
    let isNested = lock.withLock {
      if busy == me { return true }
      while busy != nil { _ = lock.wait(idle) }
      busy = me
      return false
    }
    // NetBSD would wait for itself here, for ever.
    if isNested { LockDebug.report(.nestedConstructor, 0, "\(what)") }
    body()
    if isNested { return }
    lock.withLock {
      busy = nil
      idle.broadcast()
    }
  }
}
