// read(2) of an open bpf device: a whole buffer is copied out. (`bpfread`)
// Called by the threads that consume frames; several may read one descriptor, each buffer goes to exactly one of them.
import SwBPFKern

extension BPF.Descriptor {
  /// Reads the next full buffer: records one behind the other, each aligned, the last without padding.
  ///
  /// Waits until a buffer is full; in immediate mode until a record is there; at most the read time-out. (BIOCSRTIMEOUT)
  /// - Parameter buffer: exactly as many bytes as the descriptor's buffers have. (BIOCGBLEN)
  /// - Returns: the bytes read; 0 when the time-out passed and nothing was stored.
  /// - Throws: EINVAL for another size; ENXIO when not attached and nothing is left; EAGAIN when it may not wait; EINTR.
  public func read(into buffer: inout [UInt8]) throws(BPF.Failure) -> Int {
    let size = buffer.count
    return try read(size: size) { bytes in
      // SAFETY: the bytes are at most `size`, which the array has.
      unsafe buffer.withUnsafeMutableBytes { target in
        unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
      }
      return true
    }
  }

  /// Reads to an address of the caller, which may be bad: then the data is gone, as BSD has it.
  /// - Throws: EFAULT and what ``read(into:)`` throws.
  package func read(toAddress address: UInt64, size: Int) throws(BPF.Failure) -> Int {
    try read(size: size) { CallerMemory.write($0, to: address) }
  }

  private func read(size: Int, copy: (RawSpan) -> Bool) throws(BPF.Failure) -> Int {
    guard let slot = try takeForRead(size: size) else { return 0 }
    let count = slot.bytes.byteCount
    // Nobody else has the slot, and no lock is held while the caller's memory is written.
    guard copy(slot.bytes) else { throw .badAddress }
    return count
  }

  /// Waits for a buffer and takes it; nil when the time-out passed and nothing was stored.
  private func takeForRead(size: Int) throws(BPF.Failure) -> BPF.Slot? {
    let event = try readinessEvent()
    let state = unsafe buffers
    unsafe state.pointee.lock.lock()
    defer {
      // Who polls goes on polling, whatever the read came to.
      restartPollTimer()
      unsafe state.pointee.lock.unlock()
    }
    guard unsafe size == state.pointee.slots.slotSize else { throw .invalid("a read of \(size) bytes") }
    var takesAll = unsafe state.pointee.slots.stopPollTimer()
    let limit = unsafe state.pointee.slots.readTimeout
    let deadline = limit > 0 ? Clock.monotonic(after: limit) : nil
    while true {
      // Another reader copies: the buffers turn when it is done.
      waitForLoans()
      // The buffers that this read was meant for are gone with their attachment; others of another size are there.
      guard unsafe size == state.pointee.slots.slotSize else { throw .notAttached }
      let isOver = deadline.map { Clock.monotonic() >= $0 } ?? false
      // Somebody polled while this read slept, and that timer ran out.
      if unsafe state.pointee.slots.readiness.isTimedOut { takesAll = unsafe state.pointee.slots.stopPollTimer() }
      let rotating = unsafe takesAll || isOver || state.pointee.slots.immediate || state.pointee.slots.isNonBlocking
      if let slot = unsafe state.pointee.slots.take(rotating: rotating) {
        unsafe state.pointee.slots.settleReadiness()
        return BPF.Slot(slot, of: self)
      }
      if unsafe state.pointee.slots.attachments == 0 { throw .notAttached }
      if unsafe state.pointee.slots.isNonBlocking { throw .wouldBlock }
      if isOver { return nil }
      unsafe state.pointee.lock.unlock()
      let outcome = Event.wait(for: event, timeout: deadline.map { $0 - Clock.monotonic() })
      unsafe state.pointee.lock.lock()
      if outcome == .interrupted { throw .interrupted }
    }
  }
}
