// A descriptor's buffers: one store slot, a queue of full ones, free ones; and its counters.
// Called by taps (append) and readers (take, give back), always under `lock`. (sbuf, hbuf, fbuf of `struct bpf_d`)
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// Raw memory shared by a descriptor and the taps that fill it.
///
/// What the lock guards is a field of its own and the first one: ThreadSanitizer sees a change of any part as a change of the
/// first byte, where the lock must not be, which others read meanwhile.
struct BufferState: ~Copyable {
  /// Guarded by `lock`.
  var slots: Slots
  let lock = Lock(rank: .buffer)
  let readable = Condition()
  /// BPF.Direction's raw value; read without the lock, once per pass.
  let direction = Atomic<UInt32>(BPF.Direction.inOut.rawValue)
  /// Changes with every flush: a pass that began before it discards what it found.
  let generation = Atomic<UInt64>(0)
  /// Somebody looks at the readiness event or wants a signal.
  let isWatched = Atomic<Bool>(false)
  /// An eventfd that is told of new data, or -1; set once.
  let event = Atomic<CInt>(-1)

  init(slotSize: Int, slots: Int, layout: RecordLayout, shared: BPF.SharedSlots? = nil) {
    self.slots = Slots(slotSize: slotSize, slots: slots, layout: layout, shared: shared)
  }

  deinit {
    let event = event.load(ordering: .relaxed)
    if event >= 0 { close(event) }
  }

  /// Wakes readers and raises the signal. The caller has pinned the state or holds its descriptor, but not the lock.
  static func wake(_ state: UnsafeMutablePointer<BufferState>) {
    // SAFETY: pinned or owned, so alive.
    unsafe wakeFollowers(state)
    unsafe Step.point(.usesBuffers, state)
    unsafe Step.point(.loadsWatched, state)
    if unsafe state.pointee.isWatched.load(ordering: .acquiring) { unsafe tellWatchers(state) }
  }

  /// Out of line, so that passes of descriptors that nobody watches count no references.
  @inline(never)
  private static func tellWatchers(_ state: UnsafeMutablePointer<BufferState>) {
    // SAFETY: as the caller says.
    let (signal, batchBegan) = unsafe state.pointee.lock.withLock {
      unsafe state.pointee.slots.settleReadiness()
      // With a batch's time-out the first record is told to the timer alone.
      let starts = unsafe state.pointee.slots.readiness.batchTimeout != nil && !state.pointee.slots.isReady
      return unsafe (
        starts ? SignalRequest() : state.pointee.slots.signal, starts ? state.pointee.slots.readiness.batchBegan : nil
      )
    }
    signal.raise()
    batchBegan?()
  }

  /// The same for a caller that holds the lock.
  static func wakeHeld(_ state: UnsafeMutablePointer<BufferState>) {
    unsafe wakeFollowers(state)
    unsafe state.pointee.slots.settleReadiness()
    unsafe state.pointee.slots.signal.raise()
  }

  /// Wakes readers, without a signal.
  static func wakeFollowers(_ state: UnsafeMutablePointer<BufferState>) {
    // SAFETY: alive, as the callers say; the event descriptor is closed only with the state.
    unsafe state.pointee.readable.broadcast()
    unsafe Step.point(.loadsEvent, state)
    let event = unsafe state.pointee.event.load(ordering: .acquiring)
    if event >= 0 {
      var one: UInt64 = 1
      Step.point(.tellsEvent, event)
      _ = unsafe Glibc.write(event, &one, 8)
    }
  }
}

/// Slots, counters and what readers want. Every access under the lock of its ``BufferState``.
@safe struct Slots: ~Copyable {
  @safe struct FullSlot {
    var slot: UnsafeMutableRawPointer
    var length: Int
    var records: UInt64
    /// Of a slot that another process has filled.
    var sequence: UInt64 = 0
  }

  private(set) var slotSize: Int
  /// How records look; its stamp changes with BIOCSTSTAMP.
  var layout: RecordLayout
  /// The memory of all slots; nil until the first attachment needs it.
  private var region: UnsafeMutableRawPointer?
  private(set) var store: UnsafeMutableRawPointer
  var storeLength = 0
  var storeRecords: UInt64 = 0
  private let full: UnsafeMutablePointer<FullSlot>
  let number: Int
  private var fullHead = 0
  private(set) var fullCount = 0
  private let free: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private(set) var freeCount = 0
  /// For slots that another process reads.
  var sharing: Sharing?
  var flushCount: UInt64 = 0
  private let shared: BPF.SharedSlots?
  var counters = BPF.Statistics()
  /// What was counted before the counters were last zeroed.
  private var past = BPF.GlobalStatistics()
  /// Tap points through which frames still come.
  var attachments = 0 { didSet { shareState() } }
  /// The interface went away under the descriptor.
  var departed = false { didSet { shareState() } }
  var immediate: Bool {
    get { needs.immediate }
    set { needs.immediate = newValue }
  }
  /// What the descriptor wants of rings.
  var needs = BPF.RingNeeds()
  /// Readers are told of the first record after silence, and wait themselves for more. (OpenBSD's wait time-out)
  var tellsFirst = false
  /// An eventfd is told of readiness.
  var isFollowed = false
  /// Full slots that must be there before it is told of one more.
  var tellsAt = 1
  /// Slots that readers have borrowed.
  private(set) var loans = 0
  /// What poll(2) and signals see.
  var readiness = Readiness()
  var signal = SignalRequest()
  /// How long a read waits for a full slot, ns; 0 for ever. (BIOCSRTIMEOUT)
  var readTimeout: Int64 = 0
  /// Reads take what is there and never wait. (FIONBIO)
  var isNonBlocking = false
  /// The youngest monotonic stamp that was written, ns.
  var lastMonotonic: Int64 = 0
  /// Readers asleep on `readable`.
  var sleepers = 0
  /// Wake-ups under way outside the epoch; the state is not freed before they are done.
  var pins = 0

  init(slotSize: Int, slots: Int, layout: RecordLayout, shared: BPF.SharedSlots? = nil) {
    self.shared = shared
    sharing = shared.map { Sharing($0) }
    self.slotSize = slotSize
    self.layout = layout
    number = slots
    unsafe full = .allocate(capacity: slots)
    unsafe free = .allocate(capacity: slots)
    // SAFETY: any address does: nothing is stored before map().
    unsafe store = unsafe UnsafeMutableRawPointer(free)
  }

  deinit {
    // SAFETY: the descriptor is closed and no tap or wake-up is inside.
    if readiness.event >= 0 { close(readiness.event) }
    if let region = unsafe region, shared == nil { unsafe SlotMemory.shared.giveBack(region, slotSize * number) }
    unsafe full.deallocate()
    unsafe free.deallocate()
  }

  /// Reserves the slots, unless they are there.
  /// - Throws: ENOMEM when they cannot be reserved. Pages are used only when written.
  mutating func map() throws(BPF.Failure) {
    if unsafe region != nil { return }
    let size = slotSize * number
    // The first slots that the packet path fills have their pages now, not one fault at a time.
    let map = try unsafe reserve(size)
    unsafe region = unsafe map
    unsafe store = unsafe map
    freeCount = 0
    for index in stride(from: number - 1, to: 0, by: -1) {
      unsafe (free + freeCount).initialize(to: map + index * slotSize)
      freeCount += 1
    }
    beginSharing()
  }

  private func reserve(_ size: Int) throws(BPF.Failure) -> UnsafeMutableRawPointer {
    if let sharing { return unsafe sharing.base }
    return try unsafe SlotMemory.shared.take(size, ready: min(max(3 * slotSize, 1 << 20), 4 << 20))
  }

  /// Gives the slots back and chooses their size; nothing is stored afterwards. No tap may come in and no slot be on loan.
  mutating func resize(to size: Int) {
    precondition(attachments == 0 && loans == 0 && shared == nil, "slots in use")
    flush()
    if let old = unsafe region { unsafe SlotMemory.shared.giveBack(old, slotSize * number) }
    unsafe region = nil
    slotSize = size
  }

  // MARK: Filling

  /// Room for a record of `size` bytes in the store slot, rotating if it does not fit behind what is there; nil when every
  /// slot is full. `size` is at most a slot. (`catchpacket`)
  @inline(__always)
  mutating func room(_ size: Int, rotated: inout Bool) -> UnsafeMutableRawPointer? {
    if _slowPath(storeLength + size > slotSize) {
      if freeCount == 0 && !reclaim() { return nil }
      rotate()
      rotated = true
    }
    let place = unsafe store + storeLength
    storeLength += size
    storeRecords &+= 1
    return unsafe place
  }

  /// The same for aligned records: what lies between them is zero. nil as ``room(_:rotated:)``.
  mutating func alignedRoom(_ size: Int, rotated: inout Bool) -> UnsafeMutableRawPointer? {
    var start = layout.aligned(storeLength)
    if start + size > slotSize {
      if freeCount == 0 && !reclaim() { return nil }
      rotate()
      rotated = true
      start = 0
    }
    // SAFETY: start is inside the slot, for a record fits behind it.
    unsafe (store + storeLength).initializeMemory(as: UInt8.self, repeating: 0, count: start - storeLength)
    storeLength = start + size
    storeRecords &+= 1
    return unsafe store + start
  }

  /// The store slot becomes the last full one. A free slot must be there. (ROTATE_BUFFERS)
  private mutating func rotate() {
    var tail = fullHead + fullCount
    if tail >= number { tail -= number }
    unsafe (full + tail).initialize(to: FullSlot(slot: store, length: storeLength, records: storeRecords))
    fullCount += 1
    freeCount -= 1
    unsafe store = free[freeCount]
    if _slowPath(isShared) { shareRotation(length: storeLength, records: storeRecords) }
    storeLength = 0
    storeRecords = 0
  }

  /// Whether another process reads the slots.
  @inline(__always) var isShared: Bool { sharing != nil }

  /// The oldest full slot was read elsewhere.
  mutating func settleOldest() {
    let taken = unsafe full[fullHead]
    fullHead = (fullHead + 1) % number
    fullCount -= 1
    counters.delivered += taken.records
    counters.waiting -= taken.records
    unsafe recycle(taken.slot)
  }

  /// What full slots hold is not counted any more.
  mutating func forgetRecords() {
    for index in 0..<fullCount { unsafe full[(fullHead + index) % number].records = 0 }
  }

  // MARK: Reading

  var hasStored: Bool { storeRecords > 0 }
  /// Bytes stored and not read. (FIONREAD)
  var storedBytes: Int {
    var sum = storeLength
    for index in 0..<fullCount { sum += unsafe full[(fullHead + index) % number].length }
    return sum
  }

  /// Takes the oldest full slot; with `rotating`, the store slot if none is full.
  mutating func take(rotating: Bool) -> FullSlot? {
    if fullCount == 0 && rotating && storeRecords > 0 && freeCount > 0 { rotate() }
    guard fullCount > 0 else { return nil }
    let taken = unsafe full[fullHead]
    fullHead = (fullHead + 1) % number
    fullCount -= 1
    counters.delivered += taken.records
    counters.waiting -= taken.records
    loans += 1
    return taken
  }

  /// Gives a slot back that `take` handed out. The last one given back is the first one used again, so that only as many
  /// slots hold memory as were needed at one time.
  mutating func giveBack(_ slot: UnsafeMutableRawPointer) {
    loans -= 1
    unsafe recycle(slot)
  }

  private mutating func recycle(_ slot: UnsafeMutableRawPointer) {
    unsafe (free + freeCount).initialize(to: slot)
    freeCount += 1
  }

  /// Discards what is stored and zeroes the counters.
  mutating func flush() {
    if isShared {
      discardShared()
    } else {
      while fullCount > 0 {
        unsafe recycle(full[fullHead].slot)
        fullHead = (fullHead + 1) % number
        fullCount -= 1
      }
      storeLength = 0
      storeRecords = 0
    }
    past.add(counters)
    counters = BPF.Statistics()
  }

  /// What was counted since the descriptor was opened.
  var total: BPF.GlobalStatistics {
    var sum = past
    sum.add(counters)
    return sum
  }

  // MARK: Waking

  /// Whether somebody must be told that data is there. (`bpf_ready`, seen from the tap)
  @inline(__always) var wantsWakeUp: Bool { sleepers > 0 || isFollowed || isWatched }

  /// Whether somebody must be told that a slot became full.
  @inline(__always) var wantsFullSlot: Bool { sleepers > 0 || isWatched || (isFollowed && fullCount >= tellsAt) }

  private var isWatched: Bool { readiness.event >= 0 || signal.isWanted || readiness.batchTimeout != nil }
}
