// DelayedWork: the control thread. It does what must not be done on a packet path, after a delay.
// Asleep while there is nothing to do.

/// Runs closures at a later time on one thread of its own. (`callout(9)`)
/// - Threads: any may schedule. Started with the first closure.
package final class DelayedWork: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private let changed = Condition()
  private var queue: [(due: Int64, body: @Sendable () -> Void)] = []
  private var thread: Thread?
  private var stopping = false
  private let name: String

  package init(name: String) { self.name = name }

  /// Runs `body` on the control thread once `delay` nanoseconds have passed.
  package func schedule(after delay: Int64, _ body: @escaping @Sendable () -> Void) {
    lock.withLock {
      guard !stopping else { return }
      queue.append((Clock.monotonic(after: delay), body))
      // Without one the work waits: who schedules next tries again.
      if thread == nil { thread = try? Thread(starting: name) { self.run() } }
      changed.broadcast()
    }
  }

  /// Ends the thread; what is waiting is forgotten. Not from the control thread itself.
  package func stop() {
    let thread = lock.withLock {
      stopping = true
      queue = []
      changed.broadcast()
      return self.thread
    }
    thread?.join()
  }

  private func run() {
    lock.lock()
    while !stopping {
      guard let next = queue.indices.min(by: { queue[$0].due < queue[$1].due }) else {
        _ = lock.wait(changed)
        continue
      }
      if queue[next].due > Clock.monotonic() {
        _ = lock.wait(changed, until: queue[next].due)
        continue
      }
      let body = queue.remove(at: next).body
      lock.unlock()
      body()
      lock.lock()
    }
    lock.unlock()
  }
}
