// Epoch sections, sleeps, and the end of a thread.

extension LockDebug {
  /// This thread enters an epoch section: it holds no lock, and until it leaves it takes locks of rank buffer only and does
  /// not sleep.
  @inline(never) package static func enteredEpoch() {
    let thread = unsafe ThreadRecord.current
    if let held = unsafe thread.pointee.held.last { report(.heldInEpoch, held.address, "rank \(held.rank), entering") }
    unsafe thread.pointee.epochDepth += 1
  }

  @inline(never) package static func leftEpoch() { unsafe ThreadRecord.current.pointee.epochDepth -= 1 }

  /// This thread is about to do what may sleep: everybody who waits says so here. (`ASSERT_SLEEPABLE`)
  ///
  /// A thread must not sleep inside an epoch section (others wait for it), with a reference to per-CPU memory or inside a
  /// traversal of it, nor with a lock of the packet path.
  /// - Parameter what: the call that sleeps.
  @inline(__always) package static func sleeping(_ what: StaticString) {
    if isOn { checkSleep(what) }
  }

  @inline(never) private static func checkSleep(_ what: StaticString) {
    // SAFETY: this thread's own record.
    guard let thread = unsafe ThreadRecord.existing else { return }
    if unsafe thread.pointee.epochDepth > 0 { report(.sleepInEpoch, 0, "\(what)") }
    if unsafe thread.pointee.traversing > 0 { report(.sleepInTraversal, 0, "\(what)") }
    if unsafe thread.pointee.pins > 0 { report(.sleepWhilePinned, 0, "\(what)") }
    if let held = unsafe thread.pointee.held.first(where: { $0.rank == .buffer }) {
      report(.sleepWithLock, held.address, "\(what)")
    }
  }

  /// A thread has ended with this record. (`lockdebug_barrier`)
  static func exiting(_ thread: UnsafeMutablePointer<ThreadRecord>) {
    if let held = unsafe thread.pointee.held.last { report(.heldOnExit, held.address, "rank \(held.rank)") }
    if unsafe thread.pointee.epochDepth != 0 { report(.epochOnExit) }
    if unsafe thread.pointee.pins != 0 { report(.unbalanced, 0, "a thread ends with a reference") }
  }
}
