// What a thread may be told when it wants to work with ESP; and the numbers of those who do.
import Glibc
import SwBPFKern

package enum ESPError: Error, Hashable, Sendable {
  /// There are ``ESPWorker/limit`` of them.
  case noMoreWorkers

  package var errno: CInt { EAGAIN }
}

/// The numbers of the workers that there are. Any thread.
final class WorkerNumbers: @unchecked Sendable {
  static let shared = WorkerNumbers()

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`: a bit for each number that is taken.
  private var taken: UInt64 = 0

  /// The lowest free one.
  func take() -> Int? {
    lock.withLock {
      let number = (~taken).trailingZeroBitCount
      guard number < ESPWorker.limit else { return nil }
      taken |= 1 << UInt64(number)
      return number
    }
  }

  func giveBack(_ number: Int) { lock.withLock { taken &= ~(1 << UInt64(number)) } }
}
