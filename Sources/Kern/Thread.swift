// Thread: a pthread that runs one Swift function and can be joined.
import Glibc

/// A thread of the project. Signals stay with the main thread: every signal is blocked here but those of a fault, which the
/// process's handlers are to see whichever thread crashes.
@safe package final class Thread: @unchecked Sendable {
  private let handle: pthread_t
  private let joined = Lock(rank: .leaf)
  private var isJoined = false

  /// The system has no thread left, or no memory for its stack.
  package struct Shortage: Error {
    /// EAGAIN, as a rule.
    package let errno: CInt
  }

  /// Starts a thread. Traps when the system has none left.
  package convenience init(name: String, _ body: @escaping @Sendable () -> Void) {
    do throws(Shortage) { try self.init(starting: name, body) } catch {
      preconditionFailure("pthread_create failed: \(error.errno)")
    }
  }

  /// Starts a thread. (`kthread_create`)
  package init(starting name: String, _ body: @escaping @Sendable () -> Void) throws(Shortage) {
    // SAFETY: the box is retained here and released by the thread that takes it, exactly once.
    let box = unsafe Unmanaged.passRetained(Box(name: name, body: body)).toOpaque()
    var all = sigset_t()
    var old = sigset_t()
    unsafe sigfillset(&all)
    for fault in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT] { unsafe sigdelset(&all, fault) }
    unsafe pthread_sigmask(SIG_SETMASK, &all, &old)
    var thread = pthread_t()
    let result = unsafe pthread_create(
      &thread, nil,
      { argument in
        let box = unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
        Thread.nameCurrent(box.name)
        box.body()
        return nil
      }, box)
    unsafe pthread_sigmask(SIG_SETMASK, &old, nil)
    if result != 0 {
      // SAFETY: no thread has taken it.
      unsafe Unmanaged<Box>.fromOpaque(box).release()
      throw Shortage(errno: result)
    }
    handle = thread
  }

  /// Waits for the thread's end. Later calls return at once, as does the thread's own.
  package func join() {
    LockDebug.sleeping("join")
    let first = joined.withLock {
      defer { isJoined = true }
      return !isJoined
    }
    if !first { return }
    if pthread_equal(handle, pthread_self()) != 0 {
      pthread_detach(handle)
    } else {
      pthread_join(handle, nil)
    }
  }

  deinit {
    if !isJoined { pthread_detach(handle) }
  }

  /// Names the calling thread, for `top -H` and `perf`.
  private static func nameCurrent(_ name: String) {
    let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    var text = name
    text.withUTF8 { bytes in _ = unsafe write(file, bytes.baseAddress, bytes.count) }
    close(file)
  }

  private final class Box {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = String(name.prefix(15))
      self.body = body
    }
  }
}
