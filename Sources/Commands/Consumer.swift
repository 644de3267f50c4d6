// The consumer: takes slots from descriptors and gives them to the output. One thread.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFKern
import Synchronization

/// Reads descriptors until they are detached and empty, or the output ends.
final class Consumer: @unchecked Sendable {
  private let descriptors: [any CaptureReader]
  private let output: Output
  /// How long a record may wait in a slot that is not full, ns; 0 in immediate mode.
  private let delay: Int64
  /// Who may wait this long, ns, is woken for several full slots at a time.
  private static let patience: Int64 = 1_000_000_000
  private let ready: CInt
  private let never: CInt
  private let wantsFlush = Atomic<Bool>(false)
  private let isEnding = Atomic<Bool>(false)
  private let isHeld = Atomic<Bool>(false)
  /// The thread has seen `isHeld`.
  private let isQuiet = Atomic<Bool>(false)
  private let progressed = Atomic<UInt64>(0)
  /// Of several descriptors.
  private var merge: StampMerge
  /// Set by the thread before it finishes.
  private(set) var failure: String?
  /// An interface of a single capture went away: the thread asks what to do.
  private let onDeparture: (any CaptureReader) -> Bool

  /// - Parameter onDeparture: on the consumer's thread; true when the descriptor is or will be attached again.
  init(
    _ descriptors: [any CaptureReader], output: Output, delay: Int64, onDeparture: @escaping (any CaptureReader) -> Bool
  ) {
    self.descriptors = descriptors
    self.output = output
    self.delay = delay
    merge = StampMerge(sources: descriptors.count)
    self.onDeparture = onDeparture
    ready = swpcap_event_open()
    never = swpcap_event_open()
    // One counter behind all: each descriptor owns a duplicate.
    for descriptor in descriptors {
      let slots = descriptor.slotCount
      descriptor.follow(event: dup(ready), full: delay >= Consumer.patience ? min(4, max(1, slots / 4)) : 1)
    }
    // What was stored between attaching and now told nobody.
    swpcap_event_signal(ready)
  }

  deinit {
    close(ready)
    close(never)
  }

  /// From any thread: what is stored goes out now.
  func flush() {
    wantsFlush.store(true, ordering: .releasing)
    swpcap_event_signal(ready)
  }

  /// From the main thread: packets stay in the buffers until this is taken back, or the end. Waits up to 200 ms until the
  /// output is quiet; it comes too late for what it is just writing.
  func hold(_ on: Bool) {
    isQuiet.store(false, ordering: .relaxed)
    isHeld.store(on, ordering: .releasing)
    swpcap_event_signal(ready)
    for _ in 0..<200 where on && !isQuiet.load(ordering: .acquiring) { usleep(1000) }
  }

  /// From any thread, when no more frames come in: read what is left, and end when the descriptors are detached.
  func end() {
    isEnding.store(true, ordering: .releasing)
    swpcap_event_signal(ready)
  }

  /// From any thread: look at the descriptors again.
  func wake() { swpcap_event_signal(ready) }

  /// Grows while the output takes something.
  var progress: UInt64 { progressed.load(ordering: .relaxed) }

  func run() {
    // Where both share a core, the ring thread goes first: the kernel's ring is smaller than our buffers.
    swpcap_thread_nice(5)
    do {
      try consume()
      try output.flush()
    } catch {
      if case .failed(let text) = error { failure = text }
    }
  }

  private func consume() throws(Output.Stop) {
    var deadline: Int64?
    while !output.isFull {
      let now = Clock.monotonic()
      var wait = deadline.map { Int32(clamping: max(0, ($0 - now + 999_999) / 1_000_000)) } ?? -1
      // Whatever comes after this is told.
      if deadline == nil && !descriptors.allSatisfy({ $0.mayWait() }) { wait = 0 }
      // A reader may wake by a descriptor of its own.
      let wakes = descriptors[0].wakes
      if swpcap_wait(ready, wakes >= 0 ? wakes : never, wait) != 0 { swpcap_event_clear(ready) }
      let ending = isEnding.load(ordering: .acquiring)
      if isHeld.load(ordering: .acquiring) && !ending {
        deadline = nil
        isQuiet.store(true, ordering: .releasing)
        continue
      }
      let flushing = wantsFlush.exchange(false, ordering: .acquiring)
      let isDue = delay == 0 || flushing || ending || deadline.map { Clock.monotonic() >= $0 } ?? false
      let alive = try takeAll(rotating: isDue)
      if isDue { deadline = nil }
      if flushing { try output.flush() }
      if !alive && ending { return }
      if !merge.isEmpty {
        deadline = min(deadline ?? .max, Clock.monotonic() + Consumer.lateness)
        continue
      }
      if deadline == nil && delay > 0 && descriptors.contains(where: { $0.storedBytes > 0 }) {
        deadline = Clock.monotonic() + delay
      }
    }
  }

  /// Takes what is there from every descriptor. Returns whether frames can still come.
  private func takeAll(rotating: Bool) throws(Output.Stop) -> Bool {
    if descriptors.count > 1 { return try takeMerged(rotating: rotating) }
    while !output.isFull && (!isHeld.load(ordering: .relaxed) || isEnding.load(ordering: .relaxed)) {
      do {
        guard let slot = try descriptors[0].takeSlot(rotating: rotating) else { return true }
        try output.take(slot)
        progressed.wrappingAdd(1, ordering: .relaxed)
      } catch let error as Output.Stop {
        throw error
      } catch BPF.Failure.departed where !isEnding.load(ordering: .acquiring) {
        return onDeparture(descriptors[0])
      } catch {
        return false
      }
    }
    return true
  }

  // MARK: Several interfaces

  /// A frame that a descriptor did not have when it was asked is not older than that by more, ns: it sat in a block of the
  /// ring that was not full, or waited for the ring's thread.
  private static let lateness: Int64 = 50_000_000
  /// With so much held back, slots are taken before they are full, so that sources say how far they are.
  private static let manyBytes = 4 << 20

  /// Takes what every descriptor has, and gives out in the order of stamps what no frame of another can precede.
  private func takeMerged(rotating isDue: Bool) throws(Output.Stop) -> Bool {
    var alive = false
    let rotating = isDue || merge.byteCount > Consumer.manyBytes
    for (place, descriptor) in descriptors.enumerated() {
      do {
        let asked = Clock.wall()
        while let slot = try descriptor.takeSlot(rotating: rotating) {
          slot.eachRecord { record in
            unsafe record.frame.withUnsafeBytes {
              unsafe merge.add(
                place, seconds: record.seconds, nanoseconds: record.nanoseconds, length: UInt32(record.wireLength), $0)
            }
          }
          progressed.wrappingAdd(1, ordering: .relaxed)
        }
        merge.resumed(place)
        if rotating { merge.reached(place, asked - Consumer.lateness) }
        alive = true
      } catch BPF.Failure.departed where !isEnding.load(ordering: .acquiring) {
        merge.ended(place)
        if onDeparture(descriptor) { alive = true }
      } catch {
        merge.ended(place)
      }
    }
    try releaseMerged(all: !alive)
    return alive
  }

  private func releaseMerged(all: Bool) throws(Output.Stop) {
    var wrote = false
    try merge.release(all: all) { (stamp, length, frame) throws(Output.Stop) in
      if output.isFull { return false }
      try output.take(
        seconds: stamp / 1_000_000_000, nanoseconds: UInt32(stamp % 1_000_000_000), length: length, frame: frame,
        keeping: frame.byteCount)
      wrote = true
      return !output.isFull
    }
    if wrote { try output.flush() }
  }
}
