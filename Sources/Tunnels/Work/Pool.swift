// Things that threads use one at a time.
import SwBPFKern

/// Lends each thing to one thread at a time; who finds none free waits for one.
/// - Threads: any.
final class Pool<Item: AnyObject>: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private let returned = Condition()
  // Guarded by `lock`.
  private var free: [Item]

  init(_ items: [Item]) { free = items }

  func with<Result>(_ body: (Item) -> Result) -> Result {
    let item = lock.withLock {
      while true {
        if let item = free.popLast() { return item }
        _ = lock.wait(returned)
      }
    }
    defer {
      lock.withLock {
        free.append(item)
        returned.broadcast()
      }
    }
    return body(item)
  }
}
