// Looks at the system's interfaces a moment after something changed there.
// A thread of its own, asleep while nothing changes.
import SwBPFKern
import Synchronization

/// Changes that come together are looked at once.
final class Follower: Sendable {
  /// ns
  private static let delay: Int64 = 5_000_000
  private let work = DelayedWork(name: "swbpf-follow")
  private let isPending = Atomic<Bool>(false)
  private let look = Published<(@Sendable () -> Void)?>(nil)

  func follow(_ body: @escaping @Sendable () -> Void) { look.publish(body) }

  /// On the thread that hears of changes.
  func somethingChanged() {
    guard !isPending.exchange(true, ordering: .acquiringAndReleasing) else { return }
    work.schedule(after: Self.delay) { [weak self] in
      guard let self else { return }
      isPending.store(false, ordering: .releasing)
      look.value?()
    }
  }

  /// Nothing is looked at afterwards. Not on the follower's thread.
  func stop() {
    look.publish(nil)
    work.stop()
  }
}
