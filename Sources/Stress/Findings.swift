// What a run found broken. Every thread of a run reports here.
import SwBPFKern

/// What a run checks.
package enum StressCheck: String, CaseIterable, Sendable {
  case frames = "a peer that stays sees every frame once, in order, or the loss has a name"
  case direction = "no frame of a direction or an interface that the peer did not ask for"
  case prefix = "a peer that leaves has seen a run of frames without a hole"
  case counters = "counters add up in every reading"
  case sent = "counters agree with what was sent at each pause"
  case promiscuous = "promiscuous references return to zero"
  case leftovers = "no descriptor, thread, mapping, socket or memory is left"
  case errors = "no request fails that should not"
  case end = "the run reached its end"

  /// Its name in JSON.
  package var name: String { "\(self)" }
}

/// Checks that failed, with the first example of each.
package final class Findings: @unchecked Sendable {
  package struct Broken: Sendable, Equatable {
    package var count: UInt64
    package var example: String

    package init(count: UInt64, example: String) { (self.count, self.example) = (count, example) }
  }

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var broken: [StressCheck: Broken] = [:]

  package init() {}

  package func report(_ check: StressCheck, _ text: @autoclosure () -> String) {
    lock.withLock {
      if broken[check] != nil {
        broken[check]?.count += 1
      } else {
        broken[check] = Broken(count: 1, example: text())
      }
    }
  }

  package var all: [StressCheck: Broken] { lock.withLock { broken } }
  package var isEmpty: Bool { lock.withLock { broken.isEmpty } }
  /// The run cannot go on.
  package var endsRun: Bool { lock.withLock { broken[.end] != nil } }
}
