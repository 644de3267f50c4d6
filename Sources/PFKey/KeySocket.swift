// KeySocket: one listener of the key engine, a queue of messages. The daemon connects them to its clients.
internal import SwBPFKern

/// What a PF_KEY socket is inside of a process. (`keycb`) Opened by ``KeyEngine/open(limit:onMessage:)``.
/// - Threads: any.
package final class KeySocket: @unchecked Sendable {
  /// Bytes that wait at most, as `open` sets it unless told.
  package static let defaultLimit = 4 << 20

  private let lock = Lock(rank: .keySocket)
  private let limit: Int
  private let onMessage: (@Sendable () -> Void)?
  private var queue: [[UInt8]] = []
  private var head = 0
  private var waiting = 0
  private var dropCount: UInt64 = 0

  init(limit: Int, onMessage: (@Sendable () -> Void)?) {
    self.limit = limit
    self.onMessage = onMessage
  }

  deinit {
    for index in queue.indices { eraseKey(&queue[index]) }
  }

  /// The oldest message; nil when none waits. Dumps have keys in them: whoever reads one erases it.
  package func receive() -> [UInt8]? {
    lock.withLock {
      guard head < queue.count else { return nil }
      let message = queue[head]
      queue[head] = []
      head += 1
      waiting -= message.count
      if head == queue.count {
        queue = []
        head = 0
      } else if head >= 64 && head * 2 >= queue.count {
        queue.removeFirst(head)
        head = 0
      }
      return message
    }
  }

  /// Messages that found no room.
  package var dropped: UInt64 { lock.withLock { dropCount } }

  /// Puts messages in, all or none. A list may be longer than the limit when nothing else waits: memory is bounded by
  /// one list and the limit.
  /// - Returns: false, and they are counted as dropped, when there is no room.
  func deliver(_ messages: [[UInt8]]) -> Bool {
    let fits = lock.withLock {
      let size = messages.reduce(0) { $0 + $1.count }
      guard size <= limit - waiting || (waiting == 0 && messages.count > 1) else {
        dropCount += UInt64(messages.count)
        return false
      }
      queue.append(contentsOf: messages)
      waiting += size
      return true
    }
    if fits { onMessage?() }
    return fits
  }
}
