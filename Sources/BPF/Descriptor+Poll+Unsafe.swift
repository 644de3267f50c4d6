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
    let deadline = timeout.map { Clock.monotonic() &+ $0 }
    let event = try readinessEvent()
    while true {
      let ready = poll(wanted)
      if !ready.isEmpty { return ready }
      let left = deadline.map { $0 - Clock.monotonic() }
      if let left, left <= 0 { return [] }
      if Event.wait(for: event, timeout: left) == .interrupted { throw .interrupted }
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
        unsafe buffers.pointee.isWatched.store(true, ordering: .releasing)
        unsafe buffers.pointee.slots.settleReadiness()
      }
      return unsafe buffers.pointee.slots.readiness.event
    }
  }

  // MARK: The timer

  /// Starts the timer again where somebody may be polling; the buffer lock is held.
  func restartPollTimer() {
    if unsafe buffers.pointee.slots.readiness.isPolled && !buffers.pointee.slots.isReady { startPollTimer() }
  }

  /// Starts the timer unless it runs or there is no time-out; the buffer lock is held.
  private func startPollTimer() {
    let limit = unsafe buffers.pointee.slots.readTimeout
    guard limit > 0, unsafe buffers.pointee.slots.readiness.timer == .idle else { return }
    unsafe buffers.pointee.slots.readiness.timer = .waiting
    unsafe buffers.pointee.slots.readiness.deadline = Clock.monotonic() &+ limit
    guard unsafe !buffers.pointee.slots.readiness.isScheduled else { return }
    unsafe buffers.pointee.slots.readiness.isScheduled = true
    schedule(after: limit)
  }

  private func schedule(after delay: Int64) {
    BPF.timers.schedule(after: delay) { [weak self] in self?.pollTimerFired() }
  }

  /// On the timers' thread. The timer may have been stopped and started since this was scheduled.
  private func pollTimerFired() {
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.readiness.isScheduled = false
      guard unsafe buffers.pointee.slots.readiness.timer == .waiting else { return }
      let left = unsafe buffers.pointee.slots.readiness.deadline - Clock.monotonic()
      if left > 0 {
        unsafe buffers.pointee.slots.readiness.isScheduled = true
        return schedule(after: left)
      }
      unsafe buffers.pointee.slots.readiness.timer = .timedOut
      if unsafe buffers.pointee.slots.hasStored { unsafe BufferState.wakeHeld(buffers) }
    }
  }
}
