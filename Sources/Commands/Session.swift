// A session: one thread does the work, the main thread waits for signals and for its end.
internal import CPcapShim
import Glibc
import SwBPFKern

/// Signals of a capture, read by the main thread; every other thread has them blocked.
final class Session: Sendable {
  enum Wish {
    case end
    case statistics
    case flush
    /// The work is done.
    case done
  }

  private let signals: CInt
  private let finished: CInt

  /// Call it before any other thread is started.
  init() throws(CommandError) {
    var list = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2]
    if swpcap_signal_ignored(SIGHUP) == 0 { list.append(SIGHUP) }
    swpcap_signal_ignore(SIGPIPE)
    signals = unsafe swpcap_signal_open(&list, Int32(list.count))
    finished = swpcap_event_open()
    guard signals >= 0, finished >= 0 else { throw CommandError("signalfd: \(Messages.text(of: -signals))") }
  }

  deinit {
    close(signals)
    close(finished)
  }

  /// From the working thread, at its end.
  func finish() { swpcap_event_signal(finished) }

  /// Takes a finish() back.
  func clear() { swpcap_event_clear(finished) }

  /// Waits for the next wish; nil after the time-out (ms, -1 for ever).
  func next(timeout: Int32 = -1) -> Wish? {
    while true {
      let ready = swpcap_wait(signals, finished, timeout)
      if ready & SWPCAP_READY_WAKE != 0 { return .done }
      if ready == 0 && timeout >= 0 { return nil }
      switch swpcap_signal_wait(signals, 0) {
      case SIGINT, SIGTERM, SIGHUP: return .end
      case SIGUSR1: return .statistics
      case SIGUSR2: return .flush
      default: continue
      }
    }
  }
}
