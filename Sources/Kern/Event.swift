// Event: an eventfd, what readiness looks like to poll(2); and caller memory that may not be there.
internal import CKern

/// Eventfds: descriptors that are readable while an event is set. (`selinfo`, seen from poll)
/// - Threads: any.
package enum Event {
  /// What a wait ended by.
  package enum Outcome: Sendable {
    case set
    case timedOut
    /// A signal handler ran. (EINTR)
    case interrupted
  }

  /// Opens an event that is not set; a negative errno when the process has no descriptor left. Its owner closes it.
  package static func open() -> CInt { swkern_event_open() }

  /// Sets an event or clears it.
  package static func make(_ event: CInt, set: Bool) {
    Step.point(.tellsEvent, event)
    if set { swkern_event_set(event) } else { swkern_event_clear(event) }
  }

  /// Sleeps until a descriptor is readable.
  /// - Parameter timeout: ns; nil waits for ever.
  package static func wait(for descriptor: CInt, timeout: Int64?) -> Outcome {
    LockDebug.sleeping("poll")
    if Step.awaitEvent(descriptor) { return .set }
    switch swkern_wait_readable(descriptor, timeout.map { max(0, $0) } ?? -1) {
    case 1...: return .set
    case 0: return .timedOut
    default: return .interrupted
    }
  }
}

/// Memory of a C caller, read and written without trusting the address.
package enum CallerMemory {
  /// Bytes at an address; nil when they cannot be read. (EFAULT)
  package static func read(_ address: UInt64, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the kernel writes at most `count` bytes into the array.
    let result = unsafe bytes.withUnsafeMutableBytes { unsafe swkern_copy_in($0.baseAddress, address, count) }
    return count == 0 || result == 0 ? bytes : nil
  }

  /// Writes bytes at an address; false when they cannot be written. (EFAULT)
  package static func write(_ bytes: RawSpan, to address: UInt64) -> Bool {
    // SAFETY: the kernel reads at most the span's bytes.
    unsafe bytes.withUnsafeBytes { unsafe $0.count == 0 || swkern_copy_out(address, $0.baseAddress, $0.count) == 0 }
  }

  /// The same for an array.
  package static func write(_ bytes: [UInt8], to address: UInt64) -> Bool {
    // SAFETY: the kernel reads at most the array's bytes.
    unsafe bytes.withUnsafeBytes { unsafe $0.count == 0 || swkern_copy_out(address, $0.baseAddress, $0.count) == 0 }
  }
}
