// LockDebug: checks of how locks, epochs, sleeps and per-CPU memory are used. On in debug builds (SWBPF_LOCKDEBUG=0 turns it
// off), elsewhere with SWBPF_LOCKDEBUG=1. Off, each place costs one test of a global.
// Public, because only that is inlined in other modules.
public import CKern
import Glibc
import Synchronization

/// Checks of locks by their address. (`subr_lockdebug`)
///
/// The first finding is reported and the checks are silent from then on, since one mistake has many consequences; what the
/// checks know is kept up to date all the same. By default a report ends the process.
/// - Threads: any.
@usableFromInline package enum LockDebug {
  /// Whether the checks are on in this process. Never changes.
  @inlinable @inline(__always) package static var isOn: Bool { swkern_lockdebug_on() != 0 }

  private static let state = State()

  private final class State: @unchecked Sendable {
    let silent = Atomic<Bool>(false)
    let mutex = PlainMutex()
    var handler: (@Sendable (LockReport) -> Void)?
  }

  /// Takes reports instead of ending the process; nil: end the process again. For tests.
  package static func handle(_ handler: (@Sendable (LockReport) -> Void)?) {
    state.mutex.withLock { state.handler = handler }
  }

  /// Lets the next finding be reported again.
  package static func reset() { state.silent.store(false, ordering: .sequentiallyConsistent) }

  /// Reports, unless something was reported before or the checks are off.
  @inline(never)
  static func report(_ kind: LockReport.Kind, _ address: UInt = 0, _ detail: String = "") {
    guard isOn, !state.silent.exchange(true, ordering: .sequentiallyConsistent) else { return }
    var text = kind.rawValue
    if address != 0 { text += " at 0x" + String(address, radix: 16) }
    if !detail.isEmpty { text += " (\(detail))" }
    let report = LockReport(kind: kind, address: address, text: text)
    guard let handler = state.mutex.withLock({ state.handler }) else {
      fatalError("lockdebug: " + text)
    }
    handler(report)
  }
}
