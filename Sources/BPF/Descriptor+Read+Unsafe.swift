// Reading a descriptor: borrowing full slots, waiting, statistics.
// Called by the threads that consume frames; several may read one descriptor, each slot goes to exactly one of them.
import Glibc
import SwBPFKern

extension BPF {
  /// A batch of records on loan. It goes back to its descriptor when it is dropped, so keep it no longer than needed:
  /// while readers hold slots, fewer are left to fill.
  @safe public struct Slot: ~Copyable {
    private let lender: any SlotLender
    private let slot: Slots.FullSlot

    init(_ slot: Slots.FullSlot, of lender: any SlotLender) {
      self.lender = lender
      self.slot = slot
    }

    deinit {
      // SAFETY: the slot came from this lender, which the reference kept alive, and is given back once.
      lender.giveBack(slot)
    }

    /// The records, one behind the other, in the descriptor's format.
    public var bytes: RawSpan {
      @_lifetime(borrow self)
      get {
        // SAFETY: the slot is this value's alone until it is given back in deinit.
        let span = unsafe RawSpan(_unsafeStart: slot.slot, byteCount: slot.length)
        return unsafe _overrideLifetime(span, borrowing: self)
      }
    }

    /// Records in the slot.
    public var count: Int { Int(slot.records) }

    /// Shows each record in order.
    /// The descriptor's format is a savefile's; programs parse records of devices themselves.
    public func eachRecord(_ body: (borrowing Record) throws -> Void) rethrows {
      let bytes = self.bytes
      let layout = lender.layout
      precondition(layout.isSavefile, "records of a device")
      let nanoseconds = layout.nanoseconds
      var offset = 0
      while offset + BPF.savefileHeaderSize <= bytes.byteCount {
        let record = Record(bytes, at: offset, nanoseconds: nanoseconds)
        offset += BPF.savefileHeaderSize + record.frame.byteCount
        try body(record)
      }
    }
  }

  /// One captured frame in a borrowed slot.
  public struct Record: ~Escapable {
    /// Wall clock of the kernel: seconds since 1970.
    public let seconds: UInt32
    /// The fraction, in nanoseconds whatever the format.
    public let nanoseconds: UInt32
    /// Bytes that the frame had on the wire; ``frame`` may hold fewer.
    public let wireLength: Int
    /// The frame from its link header on.
    public let frame: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, at offset: Int, nanoseconds: Bool) {
      // SAFETY: the caller has checked that a header is there; loads are bounds-checked all the same.
      seconds = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
      let fraction = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
      self.nanoseconds = nanoseconds ? fraction : fraction &* 1000
      let captured = unsafe Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
      wireLength = unsafe Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
      let start = offset + BPF.savefileHeaderSize
      frame = bytes.extracting(start..<(start + captured))
    }
  }
}

/// Whose slots readers borrow.
protocol SlotLender: AnyObject, Sendable {
  /// How the records look.
  var layout: RecordLayout { get }
  func giveBack(_ slot: Slots.FullSlot)
}

extension BPF.Descriptor: SlotLender {
  var layout: RecordLayout { configuration.format.layout }

  /// Takes a slot back; who sleeps may have found the store slot filled and no free one to put in its place.
  func giveBack(_ slot: Slots.FullSlot) {
    unsafe buffers.pointee.lock.withLock {
      unsafe buffers.pointee.slots.giveBack(slot.slot)
      if unsafe buffers.pointee.slots.sleepers > 0 { unsafe buffers.pointee.readable.broadcast() }
    }
  }

  /// Borrows the next batch of records.
  ///
  /// Waits until a slot is full or, in immediate mode, a record is there; when the time is over it takes what is stored.
  /// (`bpfread`) - Parameter timeout: nil waits for ever; zero never waits.
  /// - Returns: nil when the time passed and nothing was stored.
  /// - Throws: ENXIO when the descriptor is not attached (or its interface went away) and everything has been read.
  public func nextSlot(timeout: Duration? = nil) throws(BPF.Failure) -> BPF.Slot? {
    let deadline = timeout.map { limit -> Int64 in
      let (seconds, attoseconds) = limit.components
      return Clock.monotonic() + seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
    let state = unsafe buffers
    unsafe state.pointee.lock.lock()
    defer { unsafe state.pointee.lock.unlock() }
    var isOver = timeout == .zero
    while true {
      let attached = unsafe state.pointee.slots.attachments > 0
      if let slot = take(rotating: unsafe isOver || !attached || state.pointee.slots.immediate) {
        return BPF.Slot(slot, of: self)
      }
      // What is stored behind slots that are all on loan is read when one comes back.
      if unsafe !attached && !state.pointee.slots.hasStored {
        throw unsafe state.pointee.slots.departed ? .departed : .notAttached
      }
      if isOver { return nil }
      unsafe state.pointee.slots.sleepers += 1
      if unsafe !state.pointee.lock.wait(state.pointee.readable, until: deadline) { isOver = true }
      unsafe state.pointee.slots.sleepers -= 1
    }
  }

  /// Takes a full slot if there is one; with `rotating`, also what is stored so far. Never waits.
  /// - Throws: ENXIO as ``nextSlot(timeout:)``.
  package func takeSlot(rotating: Bool) throws(BPF.Failure) -> BPF.Slot? {
    let state = unsafe buffers
    unsafe state.pointee.lock.lock()
    defer { unsafe state.pointee.lock.unlock() }
    let attached = unsafe state.pointee.slots.attachments > 0
    if let slot = take(rotating: rotating || !attached) { return BPF.Slot(slot, of: self) }
    if unsafe !attached && !state.pointee.slots.hasStored {
      throw unsafe state.pointee.slots.departed ? .departed : .notAttached
    }
    return nil
  }

  /// Takes a slot as a read does: poll's timer stops, its event says what is so. The buffer lock is held.
  private func take(rotating: Bool) -> Slots.FullSlot? {
    let takesAll = unsafe rotating || buffers.pointee.slots.readiness.isTimedOut
    guard let slot = unsafe buffers.pointee.slots.take(rotating: takesAll) else { return nil }
    unsafe buffers.pointee.slots.stopPollTimer()
    restartPollTimer()
    return slot
  }

  /// Gives the descriptor an eventfd, which it then owns and makes readable when a slot is full, when the first record after
  /// silence is stored, and when it is detached. Its reader clears it and then takes slots. Once per descriptor.
  /// - Parameter count: how many slots must be full; a reader that sets its own time limit may ask for more than one.
  package func follow(event: CInt, full count: Int = 1) {
    unsafe buffers.pointee.lock.withLock {
      precondition(!(unsafe buffers.pointee.slots.isFollowed), "followed already")
      unsafe Step.point(.storesEvent, buffers)
      unsafe buffers.pointee.event.store(event, ordering: .releasing)
      unsafe buffers.pointee.slots.isFollowed = true
      unsafe buffers.pointee.slots.tellsAt = count
      unsafe buffers.pointee.slots.tellsFirst = true
    }
  }

  /// The counters, all of one moment. (BIOCGSTATS)
  public var statistics: BPF.Statistics {
    unsafe buffers.pointee.lock.withLock {
      _ = unsafe buffers.pointee.slots.reclaim()
      return unsafe buffers.pointee.slots.counters
    }
  }

  /// Bytes stored and not yet read. (FIONREAD)
  public var storedBytes: Int { unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.storedBytes } }
}
