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
    /// The control socket has requests.
    case asked
    /// There is input at the terminal.
    case typed
    /// The terminal's stop key.
    case stop
    /// The process goes on after a stop.
    case resumed
    /// The work is done.
    case done
  }

  private let signals: CInt
  private let finished: CInt
  /// An eventfd that asks for ``Wish/asked``.
  let asked: CInt

  /// Call it before any other thread is started.
  /// - Parameter handlesStops: the stop key becomes a wish.
  init(handlesStops: Bool = false) throws(CommandError) {
    var list = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2]
    if handlesStops && swpcap_signal_ignored(SIGTSTP) == 0 { list += [SIGTSTP, SIGCONT] }
    if swpcap_signal_ignored(SIGHUP) == 0 { list.append(SIGHUP) }
    swpcap_signal_ignore(SIGPIPE)
    signals = unsafe swpcap_signal_open(&list, Int32(list.count))
    finished = swpcap_event_open()
    asked = swpcap_event_open()
    guard signals >= 0, finished >= 0, asked >= 0 else {
      throw CommandError("signalfd: \(Messages.text(of: -signals))")
    }
  }

  deinit {
    close(signals)
    close(finished)
    close(asked)
  }

  /// From the working thread, at its end.
  func finish() { swpcap_event_signal(finished) }

  /// Takes a finish() back.
  func clear() { swpcap_event_clear(finished) }

  /// Waits for the next wish; nil after the time-out (ms, -1 for ever).
  /// - Parameter input: a descriptor whose input is a wish; -1 for none.
  func next(timeout: Int32 = -1, input: CInt = -1) -> Wish? {
    while true {
      var set = [signals, finished, asked, input].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      let count = unsafe poll(&set, nfds_t(set.count), timeout)
      if count == 0 { return nil }
      guard count > 0 else { continue }
      if set[1].revents != 0 { return .done }
      if set[0].revents == 0 {
        guard set[2].revents != 0 else { return .typed }
        swpcap_event_clear(asked)
        return .asked
      }
      switch swpcap_signal_wait(signals, 0) {
      case SIGINT, SIGTERM, SIGHUP: return .end
      case SIGUSR1: return .statistics
      case SIGUSR2: return .flush
      case SIGTSTP: return .stop
      case SIGCONT: return .resumed
      default: continue
      }
    }
  }
}
