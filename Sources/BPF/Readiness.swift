// Readiness: what poll(2) sees of a descriptor, and whom a signal is sent to. Every access under the buffer lock.
import Glibc
import SwBPFKern

/// The readiness event of a descriptor, and its poll timer. (`bd_sel`, `bd_state`, `bd_callout`)
struct Readiness {
  /// The poll timer's state. (BPF_IDLE, BPF_WAITING, BPF_TIMED_OUT)
  enum Timer {
    case idle
    case waiting
    case timedOut
  }

  /// An eventfd that is readable exactly while the descriptor is ready, or -1 while nobody asked for it.
  var event: CInt = -1
  var isSet = false
  var timer = Timer.idle
  /// When the timer runs out (CLOCK_MONOTONIC, ns).
  var deadline: Int64 = 0
  /// When the timers' thread looks at the deadline next.
  var nextLook: Int64?
  /// The event was handed out: whoever has it may be polling at any time.
  var isPolled = false

  /// How long a batch's first record waits for others, ns; nil: until a buffer is full.
  var batchTimeout: Int64?
  /// The timer runs for a batch: reads and requests do not stop it.
  var isBatch = false
  /// Called after the pass that stored a batch's first record, without a lock.
  var batchBegan: (@Sendable () -> Void)?

  var isTimedOut: Bool { timer == .timedOut }
}

/// Who gets which signal when there is something to read. (`bd_async`, `bd_sigio`, `bd_sig`)
struct SignalRequest: Sendable {
  var isAsync = false
  /// A process, or a process group as a negative number; 0: nobody.
  var owner: pid_t = 0
  /// 0: none.
  var number: CInt = SIGIO

  var isWanted: Bool { isAsync && owner != 0 && number != 0 }

  func raise() {
    if isWanted { kill(owner, number) }
  }
}

extension Slots {
  /// Whether a read would not have to wait. (`bpf_ready`, and `bpfpoll` for what is not attached)
  var isReady: Bool { fullCount > 0 || ((immediate || readiness.isTimedOut) && hasStored) || attachments == 0 }

  /// Makes the event say what is so; what is ready needs no timer.
  mutating func settleReadiness() {
    if readiness.timer == .waiting && isReady { readiness.timer = .idle }
    guard readiness.event >= 0, readiness.isSet != isReady else { return }
    readiness.isSet.toggle()
    Event.make(readiness.event, set: readiness.isSet)
  }

  /// Stops the poll timer, as every read and request does. Returns whether it had run out.
  @discardableResult
  mutating func stopPollTimer() -> Bool {
    if readiness.isBatch && readiness.timer == .waiting && hasStored { return false }
    let was = readiness.isTimedOut
    readiness.timer = .idle
    readiness.isBatch = false
    settleReadiness()
    return was
  }
}
