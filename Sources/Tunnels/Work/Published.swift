// A value that requests replace as a whole and workers look at for each pass.
import SwBPFKern
import Synchronization

/// The newest of a row of values. (`psref`: a variant is exchanged, never changed)
///
/// Each worker has a copy of its own: one load says whether it is still the newest.
/// - Threads: any.
final class Published<Value: Sendable>: @unchecked Sendable {
  /// A worker's copy.
  struct Copy {
    fileprivate var version: UInt64
    private(set) var value: Value

    fileprivate mutating func replace(_ new: Value, _ version: UInt64) {
      value = new
      self.version = version
    }
  }

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var current: Value
  private let version = Atomic<UInt64>(1)

  init(_ value: Value) { current = value }

  var value: Value { lock.withLock { current } }

  func publish(_ value: Value) {
    // What it replaces is let go when the lock is.
    let old = lock.withLock {
      let old = current
      current = value
      version.wrappingAdd(1, ordering: .releasing)
      return old
    }
    withExtendedLifetime(old) {}
  }

  func copy() -> Copy {
    lock.withLock { Copy(version: version.load(ordering: .relaxed), value: current) }
  }

  /// Makes a copy the newest.
  @inline(__always)
  func refresh(_ copy: inout Copy) {
    if version.load(ordering: .acquiring) != copy.version { renew(&copy) }
  }

  @inline(never)
  private func renew(_ copy: inout Copy) {
    let (new, version) = lock.withLock { (current, self.version.load(ordering: .relaxed)) }
    copy.replace(new, version)
  }
}
