// A thread that waits for descriptors and serves them.
// Made and stopped by the engine; requests wait for it, it never waits for a request.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern

/// What a worker does. Its calls come on the worker's thread only.
protocol WorkerBody: AnyObject, Sendable {
  /// A descriptor can be read.
  /// - Returns: a descriptor that there is no use in watching any more.
  func serve(_ tag: Int) -> CInt?
  /// Looks again at everything that was published, and lets go of what is old.
  func refresh()
}

/// - Threads: any.
final class Worker: @unchecked Sendable {
  private static var wakeTag: UInt64 { .max }
  /// Descriptors looked at in one round.
  private static var round: Int { 64 }

  private let poll: CInt
  private let wake: CInt
  private let lock = Lock(rank: .leaf)
  private let changed = Condition()
  // Guarded by `lock`.
  private var asked: UInt64 = 0
  private var answered: UInt64 = 0
  private var isEnding = false
  private var hasEnded = false
  private var thread: Thread?

  /// - Parameters:
  ///   - cpu: of `memory`; no other worker has it.
  init(name: String, cpu: Int, of memory: PerCPUMemory, _ body: any WorkerBody) throws(BPF.Failure) {
    let poll = swpcap_poll_open()
    guard poll >= 0 else { throw .system(errno: -poll, call: "epoll_create") }
    let wake = swpcap_event_open()
    guard wake >= 0 else {
      close(poll)
      throw .system(errno: -wake, call: "eventfd")
    }
    self.poll = poll
    self.wake = wake
    _ = swpcap_poll_add(poll, wake, Self.wakeTag)
    thread = Thread(name: name) {
      memory.bindThread(to: cpu)
      self.run(body)
      PerCPUMemory.unbindThread()
    }
  }

  deinit {
    close(poll)
    close(wake)
  }

  /// Serves a descriptor, too, whenever it can be read.
  func watch(_ descriptor: CInt, tag: Int) throws(BPF.Failure) {
    let result = swpcap_poll_add(poll, descriptor, UInt64(tag))
    guard result == 0 else { throw .system(errno: -result, call: "epoll_ctl") }
  }

  /// Does not serve a descriptor any more; a call may be under way: see ``settle()``.
  func forget(_ descriptor: CInt) { _ = swpcap_poll_remove(poll, descriptor) }

  /// Waits until the pass that is under way has ended and the body has refreshed. Not on a worker's thread.
  func settle() {
    lock.withLock {
      guard !hasEnded else { return }
      asked += 1
      let number = asked
      swpcap_event_signal(wake)
      while answered < number && !hasEnded { _ = lock.wait(changed) }
    }
  }

  /// Ends the thread. Not on it.
  func stop() {
    let thread = lock.withLock {
      isEnding = true
      swpcap_event_signal(wake)
      defer { self.thread = nil }
      return self.thread
    }
    thread?.join()
  }

  /// A pause of a worker that has just carried several packets: what comes meanwhile it then takes together. Some 150 microseconds,
  /// with the timer's slack; a packet that comes alone never waits for it.
  static func rest() {
    LockDebug.sleeping("usleep")
    usleep(100)
  }

  private func run(_ body: any WorkerBody) {
    var tags = [UInt64](repeating: 0, count: Self.round)
    while true {
      LockDebug.sleeping("epoll_wait")
      let count = unsafe swpcap_poll_wait(poll, &tags, CInt(Self.round), -1)
      if count < 0 { break }
      for index in 0..<Int(count) {
        if tags[index] != Self.wakeTag {
          if let useless = body.serve(Int(tags[index])) { forget(useless) }
        } else if !answer(body) {
          return
        }
      }
    }
    lock.withLock {
      hasEnded = true
      changed.broadcast()
    }
  }

  /// - Returns: false at the end.
  private func answer(_ body: any WorkerBody) -> Bool {
    swpcap_event_clear(wake)
    let (number, isEnding) = lock.withLock { (asked, self.isEnding) }
    body.refresh()
    lock.withLock {
      answered = number
      hasEnded = isEnding
      changed.broadcast()
    }
    return !isEnding
  }
}
