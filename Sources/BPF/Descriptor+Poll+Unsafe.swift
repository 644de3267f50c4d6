// poll(2) of an open bpf device: readiness and its timer. (`bpfpoll`, `bpf_timed_out`)
// Any thread.
import SwBPFKern

extension BPF {
  /// What poll(2) asks for and answers. The values are poll's own.
  public struct PollEvents: OptionSet, Sendable {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// There is something to read: POLLIN, POLLRDNORM.
    public static let readable = PollEvents(rawValue: 0x041)
    /// A frame may be written: POLLOUT, POLLWRNORM. Always so.
    public static let writable = PollEvents(rawValue: 0x104)
    /// The descriptor has no interface: POLLHUP.
    public static let hangUp = PollEvents(rawValue: 0x010)
  }

  /// Poll timers of all descriptors.
  fileprivate static let timers = DelayedWork(name: "swbpf-timer")
}

extension BPF.Descriptor {
  /// What is ready now of what is asked for. Asking for `readable` in vain starts the poll timer: after the read time-out,
  /// whatever is stored is ready, without a full buffer.
  public func poll(_ wanted: BPF.PollEvents) -> BPF.PollEvents {
    unsafe buffers.pointee.lock.withLock {
      if unsafe buffers.pointee.slots.attachments == 0 {
        return wanted.intersection([.readable, .writable, .hangUp])
      }
      var ready = wanted.intersection(.writable)
      let reading = wanted.intersection(.readable)
      if !reading.isEmpty {
        if unsafe buffers.pointee.slots.isReady { ready.formUnion(reading) } else { startPollTimer() }
      }
      return ready
    }
  }

  /// A descriptor for poll, select and epoll: readable exactly while a read would not wait. It belongs to this object and
  /// must not be read. From now on the poll timer runs whenever nothing is ready, as if somebody polled all the time.
  /// - Throws: EMFILE.
  public func pollDescriptor() throws(BPF.Failure) -> CInt {
    let event = try readinessEvent()
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.readiness.isPolled = true
      restartPollTimer()
    }
    return event
  }

  /// Waits until something that is asked for is ready. (poll(2))
  /// - Parameter timeout: ns; nil waits for ever.
  /// - Returns: what is ready; empty when the time passed. - Throws: EINTR, EMFILE.
  public func poll(_ wanted: BPF.PollEvents, timeout: Int64?) throws(BPF.Failure) -> BPF.PollEvents {
    let deadline = timeout.map { Clock.monotonic(after: $0) }
    let event = try readinessEvent()
    while true {
      let ready = poll(wanted)
      if !ready.isEmpty { return ready }
      let left = deadline.map { $0 - Clock.monotonic() }
      if let left, left <= 0 { return [] }
      if wanted.isDisjoint(with: .readable) {
        // The event also tells of data, which is not asked for.
        waitForHangUp(wanted.contains(.hangUp), until: deadline)
        continue
      }
      if Event.wait(for: event, timeout: left) == .interrupted { throw .interrupted }
    }
  }

  /// Sleeps until the descriptor has no interface, if that is wanted, or the time is over.
  private func waitForHangUp(_ isWanted: Bool, until deadline: Int64?) {
    unsafe buffers.pointee.lock.withLock {
      while unsafe !isWanted || buffers.pointee.slots.attachments > 0 {
        unsafe buffers.pointee.slots.sleepers += 1
        let inTime = unsafe buffers.pointee.lock.wait(buffers.pointee.readable, until: deadline)
        unsafe buffers.pointee.slots.sleepers -= 1
        if !inTime { return }
      }
    }
  }

  /// Bytes that are stored, read or not by poll's measure: store and hold. Waits for a reader that copies. (FIONREAD)
  public var readableBytes: Int {
    unsafe buffers.pointee.lock.withLock {
      waitForLoans()
      return unsafe buffers.pointee.slots.storedBytes
    }
  }

  /// The event of readiness, made when first asked for.
  func readinessEvent() throws(BPF.Failure) -> CInt {
    try unsafe buffers.pointee.lock.withLock { () throws(BPF.Failure) in
      if unsafe buffers.pointee.slots.readiness.event < 0 {
        let opened = Event.open()
        guard opened >= 0 else { throw .system(errno: -opened, call: "eventfd") }
        unsafe buffers.pointee.slots.readiness.event = opened
        unsafe Step.point(.storesWatched, buffers)
        unsafe buffers.pointee.isWatched.store(true, ordering: .releasing)
        unsafe buffers.pointee.slots.settleReadiness()
      }
      return unsafe buffers.pointee.slots.readiness.event
    }
  }

  // MARK: The timer

  /// Stops the timer and forgets that it ran out, as every request does; who polls goes on polling.
  func cancelPollTimer() {
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.stopPollTimer()
      restartPollTimer()
    }
  }

  /// Makes the event say what is so, and starts the timer again where somebody may be polling; the buffer lock is held.
  func settleReadiness() {
    unsafe buffers.pointee.slots.settleReadiness()
    restartPollTimer()
  }

  /// Starts the timer again where somebody may be polling; the buffer lock is held.
  func restartPollTimer() {
    if unsafe buffers.pointee.slots.isReady { return }
    if let limit = unsafe buffers.pointee.slots.readiness.batchTimeout {
      if unsafe buffers.pointee.slots.hasStored { startTimer(limit, forBatch: true) }
    } else if unsafe buffers.pointee.slots.readiness.isPolled {
      startPollTimer()
    }
  }

  /// Starts the timer unless it runs or there is no time-out; the buffer lock is held.
  private func startPollTimer() {
    let limit = unsafe buffers.pointee.slots.readTimeout
    if limit > 0 { startTimer(limit, forBatch: false) }
  }

  private func startTimer(_ limit: Int64, forBatch isBatch: Bool) {
    guard unsafe buffers.pointee.slots.readiness.timer == .idle else { return }
    unsafe buffers.pointee.slots.readiness.timer = .waiting
    unsafe buffers.pointee.slots.readiness.isBatch = isBatch
    unsafe buffers.pointee.slots.readiness.deadline = Clock.monotonic(after: limit)
    schedule()
  }

  /// Has the timers' thread look at the deadline, unless it will look early enough anyway; the buffer lock is held.
  private func schedule() {
    let due = unsafe buffers.pointee.slots.readiness.deadline
    if let look = unsafe buffers.pointee.slots.readiness.nextLook, look <= due { return }
    unsafe buffers.pointee.slots.readiness.nextLook = due
    BPF.timers.schedule(after: max(0, due - Clock.monotonic())) { [weak self] in self?.pollTimerFired(due) }
  }

  /// On the timers' thread. The timer may have been stopped and started since this was scheduled.
  private func pollTimerFired(_ due: Int64) {
    unsafe buffers.pointee.lock.withLock {
      if unsafe buffers.pointee.slots.readiness.nextLook == due {
        unsafe buffers.pointee.slots.readiness.nextLook = nil
      }
      guard unsafe buffers.pointee.slots.readiness.timer == .waiting else { return }
      if unsafe buffers.pointee.slots.isReady {
        // Who polled knows.
        unsafe buffers.pointee.slots.readiness.timer = .idle
        return
      }
      if unsafe buffers.pointee.slots.readiness.deadline > Clock.monotonic() { return schedule() }
      unsafe buffers.pointee.slots.readiness.timer = .timedOut
      if unsafe buffers.pointee.slots.hasStored { unsafe BufferState.wakeHeld(buffers) }
    }
  }
}
