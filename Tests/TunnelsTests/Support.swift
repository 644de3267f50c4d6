import SwBPFKern

/// A gate that threads wait at until somebody opens it, for good.
final class Gate: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private let changed = Condition()
  private var isOpen = false

  func open() {
    lock.withLock {
      isOpen = true
      changed.broadcast()
    }
  }

  /// - Returns: false when the seconds were over first.
  @discardableResult
  func wait(upTo seconds: Int64 = 30) -> Bool {
    let end = Clock.monotonic() + seconds * 1_000_000_000
    return lock.withLock {
      while !isOpen { if !lock.wait(changed, until: end) { return isOpen } }
      return true
    }
  }
}
