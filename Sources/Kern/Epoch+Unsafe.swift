// Epoch: readers that never wait, writers that free only what no reader can still see.
// Called by taps (readers) and by attach, detach and program changes (writers).
import Glibc
import Synchronization

/// Deferred freeing for lockless readers. (`pserialize`, `epoch(9)`)
///
/// A reader announces the clock's value when it enters and zero when it leaves. A writer first takes a thing out of reach
/// (one sequentially consistent store), then retires it: the clock ticks, and the thing is freed when every reader is
/// outside or has entered after the tick.
///
/// Why that is enough: a reader whose announced value is not below the tick loaded the clock after it ticked, thus after
/// the thing was out of reach. A reader seen outside either has left (its release store makes its loads earlier) or will
/// announce itself after the writer looked, and its next load of the pointer then comes after the writer's store in the
/// single order of sequentially consistent operations.
/// - Threads: any. Readers take no lock; retiring takes a short one.
@safe package final class Epoch: @unchecked Sendable {
  /// The domain that all tap points share.
  package static let shared = Epoch()

  /// More readers than this at one time trap: a reader is a ring thread or a borrowed one, not a peer.
  private static let maximumReaders = 1024
  /// With so many things waiting, a retiring thread waits for the readers.
  private static let maximumPending = 4096
  /// Room for so many stays when nothing waits.
  private static let keptCapacity = 512

  /// One reader's announcement, alone on its cache lines.
  fileprivate struct Slot: ~Copyable {
    let entered = Atomic<UInt64>(0)
    let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    let more: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
  }

  fileprivate final class Shared: Sendable {
    let clock = Atomic<UInt64>(1)
  }

  private struct Retired {
    let tick: UInt64
    /// Frees the thing; false: somebody outside the epoch still holds it, ask again.
    let free: () -> Bool
  }

  fileprivate let time = Shared()
  private let slots: UnsafeMutablePointer<Slot>
  private let lock = Lock(rank: .epoch)
  private let work = Condition()
  private var taken: [Bool]
  private var highest = 0
  private var pending: [Retired] = []
  private var collector: Thread?

  package init() {
    // SAFETY: lives as long as the domain; readers keep the domain alive.
    unsafe slots = .allocate(capacity: Epoch.maximumReaders)
    for index in 0..<Epoch.maximumReaders { unsafe (slots + index).initialize(to: Slot()) }
    taken = [Bool](repeating: false, count: Epoch.maximumReaders)
  }

  deinit {
    unsafe slots.deinitialize(count: Epoch.maximumReaders)
    unsafe slots.deallocate()
  }

  /// A thread's right to read. Its owner enters and leaves from one thread at a time, never nested.
  @safe package struct Reader: ~Copyable, @unchecked Sendable {
    private let domain: Epoch
    private let time: Shared
    private let slot: UnsafeMutablePointer<Slot>
    private let index: Int

    fileprivate init(domain: Epoch, slot: UnsafeMutablePointer<Slot>, index: Int) {
      self.domain = domain
      self.time = domain.time
      unsafe self.slot = slot
      self.index = index
    }

    /// Enters: what is loaded from now on (sequentially consistent) stays valid until ``leave()``. (`pserialize_read_enter`)
    @inline(__always) package borrowing func enter() {
      if LockDebug.isOn { LockDebug.enteredEpoch() }
      Step.point(.loadsClock)
      let now = time.clock.load(ordering: .acquiring)
      unsafe Step.point(.enters, slot)
      unsafe slot.pointee.entered.store(now, ordering: .sequentiallyConsistent)
    }

    /// Leaves. (`pserialize_read_exit`)
    @inline(__always) package borrowing func leave() {
      if LockDebug.isOn { LockDebug.leftEpoch() }
      unsafe Step.point(.leaves, slot)
      unsafe slot.pointee.entered.store(0, ordering: .releasing)
    }

    deinit { domain.giveBack(index) }
  }

  /// Makes a reader. Not for the packet path: takes a lock.
  package func reader() -> Reader {
    lock.withLock {
      guard let index = taken.firstIndex(of: false) else { preconditionFailure("more than 1024 epoch readers") }
      taken[index] = true
      highest = max(highest, index + 1)
      // SAFETY: the slot is inside the allocation and is this reader's alone until it is given back.
      return unsafe Reader(domain: self, slot: slots + index, index: index)
    }
  }

  private func giveBack(_ index: Int) {
    lock.withLock { taken[index] = false }
  }

  /// Frees a thing that the caller has just put out of reach, when no reader can see it any more: now if possible, else by
  /// whoever retires next or by the collector within 50 ms. (`epoch_call`)
  ///
  /// Waits only when 4096 things are waiting. - Parameter free: returns false to be asked again later.
  package func retire(_ free: @escaping () -> Bool) {
    lock.lock()
    Step.point(.ticks)
    let tick = time.clock.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    pending.append(Retired(tick: tick, free: free))
    var done = takeFreeable()
    while pending.count >= Epoch.maximumPending {
      lock.unlock()
      Epoch.run(&done, in: self)
      usleep(100)
      lock.lock()
      done = takeFreeable()
    }
    if !pending.isEmpty { wakeCollector() }
    lock.unlock()
    Epoch.run(&done, in: self)
  }

  private func wakeCollector() {
    lock.assertHeld()
    if Step.isExplored { return }
    // Without one whoever retires next frees, and tries again.
    if collector == nil { collector = try? Thread(starting: "swbpf-epoch") { self.collect() } }
    work.broadcast()
  }

  /// Waits until every reader that was inside has left. (`pserialize_perform`)
  package func synchronize() {
    LockDebug.sleeping("pserialize_perform")
    let tick = time.clock.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    while lock.withLock({ oldestReader() }) < tick { usleep(50) }
  }

  /// How many things wait to be freed.
  package var pendingCount: Int { lock.withLock { pending.count } }

  /// The earliest announced value; the largest number when nobody is inside.
  private func oldestReader() -> UInt64 {
    lock.assertHeld()
    var oldest = UInt64.max
    if Step.has(.freesWithoutWaiting) { return oldest }
    for index in 0..<highest {
      // SAFETY: within the allocation.
      unsafe Step.point(.looksAtReader, slots + index)
      let entered = unsafe slots[index].entered.load(ordering: .sequentiallyConsistent)
      if entered != 0 && entered < oldest { oldest = entered }
    }
    return oldest
  }

  /// Takes what may be freed out of the list, in the order in which it was retired.
  private func takeFreeable() -> [Retired] {
    lock.assertHeld()
    let oldest = oldestReader()
    let count = pending.firstIndex { $0.tick > oldest } ?? pending.count
    guard count > 0 else { return [] }
    let done = Array(pending.prefix(count))
    pending.removeFirst(count)
    // After a time in which readers were held up, the room of thousands is given back.
    if pending.isEmpty && pending.capacity > Epoch.keptCapacity { pending = [] }
    return done
  }

  private static func run(_ done: inout [Retired], in epoch: Epoch) {
    let again = done.filter { !$0.free() }
    done = []
    guard !again.isEmpty else { return }
    epoch.lock.withLock {
      epoch.pending.insert(contentsOf: again, at: 0)
      epoch.wakeCollector()
    }
  }

  /// The collector: asleep while nothing waits. The shared domain lives for ever; other domains are made by tests that
  /// leave nothing pending.
  private func collect() {
    lock.lock()
    while true {
      while pending.isEmpty { _ = lock.wait(work) }
      var done = takeFreeable()
      let blocked = done.isEmpty
      lock.unlock()
      Epoch.run(&done, in: self)
      usleep(blocked ? 5000 : 1000)
      lock.lock()
    }
  }
}
