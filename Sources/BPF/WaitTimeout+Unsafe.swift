// OpenBSD's wait time-out: how long the first record of a batch waits for others.
// (BIOCSWTIMEOUT, BIOCGWTIMEOUT, BIOCDWTIMEOUT) Requests; any thread.
import SwBPFKern

extension BPF.Descriptor {
  /// The longest wait time-out, ns: 300 s.
  static let longestWait: Int64 = 300 * 1_000_000_000

  /// How long stored records wait until they are ready to be read, ns, counted from the first; 0: not at all, which is
  /// immediate mode; nil: until a buffer is full.
  public var waitTimeout: Int64? {
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.immediate ? 0 : buffers.pointee.slots.readiness.batchTimeout
    }
  }

  /// - Throws: EINVAL for a negative time and for more than 300 s.
  public func setWaitTimeout(_ nanoseconds: Int64?) throws(BPF.Failure) {
    if let nanoseconds, !(0...BPF.Descriptor.longestWait).contains(nanoseconds) {
      throw .invalid("a wait time-out of \(nanoseconds) ns")
    }
    setImmediate(nanoseconds == 0)
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.stopPollTimer()
      unsafe buffers.pointee.slots.readiness.batchTimeout = nanoseconds == 0 ? nil : nanoseconds
      if unsafe buffers.pointee.slots.readiness.batchTimeout != nil {
        unsafe buffers.pointee.slots.readiness.batchBegan = { [weak self] in self?.batchBegan() }
        unsafe Step.point(.storesWatched, buffers)
        unsafe buffers.pointee.isWatched.store(true, ordering: .releasing)
      }
      restartPollTimer()
    }
  }

  /// After the pass that stored a batch's first record.
  private func batchBegan() { unsafe buffers.pointee.lock.withLock { restartPollTimer() } }
}
