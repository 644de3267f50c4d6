// Traversals: one callback for every CPU's bytes of a storage. Control paths.
import Glibc

extension PerCPUMemory {
  /// Runs the callback on this thread for each CPU's bytes of a storage, in no order. (`percpu_foreach`)
  ///
  /// The callback must not sleep and must not make storages. The owners of the bytes may use them at the same time.
  @unsafe package func forEach<Failure: Error>(
    _ storage: Storage, _ body: (UnsafeMutableRawPointer, Int) throws(Failure) -> Void
  ) throws(Failure) {
    let cpus = unsafe cpus
    for index in unsafe cpus.indices {
      // SAFETY: no area is exchanged while the traversal lock is held.
      let cpu = unsafe cpus[index]
      try traversing { () throws(Failure) in
        try unsafe body(cpu.pointee.area + storage.offset, cpu.pointee.index)
      }
    }
  }

  /// Runs the callback for each CPU on a thread that is bound to it, with a reference; returns when all have ended.
  /// (`percpu_foreach_xcall`)
  @unsafe package func forEachOnCPU(
    _ storage: Storage, _ body: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
  ) {
    willSleepOnControlPath("percpu_foreach_xcall")
    let threads = (0..<cpuCount).map { index in
      Thread(name: "swbpf-xcall") {
        self.bindThread(to: index)
        let reference = unsafe self.getRef(storage)
        unsafe body(reference.pointer, index)
        self.putRef(storage)
      }
    }
    for thread in threads { thread.join() }
  }

  /// Whether this thread is inside a traversal.
  var isTraversing: Bool { unsafe ThreadRecord.existing?.pointee.traversing ?? 0 > 0 }

  /// Keeps all areas where they are.
  func traversing<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let thread = unsafe ThreadRecord.current
    // A traversal inside another has been reported, or is a plain look at other bytes.
    if unsafe thread.pointee.traversing > 0 { return try body() }
    let pins = unsafe thread.pointee.pins
    traversal.lock()
    unsafe thread.pointee.traversing += 1
    defer {
      unsafe thread.pointee.traversing -= 1
      traversal.unlock()
      if unsafe thread.pointee.pins != pins { LockDebug.report(.unbalanced, 0, "inside a traversal") }
    }
    return try body()
  }

  /// What makes, frees or enlarges sleeps. A caller's own reference would be waited for.
  func willSleepOnControlPath(_ what: StaticString) {
    if isTraversing { LockDebug.report(.allocationInTraversal, 0, "\(what)") }
    LockDebug.sleeping(what)
    PerCPUMemory.willSleep()
  }

  /// A moment's rest while another thread works.
  static func rest() { usleep(20) }
}
