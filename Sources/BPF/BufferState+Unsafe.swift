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
  /// An eventfd that follows readiness, or -1; set once.
  let event = Atomic<CInt>(-1)
  init(slotSize: Int, slots: Int, nanoseconds: Bool) throws(BPF.Failure) {
    self.slots = try Slots(slotSize: slotSize, slots: slots, nanoseconds: nanoseconds)
  }

  deinit {
    let event = event.load(ordering: .relaxed)
    if event >= 0 { close(event) }
  }

  /// Wakes readers. The caller has pinned the state or holds its descriptor; no lock is needed.
  static func wake(_ state: UnsafeMutablePointer<BufferState>) {
    // SAFETY: pinned or owned, so alive; the event descriptor is closed only with the state.
    unsafe state.pointee.readable.broadcast()
    let event = unsafe state.pointee.event.load(ordering: .acquiring)
    if event >= 0 {
      var one: UInt64 = 1
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
  }

  let slotSize: Int
  let nanoseconds: Bool
  private let region: UnsafeMutableRawPointer
  private let regionSize: Int
  private(set) var store: UnsafeMutableRawPointer
  var storeLength = 0
  var storeRecords: UInt64 = 0
  private let full: UnsafeMutablePointer<FullSlot>
  private let number: Int
  private var fullHead = 0
  private(set) var fullCount = 0
  private let free: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private var freeCount = 0
  var counters = BPF.Statistics()
  /// Tap points through which frames still come.
  var attachments = 0
  /// The interface went away under the descriptor.
  var departed = false
  var immediate = false
  /// Readers are told of the first record after silence, and wait themselves for more. (OpenBSD's wait time-out)
  var tellsFirst = false
  /// An eventfd is told of readiness.
  var isFollowed = false
  /// Full slots that must be there before it is told of one more.
  var tellsAt = 1
  /// Readers asleep on `readable`.
  var sleepers = 0
  /// Wake-ups under way outside the epoch; the state is not freed before they are done.
  var pins = 0

  /// MADV_POPULATE_WRITE, which the C library's module lacks.
  private static let populateWrite: CInt = 23

  /// - Throws: ENOMEM when the slots cannot be reserved. Pages are used only when written.
  init(slotSize: Int, slots: Int, nanoseconds: Bool) throws(BPF.Failure) {
    let size = slotSize * slots
    let map = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let map = unsafe map, unsafe map != MAP_FAILED else {
      throw .system(errno: errno, call: "mmap")
    }
    // The first slots that the packet path fills have their pages now, not one fault at a time. (Linux 5.14; else no harm)
    _ = unsafe madvise(map, min(size, max(3 * slotSize, 1 << 20), 4 << 20), Slots.populateWrite)
    self.slotSize = slotSize
    self.nanoseconds = nanoseconds
    number = slots
    unsafe region = unsafe map
    regionSize = size
    unsafe store = unsafe map
    unsafe full = .allocate(capacity: slots)
    unsafe free = .allocate(capacity: slots)
    for index in stride(from: slots - 1, to: 0, by: -1) {
      unsafe (free + freeCount).initialize(to: map + index * slotSize)
      freeCount += 1
    }
  }

  deinit {
    // SAFETY: the descriptor is closed and no tap or wake-up is inside.
    unsafe munmap(region, regionSize)
    unsafe full.deallocate()
    unsafe free.deallocate()
  }

  // MARK: Filling

  /// Room for a record of `size` bytes in the store slot, rotating if it does not fit behind what is there; nil when every
  /// slot is full. `size` is at most a slot. (`catchpacket`)
  @inline(__always)
  mutating func room(_ size: Int, rotated: inout Bool) -> UnsafeMutableRawPointer? {
    if _slowPath(storeLength + size > slotSize) {
      if freeCount == 0 { return nil }
      rotate()
      rotated = true
    }
    let place = unsafe store + storeLength
    storeLength += size
    storeRecords &+= 1
    return unsafe place
  }

  /// The store slot becomes the last full one. A free slot must be there. (ROTATE_BUFFERS)
  private mutating func rotate() {
    var tail = fullHead + fullCount
    if tail >= number { tail -= number }
    unsafe (full + tail).initialize(to: FullSlot(slot: store, length: storeLength, records: storeRecords))
    fullCount += 1
    freeCount -= 1
    unsafe store = free[freeCount]
    storeLength = 0
    storeRecords = 0
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
    return taken
  }

  /// Gives a slot back that `take` handed out. The last one given back is the first one used again, so that only as many
  /// slots hold memory as were needed at one time.
  mutating func giveBack(_ slot: UnsafeMutableRawPointer) {
    unsafe (free + freeCount).initialize(to: slot)
    freeCount += 1
  }

  /// Discards what is stored and zeroes the counters.
  mutating func flush() {
    while fullCount > 0 {
      unsafe giveBack(full[fullHead].slot)
      fullHead = (fullHead + 1) % number
      fullCount -= 1
    }
    storeLength = 0
    storeRecords = 0
    counters = BPF.Statistics()
  }

  // MARK: Waking

  /// Whether somebody must be told that data is there. (`bpf_ready`, seen from the tap)
  @inline(__always) var wantsWakeUp: Bool { sleepers > 0 || isFollowed }

  /// Whether somebody must be told that a slot became full.
  @inline(__always) var wantsFullSlot: Bool { sleepers > 0 || (isFollowed && fullCount >= tellsAt) }
}
