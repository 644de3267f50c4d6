// The ring thread: takes blocks from the kernel in order, one block = one pass, and gives them back.
// It never prints, never touches a file, never waits for a reader.
internal import CPcapShim
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// An interface that an unbound ring has met. The tap point is valid while the Ifnet is.
struct KnownInterface {
  var index: UInt32
  var isLoopback: Bool
  var point: TapPoint
  var ifnet: BPF.Ifnet
}

/// The same for the ring thread's look-up: no reference, nothing to count.
private struct KnownPoint {
  var index: UInt32
  var isLoopback: Bool
  var point: TapPoint
}

/// Where the frames of a ring go.
enum FrameTarget: Sendable {
  /// All to one tap point.
  case one(TapPoint)
  /// Each to the tap point of its interface; asked for those that are not known yet, on the ring thread.
  case byIndex(@Sendable (_ index: UInt32, _ hardwareType: UInt16) -> KnownInterface?)
}

/// What the ring thread and those who command it share.
final class RingControl: @unchecked Sendable {
  let stop = Atomic<Bool>(false)
  /// The tap points of interfaces are to be asked for again.
  let forget = Atomic<Bool>(false)
  /// Frames whose passes are over.
  let processed = Atomic<UInt64>(0)
  /// The longest pass so far, ns; written by the ring thread alone.
  let longestPass = Atomic<Int64>(0)
  /// Frames of blocks that were taken and that the other ring of an exchange delivers.
  let skipped = Atomic<UInt64>(0)
  /// SO_ERROR values seen, the last one; for the engine's messages.
  let lastError = Atomic<Int32>(0)
  let wake: CInt

  private let exchangeLock = Lock(rank: .leaf)
  // Guarded by `exchangeLock`.
  private var postedSeam: RingSeam?
  private var knownSeam: RingSeam?
  private var seamCounts = SeamCounts()
  private let hasSeam = Atomic<Bool>(false)
  /// Somebody wants to know whether frames have stamps that other sockets see, too.
  let looksForStamps = Atomic<Bool>(false)
  /// Such a frame was seen.
  let hasStamps = Atomic<Bool>(false)
  /// The ring thread has chosen the seam.
  private let joined = Atomic<Bool>(false)
  /// The ring thread reads the new ring alone.
  let hasMoved = Atomic<Bool>(false)

  init() { wake = swpcap_event_open() }

  /// Tells the ring thread of an exchange, or how it ends.
  func post(_ seam: RingSeam) {
    exchangeLock.withLock {
      postedSeam = seam
      knownSeam = seam
    }
    hasSeam.store(true, ordering: .releasing)
    signal()
  }

  /// The ring thread has chosen the seam, and these are the kernel's counts of then.
  func hasJoined(_ counts: SeamCounts) {
    exchangeLock.withLock { seamCounts = counts }
    joined.store(true, ordering: .releasing)
  }

  var hasJoined: Bool { joined.load(ordering: .acquiring) }

  func willJoin() { joined.store(false, ordering: .relaxed) }

  /// What the kernel had counted at the seam, once; nothing before.
  func takeSeamCounts() -> SeamCounts {
    guard hasJoined else { return SeamCounts() }
    return exchangeLock.withLock {
      defer { seamCounts = SeamCounts() }
      return seamCounts
    }
  }

  /// What was posted last.
  var lastSeam: RingSeam? { exchangeLock.withLock { knownSeam } }

  /// What was posted since the last call.
  func takeSeam() -> RingSeam? {
    guard hasSeam.exchange(false, ordering: .acquiring) else { return nil }
    return exchangeLock.withLock {
      defer { postedSeam = nil }
      return postedSeam
    }
  }

  func signal() { swpcap_event_signal(wake) }

  deinit { if wake >= 0 { closeDescriptor(wake) } }
}

/// Reads one ring until it is told to stop.
struct RingLoop: ~Copyable {
  var place: RingPlace
  let control: RingControl
  private var reader = TapReader()
  /// The ring that follows, until it is the only one.
  var following: RingPlace?
  var seam: RingSeam?
  /// Blocks of the ring that follows, copied so that it does not fill up meanwhile, and the frames of each.
  var stash: [(block: UInt64, frames: UInt64)] = []
  var stashedBytes = 0
  /// The greatest stamp that the old ring of an exchange has shown.
  var latest: UInt64 = 0
  private var known: [KnownPoint] = []
  /// Keeps the interfaces of `known` alive.
  private var kept: [BPF.Ifnet] = []

  init(socket: CInt, ring: swpcap_ring, control: RingControl) {
    place = RingPlace(socket: socket, ring: ring)
    self.control = control
  }

  mutating func run(_ target: FrameTarget) {
    while true {
      // The words are read before the blocks: who sets them knows that blocks of before are seen.
      let stopping = control.stop.load(ordering: .acquiring)
      if control.forget.exchange(false, ordering: .acquiring) {
        known = []
        kept = []
      }
      if let posted = control.takeSeam() { join(posted) }
      if seam != nil {
        takeJoining(target, all: stopping)
      } else {
        while takeBlock(target, keeping: .all) {}
      }
      if stopping { return }
      let ready = swpcap_wait_both(place.socket, otherSocket, control.wake, -1)
      if ready & SWPCAP_READY_WAKE != 0 { swpcap_event_clear(control.wake) }
      // An error that is not read would make every later wait return at once.
      if ready & SWPCAP_READY_ERROR != 0 { readErrors() }
    }
  }

  private func readErrors() {
    control.lastError.store(swpcap_socket_error(place.socket), ordering: .relaxed)
    if let other = following?.socket { control.lastError.store(swpcap_socket_error(other), ordering: .relaxed) }
  }

  /// One block of `place`, if the kernel has handed it over.
  mutating func takeBlock(_ target: FrameTarget, keeping: SeamSide) -> Bool {
    let block = place.block
    guard swpcap_block_status(block) & UInt32(TP_STATUS_USER) != 0 else { return false }
    let frames = swpcap_block_frames(block)
    let skipped = keeping == .all ? 0 : sort(block, keeping)
    if _slowPath(control.looksForStamps.load(ordering: .relaxed)), swpcap_block_stamped(block) == 1 {
      control.hasStamps.store(true, ordering: .relaxed)
    }
    pass(block, target)
    control.processed.wrappingAdd(UInt64(frames - skipped), ordering: .releasing)
    swpcap_block_release(block)
    place.advance(frames)
    return true
  }

  /// One pass over a block, or over a copy of one.
  mutating func pass(_ block: UInt64, _ target: FrameTarget) {
    let frames = swpcap_block_frames(block)
    let began = Clock.monotonic()
    switch target {
    case .one(let point):
      if reader.begin(point) {
        if reader.isPlain {
          RingLoop.plainPass(block, frames, &reader)
        } else {
          RingLoop.pass(block, frames, &reader)
        }
        reader.end()
      }
    case .byIndex(let resolve):
      passByIndex(block, frames, resolve)
    }
    let taken = Clock.monotonic() - began
    if taken > control.longestPass.load(ordering: .relaxed) { control.longestPass.store(taken, ordering: .relaxed) }
  }

  /// The hot loop: every frame of a block to one tap point.
  @inline(never)
  private static func pass(_ block: UInt64, _ frames: UInt32, _ reader: inout TapReader) {
    var address = swpcap_block_first(block)
    var frame = swpcap_frame()
    for _ in 0..<frames {
      // SAFETY: the block is ours until it is released; the kernel wrote `frames` frames into it, each with the distance to
      // the next.
      unsafe swpcap_frame_read(address, &frame)
      address &+= UInt64(frame.next)
      RingLoop.tap(frame, &reader)
    }
  }

  /// Frames of a run at most: its lock is not held longer than that takes.
  private static let runSize: UInt32 = 256

  /// The same for a single peer without a program: records are written in the loop that reads the frames.
  @inline(never)
  private static func plainPass(_ block: UInt64, _ frames: UInt32, _ reader: inout TapReader) {
    var address = swpcap_block_first(block)
    var frame = swpcap_frame()
    var left = frames
    while left > 0 {
      guard var run = reader.openRun() else {
        // Nobody is there any more; the frames are counted nowhere.
        return
      }
      var part = min(left, runSize)
      left &-= part
      var isLeftOver = false
      while part > 0 {
        // SAFETY: as in pass().
        unsafe swpcap_frame_read(address, &frame)
        address &+= UInt64(frame.next)
        part &-= 1
        if !RingLoop.write(frame, &run) {
          isLeftOver = true
          break
        }
      }
      left &+= part
      reader.closeRun(run)
      // It begins a new slot, is cut, or is dropped: the long way.
      if isLeftOver {
        RingLoop.tap(frame, &reader)
        reader.endPart()
      }
    }
  }

  /// Writes one frame as the next record of a run. Returns false when it does not fit.
  @inline(__always)
  private static func write(_ frame: swpcap_frame, _ run: inout TapRun) -> Bool {
    guard frame.len > 0 else { return true }
    let way: BPF.Way = frame.packet_type == UInt8(SWPCAP_PACKET_OUTGOING) ? .sent : .received
    if way == run.hidden {
      run.hiddenFrames &+= 1
      return true
    }
    let size = BPF.savefileHeaderSize &+ Int(frame.caplen)
    let place = unsafe run.place
    if unsafe _slowPath(place + size > run.limit) { return false }
    // SAFETY: `size` bytes are free at `place`; the frame has `caplen` bytes in the block of this pass.
    unsafe place.storeBytes(of: frame.seconds, as: UInt32.self)
    let fraction = run.nanoseconds ? frame.nanoseconds : frame.nanoseconds / 1000
    unsafe place.storeBytes(of: fraction, toByteOffset: 4, as: UInt32.self)
    unsafe place.storeBytes(of: frame.caplen, toByteOffset: 8, as: UInt32.self)
    unsafe place.storeBytes(of: frame.len, toByteOffset: 12, as: UInt32.self)
    unsafe swpcap_copy(place + BPF.savefileHeaderSize, frame.data, frame.caplen)
    unsafe run.place = unsafe place + size
    run.records &+= 1
    if _slowPath(frame.caplen < frame.len) { run.cut &+= 1 }
    return true
  }

  /// Taps one frame: writes it, field by field, where the reader collects a part.
  @inline(__always)
  private static func tap(_ frame: swpcap_frame, _ reader: inout TapReader) {
    // SAFETY: there is room for one more frame; its address is that of `caplen` bytes in the block or buffer of this pass.
    let tapped = unsafe reader.frames + reader.frameCount
    unsafe tapped.pointee.base = UnsafeRawPointer(bitPattern: UInt(frame.data)).unsafelyUnwrapped
    unsafe tapped.pointee.captured = frame.caplen
    unsafe tapped.pointee.length = frame.len
    unsafe tapped.pointee.seconds = frame.seconds
    unsafe tapped.pointee.nanoseconds = frame.nanoseconds
    if reader.needsMetadata { unsafe RingLoop.describe(frame, tapped) }
    unsafe tapped.pointee.way = frame.packet_type == UInt8(SWPCAP_PACKET_OUTGOING) ? .sent : .received
    guard frame.len > 0 else { return }
    reader.frameCount &+= 1
    if reader.frameCount == reader.partLimit { reader.endPart() }
  }

  @inline(__always)
  private static func describe(_ frame: swpcap_frame, _ tapped: UnsafeMutablePointer<TapFrame>) {
    unsafe tapped.pointee.metadata.packetType = frame.packet_type
    unsafe tapped.pointee.metadata.vlanPresent = frame.vlan_present != 0
    unsafe tapped.pointee.metadata.vlanTag = frame.vlan_tag
    unsafe tapped.pointee.metadata.protocolType = frame.protocol
    unsafe tapped.pointee.metadata.hardwareType = frame.hatype
    unsafe tapped.pointee.metadata.interfaceIndex = frame.ifindex
    unsafe tapped.pointee.metadata.addressLength = frame.address_length
    unsafe tapped.pointee.metadata.address = frame.address
  }

  /// Frames of many interfaces: each run of frames of one interface is a pass.
  private mutating func passByIndex(
    _ block: UInt64, _ frames: UInt32, _ resolve: (UInt32, UInt16) -> KnownInterface?
  ) {
    var address = swpcap_block_first(block)
    var frame = swpcap_frame()
    var current: UInt32 = 0
    var isLoopback = false
    var isOpen = false
    for _ in 0..<frames {
      unsafe swpcap_frame_read(address, &frame)
      address += UInt64(frame.next)
      if frame.ifindex != current {
        if isOpen { reader.end() }
        isOpen = false
        current = frame.ifindex
        if let one = interface(frame, resolve) {
          isLoopback = one.isLoopback
          isOpen = reader.begin(one.point)
        }
      }
      // The kernel shows a loopback frame twice, leaving and arriving; one tap is enough.
      if isOpen && !(isLoopback && frame.packet_type == UInt8(SWPCAP_PACKET_OUTGOING)) {
        RingLoop.tap(frame, &reader)
      }
    }
    if isOpen { reader.end() }
  }

  private mutating func interface(
    _ frame: swpcap_frame, _ resolve: (UInt32, UInt16) -> KnownInterface?
  ) -> KnownPoint? {
    if let place = known.firstIndex(where: { $0.index == frame.ifindex }) { return known[place] }
    guard let found = resolve(frame.ifindex, frame.hatype) else { return nil }
    let one = KnownPoint(index: found.index, isLoopback: found.isLoopback, point: found.point)
    known.append(one)
    kept.append(found.ifnet)
    return one
  }

  // MARK: Without a ring

  /// Reads the socket with recvmmsg until told to stop: for kernels without rings. One batch = one pass.
  static func receive(socket: CInt, control: RingControl, target: FrameTarget) {
    guard let batch = unsafe swpcap_batch_new(32, 256 << 10) else { return }
    defer { unsafe swpcap_batch_free(batch) }
    var reader = TapReader()
    var frame = swpcap_frame()
    while true {
      let stopping = control.stop.load(ordering: .acquiring)
      while true {
        let count = unsafe swpcap_batch_receive(socket, batch)
        if count < 0 { control.lastError.store(-count, ordering: .relaxed) }
        guard count > 0 else { break }
        var isOpen = false
        var current: UInt32 = 0
        var isLoopback = false
        var kept: BPF.Ifnet?
        for index in 0..<UInt32(count) {
          unsafe swpcap_batch_frame(batch, index, &frame)
          switch target {
          case .one(let point):
            if index == 0 { isOpen = reader.begin(point) }
          case .byIndex(let resolve):
            if index == 0 || frame.ifindex != current {
              if isOpen { reader.end() }
              current = frame.ifindex
              let found = resolve(frame.ifindex, frame.hatype)
              kept = found?.ifnet
              isLoopback = found?.isLoopback ?? false
              isOpen = found.map { reader.begin($0.point) } ?? false
            }
          }
          if isOpen && !(isLoopback && frame.packet_type == UInt8(SWPCAP_PACKET_OUTGOING)) {
            RingLoop.tap(frame, &reader)
          }
        }
        withExtendedLifetime(kept) { if isOpen { reader.end() } }
        control.processed.wrappingAdd(UInt64(count), ordering: .releasing)
      }
      if stopping { return }
      let ready = swpcap_wait(socket, control.wake, -1)
      if ready & SWPCAP_READY_WAKE != 0 { swpcap_event_clear(control.wake) }
      if ready & SWPCAP_READY_ERROR != 0 { control.lastError.store(swpcap_socket_error(socket), ordering: .relaxed) }
    }
  }
}
