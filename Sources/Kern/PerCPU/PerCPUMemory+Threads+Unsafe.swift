// Which threads are bound to which CPU. A worker binds itself once.
internal import CKern

extension PerCPUMemory {
  /// Binds this thread to a CPU, until it is bound to another, unbound, or ends. A worker does so once.
  package func bindThread(to cpu: Int) {
    let bound = unsafe listing.withLock {
      precondition(cpu >= 0 && cpu < usableCPUs, "no such CPU")
      return unsafe all[cpu]
    }
    let thread = unsafe ThreadRecord.current
    unsafe PerCPUMemory.unbind(thread)
    // SAFETY: the record is in the CPU's list until it is unbound; the keeper keeps the CPU.
    unsafe thread.pointee.keeper = self
    unsafe thread.pointee.cpu = unsafe bound
    unsafe bound.pointee.mutex.withLock {
      unsafe bound.pointee.threads.append(thread)
      unsafe thread.pointee.area = unsafe bound.pointee.area
    }
    unsafe thread.pointee.memory = identity
  }

  /// Undoes the binding of this thread.
  package static func unbindThread() {
    if let thread = unsafe ThreadRecord.existing { unsafe unbind(thread) }
  }

  static func unbind(_ thread: UnsafeMutablePointer<ThreadRecord>) {
    guard let cpu = unsafe thread.pointee.cpu else { return }
    if unsafe thread.pointee.pins != 0 {
      LockDebug.report(.unbalanced, 0, "unbound with a reference")
    }
    unsafe thread.pointee.use.store(ThreadRecord.none, ordering: .releasing)
    unsafe cpu.pointee.mutex.withLock { unsafe cpu.pointee.threads.removeAll { unsafe $0 == thread } }
    unsafe thread.pointee.cpu = nil
    unsafe thread.pointee.area = nil
    unsafe thread.pointee.memory = nil
    unsafe thread.pointee.keeper = nil
  }

  /// The CPU that this thread is bound to; nil when it is bound to none of these.
  package var currentCPU: Int? {
    guard let thread = unsafe ThreadRecord.existing, unsafe thread.pointee.memory == identity else { return nil }
    return unsafe thread.pointee.cpu?.pointee.index
  }

  /// Binds a thread that uses a storage without having been bound: to one CPU after the other.
  @inline(never) func bindAnywhere() {
    bindThread(
      to: listing.withLock {
        nextBound += 1
        return (nextBound - 1) % usableCPUs
      })
  }

  /// What threads know this memory by.
  @inline(__always) var identity: UnsafeRawPointer {
    unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
  }
}
