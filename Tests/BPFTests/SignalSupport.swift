// Signals for tests: counted, sent to a thread, sent to a child.
import Glibc
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// Counts a real-time signal, of which none is merged with another, sent to this process.
struct SignalCounter {
  let number: CInt
  private let start: Int

  private static let counts = Atomic<Int>(0)
  /// A thread that takes what is sent to the process; it sleeps until the end.
  private static let taker = startThread {
    takeSignals()
    while true { Glibc.pause() }
  }

  init(_ number: CInt = __libc_current_sigrtmin() + 7) throws {
    self.number = number
    _ = SignalCounter.taker
    start = SignalCounter.counts.load(ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in SignalCounter.counts.wrappingAdd(1, ordering: .relaxed) }
    // Other threads of the tests may get it: their calls go on.
    action.sa_flags = SA_RESTART
    guard sigaction(number, &action, nil) == 0 else { throw BPF.Failure.system(errno: errno, call: "sigaction") }
  }

  /// Signals that came since this counter was made.
  var count: Int { SignalCounter.counts.load(ordering: .relaxed) - start }

  /// Whether so many came and no more.
  func settles(at expected: Int) -> Bool {
    guard eventually({ count >= expected }) else { return false }
    pause(0.03)
    return count == expected
  }
}

/// A child in a process group of its own that sleeps until a signal ends it.
struct Sleeper {
  let pid: pid_t

  init() throws {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    defer { posix_spawnattr_destroy(&attributes) }
    var pid = pid_t()
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    defer { for argument in arguments { free(argument) } }
    let result = posix_spawnp(&pid, "sleep", nil, &attributes, arguments, nil)
    guard result == 0 else { throw BPF.Failure.system(errno: result, call: "posix_spawnp") }
    self.pid = pid
  }

  /// The signal that ended it; nil when none did within 10 s. Then it is killed.
  func endedBy() -> CInt? {
    var status: CInt = 0
    if eventually(within: 10, { waitpid(pid, &status, WNOHANG) == pid }) { return status & 0x7f }
    kill(pid, SIGKILL)
    waitpid(pid, &status, 0)
    return nil
  }
}
