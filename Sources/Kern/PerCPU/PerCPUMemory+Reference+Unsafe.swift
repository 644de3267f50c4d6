// References: how a thread gets at its own CPU's storage. The packet path's part.
internal import CKern
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
      // SAFETY: this thread's record and its CPU. The generation changes while nobody is announced, or under the mutex.
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
    let thread = unsafe pin()
    // SAFETY: the thread is announced, so the area stays; the offset is inside it.
    let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
    return unsafe Reference(
      address: cpu.pointee.area + storage.offset, slept: thread.pointee.slept, generation: cpu.pointee.generation)
  }

  /// Gives the reference back. (`percpu_putref`)
  package func putRef(_ storage: Storage) { PerCPUMemory.unpin() }

  /// This thread says that it sleeps now: areas may be swapped although it has a reference. What it got by getRef is not
  /// to be used any more, but it is still to be given back.
  package static func willSleep() {
    // SAFETY: this thread's own record.
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.pins > 0 else { return }
    unsafe thread.pointee.slept += 1
    unsafe thread.pointee.announced.store(0, ordering: .releasing)
  }

  /// Announces that this thread uses its CPU's area.
  @inline(__always) func pin() -> UnsafeMutablePointer<ThreadRecord> { unsafe PerCPUMemory.pin(identity, self) }

  @inline(__always) static func pin(
    _ identity: UnsafeRawPointer, _ memory: @autoclosure () -> PerCPUMemory
  ) -> UnsafeMutablePointer<ThreadRecord> {
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.memory == identity,
      unsafe thread.pointee.pins == 0
    else { return unsafe memory().pinSlowly() }
    // SAFETY: a bound thread's CPU stays; the record is this thread's.
    unsafe thread.pointee.pins = 1
    unsafe thread.pointee.announced.store(1, ordering: .relaxed)
    swkern_light_fence()
    if unsafe thread.pointee.cpu.unsafelyUnwrapped.pointee.swapping.load(ordering: .acquiring) != 0 {
      unsafe waitForSwap(thread)
    }
    return unsafe thread
  }

  /// The first reference of a thread, or one inside another.
  @inline(never) private func pinSlowly() -> UnsafeMutablePointer<ThreadRecord> {
    let thread = unsafe ThreadRecord.current
    if unsafe thread.pointee.memory != identity { bindAnywhere() }
    unsafe thread.pointee.pins += 1
    if unsafe thread.pointee.announced.load(ordering: .relaxed) == 0 {
      unsafe thread.pointee.announced.store(1, ordering: .relaxed)
      swkern_light_fence()
      if unsafe thread.pointee.cpu.unsafelyUnwrapped.pointee.swapping.load(ordering: .acquiring) != 0 {
        unsafe PerCPUMemory.waitForSwap(thread)
      }
    }
    return unsafe thread
  }

  /// Stands aside while this CPU's area is swapped.
  @inline(never) private static func waitForSwap(_ thread: UnsafeMutablePointer<ThreadRecord>) {
    let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
    // Whoever is inside a traversal holds the lock that the swap needs.
    while unsafe cpu.pointee.swapping.load(ordering: .acquiring) != 0 && thread.pointee.traversing == 0 {
      unsafe thread.pointee.announced.store(0, ordering: .releasing)
      PerCPUMemory.rest()
      unsafe thread.pointee.announced.store(1, ordering: .relaxed)
      swkern_light_fence()
    }
  }

  @inline(__always) static func unpin() {
    // SAFETY: this thread's own record.
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.pins == 1 else { return unpinSlowly() }
    unsafe thread.pointee.pins = 0
    unsafe thread.pointee.announced.store(0, ordering: .releasing)
  }

  /// One of several references, or one too many.
  @inline(never) private static func unpinSlowly() {
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.pins > 0 else {
      return LockDebug.report(.unbalanced, 0, "percpu_putref without percpu_getref")
    }
    unsafe thread.pointee.pins -= 1
  }
}
