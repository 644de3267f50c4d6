// Threads for tests: code that changes its namespace, or blocks for long, must not run on Swift's shared thread pool.
import Glibc

/// Runs `body` on a thread of its own and waits for it; values and errors come back.
///
/// Swift Testing finds the running test through the task, which the new thread is not part of: an `#expect` in `body` does
/// count, but as one of the test «unknown». Let `body` return what is to be judged and write `#expect` outside.
package func onNewThread<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
  var result: Result<R, E>?
  let work = {
    do throws(E) { result = .success(try body()) } catch { result = .failure(error) }
  }
  withoutActuallyEscaping(work) { work in
    _ = pthread_join(startThread(work), nil)
  }
  return try result!.get()
}

/// Starts a thread that runs `work`; the caller joins or detaches it.
func startThread(_ work: @escaping () -> Void) -> pthread_t {
  final class Box {
    let work: () -> Void
    init(_ work: @escaping () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(Box(work)).toOpaque()
  let error = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().work()
      return nil
    }, argument)
  precondition(error == 0, "pthread_create: \(errorText(error))")
  return thread
}

/// A lock with a condition, over pthread: ThreadSanitizer understands it.
final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func withLock<R>(_ body: () throws -> R) rethrows -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  func changed() { pthread_cond_broadcast(condition) }

  /// With the lock held: waits until `ready` says so or the seconds are over; what `ready` said last.
  func wait(upTo seconds: Double, until ready: () -> Bool) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let nanoseconds = deadline.tv_nsec + Int(seconds * 1e9)
    deadline.tv_sec += nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    while !ready() {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return ready() }
    }
    return true
  }
}

/// Asks `condition` every few milliseconds until it holds or the seconds are over; what it said last.
package func eventually(within seconds: Double = 5, _ condition: () throws -> Bool) rethrows -> Bool {
  let end = monotonicSeconds() + seconds
  while true {
    if try condition() { return true }
    if monotonicSeconds() >= end { return false }
    pause(0.005)
  }
}

/// Blocks the calling thread.
package func pause(_ seconds: Double) {
  usleep(useconds_t(seconds * 1e6))
}

package func monotonicSeconds() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
