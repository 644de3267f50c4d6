// Lock: the one lock of the project, over pthread_mutex_t, so that ThreadSanitizer sees it and ranks can be checked.
// Called by every layer; any thread.
import Glibc

/// The order in which locks may be taken: a thread holding one may only take one of a higher rank.
///
/// (NetBSD's "Locking notes" in bpf.c: `bpf_mtx => bd_mtx => bd_buf_mtx`.)
@usableFromInline package enum LockRank: UInt8, Sendable {
  /// The engine's table of interfaces and rings.
  case engine = 0
  /// One descriptor's requests: attaching, programs, direction are serialised.
  case descriptor = 1
  /// One interface: its tap points, what its driver is asked for. May sleep in system calls.
  case interface = 2
  /// A driver's state: socket, ring, control requests.
  case driver = 3
  /// The list of one tap point.
  case peers = 4
  /// Per-CPU memory: offsets, storages.
  case perCPU = 5
  /// Per-CPU memory: the areas of all CPUs stay where they are.
  case traversal = 6
  /// What per-CPU memory points to: a CPU's cached route.
  case route = 7
  /// One descriptor's buffers and counters: the only lock of the packet path.
  case buffer = 8
  /// PF_KEY: associations, policies, who listens.
  case keyDatabase = 9
  /// PF_KEY: one key socket's queue.
  case keySocket = 10
  /// The epoch's list of things that wait to be freed, and its readers.
  case epoch = 11
  /// Below everything: small leaf state.
  case leaf = 12
}

/// A mutual exclusion lock with a rank. Not recursive.
///
/// - Threads: any. While LockDebug is on, taking it twice, unlocking it without holding it, or against its rank is reported.
/// - Cost: that of the pthread mutex, and a test of a global.
@safe @usableFromInline package struct Lock: ~Copyable, @unchecked Sendable {
  @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
  @usableFromInline package let rank: LockRank

  package init(rank: LockRank) {
    self.rank = rank
    // SAFETY: allocated here, destroyed in deinit; its address never changes, as pthread demands.
    unsafe mutex = .allocate(capacity: 1)
    var attributes = pthread_mutexattr_t()
    unsafe pthread_mutexattr_init(&attributes)
    if LockDebug.isOn { unsafe pthread_mutexattr_settype(&attributes, CInt(PTHREAD_MUTEX_ERRORCHECK)) }
    let result = unsafe pthread_mutex_init(mutex, &attributes)
    precondition(result == 0, "pthread_mutex_init failed")
    unsafe pthread_mutexattr_destroy(&attributes)
    if LockDebug.isOn { unsafe LockDebug.initialized(mutex, rank: rank) }
  }

  deinit {
    if LockDebug.isOn { unsafe LockDebug.destroyed(mutex) }
    // SAFETY: nobody can hold a lock whose owner is gone.
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Inlined: a test of a global and one call.
  @inlinable @inline(__always) package borrowing func lock() {
    unsafe Step.lock(mutex, rank)
    if LockDebug.isOn { return lockChecked() }
    if unsafe pthread_mutex_trylock(mutex) != 0 { waitForHolder() }
  }

  @inline(never) @usableFromInline borrowing func lockChecked() {
    unsafe LockDebug.wants(mutex, rank: rank)
    if unsafe pthread_mutex_trylock(mutex) != 0 { waitForHolder() }
    unsafe LockDebug.acquired(mutex, rank: rank)
  }

  /// Blocks. A thread that waits for a lock is off its CPU, so its per-CPU areas may be swapped meanwhile.
  @inline(never) @usableFromInline borrowing func waitForHolder() {
    PerCPUMemory.willSleep()
    unsafe pthread_mutex_lock(mutex)
  }

  @inlinable @inline(__always) package borrowing func unlock() {
    unsafe Step.unlock(mutex)
    if LockDebug.isOn { unsafe LockDebug.releasing(mutex) }
    unsafe pthread_mutex_unlock(mutex)
  }

  @inlinable @inline(__always) package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body()
  }

  /// Reports, while LockDebug is on, unless this thread holds the lock.
  package borrowing func assertHeld() {
    if LockDebug.isOn { unsafe LockDebug.assertHeld(mutex) }
  }

  /// Waits for `condition` with this lock, which the caller holds. (`cv_wait`)
  /// - Parameter deadline: CLOCK_MONOTONIC nanoseconds; nil waits for ever.
  /// - Returns: false when the deadline passed.
  package borrowing func wait(_ condition: borrowing Condition, until deadline: Int64? = nil) -> Bool {
    if LockDebug.isOn { unsafe LockDebug.releasing(mutex) }
    LockDebug.sleeping("cv_wait")
    PerCPUMemory.willSleep()
    defer { if LockDebug.isOn { unsafe LockDebug.acquired(mutex, rank: rank) } }
    // SAFETY: both objects are alive while their owners are borrowed.
    return unsafe condition.wait(mutex, until: deadline)
  }
}

/// A condition variable on the monotonic clock. (`kcondvar_t`)
@safe package struct Condition: ~Copyable, @unchecked Sendable {
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init() {
    // SAFETY: allocated here, destroyed in deinit; its address never changes.
    unsafe condition = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    let result = unsafe pthread_cond_init(condition, &attributes)
    precondition(result == 0, "pthread_cond_init failed")
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    // SAFETY: nobody can wait on a condition whose owner is gone.
    unsafe pthread_cond_destroy(condition)
    unsafe condition.deallocate()
  }

  package borrowing func broadcast() {
    unsafe Step.broadcast(condition)
    unsafe pthread_cond_broadcast(condition)
  }

  fileprivate borrowing func wait(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, until deadline: Int64?) -> Bool {
    #if SWBPF_EXPLORE
      if unsafe Step.wait(
        condition, mutex, unlock: { unsafe pthread_mutex_unlock(mutex) }, lock: { unsafe pthread_mutex_lock(mutex) })
      {
        return true
      }
    #endif
    guard let deadline else {
      unsafe pthread_cond_wait(condition, mutex)
      return true
    }
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    return unsafe pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
  }
}
