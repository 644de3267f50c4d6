// References: how a thread gets at its own CPU's storage. The packet path's part.
// Public, because only that is inlined in other modules.
public import CKern
import Synchronization

extension PerCPUMemory {
  /// What getRef returns: the address of a storage on this thread's CPU. Not to be kept.
  @unsafe package struct Reference {
    fileprivate let address: UnsafeMutableRawPointer
    fileprivate let slept: UInt64
    fileprivate let generation: UInt64

    /// The address; while LockDebug is on, a report if the thread has slept and the area was swapped since.
    package var pointer: UnsafeMutableRawPointer {
      if LockDebug.isOn { unsafe check() }
      return unsafe address
    }

    @inline(never) private func check() {
      guard let thread = unsafe ThreadRecord.existing, let cpu = unsafe thread.pointee.cpu else {
        return LockDebug.report(.slotAfterSleep, UInt(bitPattern: unsafe address))
      }
      // SAFETY: this thread's record and its CPU. The generation changes under the mutex.
      if unsafe thread.pointee.slept != slept,
        unsafe cpu.pointee.mutex.withLock({ unsafe cpu.pointee.generation }) != generation
      {
        LockDebug.report(.slotAfterSleep, UInt(bitPattern: unsafe address))
      }
    }
  }

  /// This CPU's bytes of a storage, which stay where they are until ``putRef(_:)``, or until the thread sleeps.
  /// (`percpu_getref`)
  ///
  /// A thread that is bound to no CPU is bound to some.
  @unsafe package func getRef(_ storage: Storage) -> Reference {
    let (address, thread) = unsafe takePerCPUReference(identity, storage.offset)
    return unsafe Reference(
      address: UnsafeMutableRawPointer(mutating: address), slept: thread.pointee.slept,
      generation: thread.pointee.cpu.unsafelyUnwrapped.pointee.generation)
  }

  /// Gives the reference back. (`percpu_putref`)
  package func putRef(_ storage: Storage) {
    guard let thread = unsafe ThreadRecord.existing else { return PerCPUMemory.dropSlowly() }
    unsafe PerCPUMemory.dropReference(thread)
  }

  /// This thread says that it sleeps now: areas may be swapped although it has a reference. What it got by getRef is not
  /// to be used any more, but it is still to be given back.
  package static func willSleep() {
    // SAFETY: this thread's own record.
    guard let thread = unsafe ThreadRecord.existing else { return }
    switch unsafe thread.pointee.use.load(ordering: .relaxed) {
    case ThreadRecord.none: return
    case ThreadRecord.one: unsafe thread.pointee.references = 1
    default: break
    }
    unsafe thread.pointee.slept += 1
    unsafe thread.pointee.use.store(ThreadRecord.slept, ordering: .releasing)
  }

  @inline(never) @usableFromInline static func takeAfterSwap(
    _ thread: UnsafeMutablePointer<ThreadRecord>, _ offset: Int
  ) -> (address: UnsafeRawPointer, thread: UnsafeMutablePointer<ThreadRecord>) {
    unsafe waitForSwap(thread)
    return unsafe (UnsafeRawPointer(thread.pointee.cpu.unsafelyUnwrapped.pointee.area + offset), thread)
  }

  /// The first reference of a thread, or one inside another.
  @inline(never) @usableFromInline static func takeSlowly(
    _ identity: UnsafeRawPointer, _ offset: Int
  ) -> (address: UnsafeRawPointer, thread: UnsafeMutablePointer<ThreadRecord>) {
    let thread = unsafe ThreadRecord.current
    if unsafe thread.pointee.memory != identity {
      // SAFETY: the caller keeps the memory.
      unsafe Unmanaged<PerCPUMemory>.fromOpaque(identity)._withUnsafeGuaranteedRef { $0.bindAnywhere() }
    }
    let before = unsafe thread.pointee.use.load(ordering: .relaxed)
    unsafe thread.pointee.references = thread.pointee.pins + 1
    unsafe thread.pointee.use.store(ThreadRecord.several, ordering: .relaxed)
    let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
    if before & 1 == 0 {
      swkern_light_fence()
      if unsafe cpu.pointee.swapping.load(ordering: .acquiring) != 0 { unsafe waitForSwap(thread) }
    }
    return unsafe (UnsafeRawPointer(cpu.pointee.area + offset), thread)
  }

  /// Stands aside while this CPU's area is swapped.
  @inline(never) private static func waitForSwap(_ thread: UnsafeMutablePointer<ThreadRecord>) {
    let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
    let use = unsafe thread.pointee.use.load(ordering: .relaxed)
    // Whoever is inside a traversal holds the lock that the swap needs.
    while unsafe cpu.pointee.swapping.load(ordering: .acquiring) != 0 && thread.pointee.traversing == 0 {
      unsafe thread.pointee.use.store(ThreadRecord.none, ordering: .releasing)
      PerCPUMemory.rest()
      unsafe thread.pointee.use.store(use, ordering: .relaxed)
      swkern_light_fence()
    }
  }

  /// putRef.
  @inlinable @inline(__always) static func dropReference(_ thread: UnsafeMutablePointer<ThreadRecord>) {
    // SAFETY: this thread's own record.
    if unsafe thread.pointee.use.load(ordering: .relaxed) != ThreadRecord.one { return dropSlowly() }
    unsafe thread.pointee.use.store(0, ordering: .releasing)
  }

  /// One of several references, or one too many.
  @inline(never) @usableFromInline static func dropSlowly() {
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.pins > 0 else {
      return LockDebug.report(.unbalanced, 0, "percpu_putref without percpu_getref")
    }
    unsafe thread.pointee.references -= 1
    if unsafe thread.pointee.references == 0 {
      unsafe thread.pointee.use.store(ThreadRecord.none, ordering: .releasing)
    }
  }
}

/// getRef: the address on this thread's CPU, and the thread's record, so that putRef need not look for it.
/// A function of no type, since a static method has an argument more.
/// - Parameter identity: the memory, which the caller keeps.
@inlinable @inline(__always) func takePerCPUReference(
  _ identity: UnsafeRawPointer, _ offset: Int
) -> (address: UnsafeRawPointer, thread: UnsafeMutablePointer<ThreadRecord>) {
  guard let thread = unsafe ThreadRecord.existing,
    unsafe UInt(bitPattern: thread.pointee.memory) == UInt(bitPattern: identity),
    unsafe thread.pointee.use.load(ordering: .relaxed) == ThreadRecord.none
  else { return unsafe PerCPUMemory.takeSlowly(identity, offset) }
  // SAFETY: a bound thread's CPU stays; the record is this thread's. The area stays while `use` is odd.
  unsafe thread.pointee.use.store(ThreadRecord.one, ordering: .relaxed)
  swkern_light_fence()
  let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
  if unsafe cpu.pointee.swapping.load(ordering: .acquiring) != 0 {
    return unsafe PerCPUMemory.takeAfterSwap(thread, offset)
  }
  return unsafe (UnsafeRawPointer(thread.pointee.area.unsafelyUnwrapped + offset), thread)
}
