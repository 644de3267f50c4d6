// The tap: one pass shows the frames of one block to every peer. (`bpf_mtap`)
// Called by ring threads and whoever else taps; each thread with a TapReader of its own.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// A frame on its way through a tap. Addresses are valid during the pass only.
@safe package struct TapFrame {
  /// The first byte of the link header.
  package var base: UnsafeRawPointer
  /// Bytes present.
  package var captured: UInt32
  /// Bytes on the wire, a VLAN tag included.
  package var length: UInt32
  /// The kernel's stamp, wall clock.
  package var seconds: UInt32
  package var nanoseconds: UInt32
  /// What programs of expressions and cooked records need to know beside the bytes.
  package var metadata: FrameMetadata

  package init(
    base: UnsafeRawPointer, captured: UInt32, length: UInt32, seconds: UInt32, nanoseconds: UInt32,
    metadata: FrameMetadata
  ) {
    unsafe self.base = unsafe base
    self.captured = captured
    self.length = length
    self.seconds = seconds
    self.nanoseconds = nanoseconds
    self.metadata = metadata
  }

  /// A frame to be filled in field by field: a loop keeps one and overwrites it, which costs no call.
  /// - Parameter base: any address.
  package init(at base: UnsafeRawPointer) {
    unsafe self.init(base: base, captured: 0, length: 0, seconds: 0, nanoseconds: 0, metadata: FrameMetadata())
  }
}

/// What a thread needs to tap: its place in the epoch and fixed lists of what a pass found.
///
/// A pass is ``begin(_:)``, any number of ``tap(_:_:)``, ``end()``. It takes no lock but each peer's buffer lock, once,
/// and makes no system call but the wake-ups after it has left the epoch.
/// - Threads: one at a time.
@safe package struct TapReader: ~Copyable {
  /// What one pass knows and counts of one peer; loaded once per pass.
  @safe private struct Peer {
    var node: UnsafeMutablePointer<PeerNode>
    /// A copy: its instructions live until the epoch ends.
    var program: ProgramCode?
    var birth: Int64
    var generation: UInt64
    var offered: UInt64
    var hidden: UInt64
    var refused: UInt64
    var direction: UInt32
    var head: Int32
    var tail: Int32
    var sawOlder: Bool
  }

  /// A frame that a peer wants.
  @safe private struct Match {
    var base: UnsafeRawPointer
    var take: UInt32
    var captured: UInt32
    var length: UInt32
    var seconds: UInt32
    var nanoseconds: UInt32
    var metadata: Int32
    var next: Int32
  }

  private let reader: Epoch.Reader
  private var peers: UnsafeMutablePointer<Peer>
  private var peerCapacity: Int
  private var peerCount = 0
  private var matches: UnsafeMutablePointer<Match>
  private var matchCount: Int32 = 0
  private var metadata: UnsafeMutablePointer<FrameMetadata>
  private var wakes: UnsafeMutablePointer<UnsafeMutablePointer<BufferState>>
  private var wakeCount = 0
  private var cooks = false
  private var births = false
  private var framesSeen = false

  /// A part of a pass ends with so many matches for each peer: its frames are still in the nearest cache when they are copied.
  private static let matchesPerPart: Int32 = 128
  private var partLimit: Int32 = 0

  package init(epoch: Epoch = .shared) {
    reader = epoch.reader()
    peerCapacity = 64
    unsafe peers = .allocate(capacity: peerCapacity)
    unsafe wakes = .allocate(capacity: peerCapacity)
    unsafe matches = .allocate(capacity: TapReader.matchCapacity(peerCapacity))
    unsafe metadata = .allocate(capacity: TapReader.matchCapacity(peerCapacity))
  }

  deinit {
    unsafe peers.deallocate()
    unsafe wakes.deallocate()
    unsafe matches.deallocate()
    unsafe metadata.deallocate()
  }

  /// Opens a pass over the peers of a tap point.
  /// - Returns: false when nobody listens; then there is nothing to end.
  package mutating func begin(_ point: TapPoint) -> Bool {
    guard point.hasPeers else { return false }
    reader.enter()
    // Loaded again, inside the epoch: only this value may be used.
    // SAFETY: lists and nodes seen inside the epoch are freed only after it.
    let raw = unsafe point.gate.pointee.peers.load(ordering: .sequentiallyConsistent)
    let list = unsafe raw.assumingMemoryBound(to: PeerList.self)
    let count = unsafe list.pointee.count
    if count == 0 {
      reader.leave()
      return false
    }
    if count > peerCapacity { grow(count) }
    peerCount = count
    partLimit = TapReader.matchesPerPart * Int32(min(count, 32))
    matchCount = 0
    cooks = false
    births = false
    framesSeen = false
    let nodes = unsafe PeerList.nodes(of: list)
    var now: Int64 = 0
    for index in 0..<count {
      let node = unsafe nodes[index]
      let state = unsafe node.pointee.buffers
      var birth = unsafe node.pointee.birth.load(ordering: .relaxed)
      if birth != 0 {
        if now == 0 { now = Clock.monotonic() }
        if unsafe now > node.pointee.birthExpires.load(ordering: .relaxed) {
          _ = unsafe node.pointee.birth.compareExchange(expected: birth, desired: 0, ordering: .relaxed)
          birth = 0
        } else {
          births = true
        }
      }
      if unsafe node.pointee.cookedFrom >= 0 { cooks = true }
      unsafe (peers + index).initialize(
        to: Peer(
          node: node,
          program: unsafe node.pointee.program.load(ordering: .sequentiallyConsistent)?.load(as: ProgramCode.self),
          birth: birth, generation: state.pointee.generation.load(ordering: .acquiring), offered: 0, hidden: 0,
          refused: 0, direction: state.pointee.direction.load(ordering: .relaxed), head: -1, tail: -1,
          sawOlder: false))
    }
    return true
  }

  /// A part's matches, and one frame's for every peer.
  private static func matchCapacity(_ peers: Int) -> Int { Int(matchesPerPart) * 32 + peers }

  /// Makes room for more peers than there ever were; out of line, as the rest of the pass allocates nothing.
  @inline(never)
  private mutating func grow(_ count: Int) {
    unsafe peers.deallocate()
    unsafe wakes.deallocate()
    unsafe matches.deallocate()
    unsafe metadata.deallocate()
    peerCapacity = count * 2
    unsafe peers = .allocate(capacity: peerCapacity)
    unsafe wakes = .allocate(capacity: peerCapacity)
    unsafe matches = .allocate(capacity: TapReader.matchCapacity(peerCapacity))
    unsafe metadata = .allocate(capacity: TapReader.matchCapacity(peerCapacity))
  }

  /// Offers one frame to every peer that wants its direction. (`bpf_mtap`)
  ///
  /// Matches are noted here and stored when the pass ends, so the frame must stay where it is until then.
  /// - Cost: no lock, no allocation, no retain.
  /// - Parameter way: as seen by the interface, from the caller.
  @inline(__always)
  package mutating func tap(_ frame: inout TapFrame, _ way: BPF.Way) {
    if frame.length == 0 { return }
    if _slowPath(matchCount >= partLimit) { store() }
    framesSeen = true
    let hiddenFrom = way == .sent ? BPF.Direction.in.rawValue : BPF.Direction.out.rawValue
    var note: Int32 = -1
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if _slowPath(births), unsafe peer.pointee.birth != 0 {
        let stamp = Int64(frame.seconds) &* 1_000_000_000 &+ Int64(frame.nanoseconds)
        if unsafe stamp < peer.pointee.birth {
          unsafe peer.pointee.sawOlder = true
          continue
        }
      }
      unsafe peer.pointee.offered &+= 1
      if unsafe peer.pointee.direction == hiddenFrom {
        unsafe peer.pointee.hidden &+= 1
        continue
      }
      var take = UInt32.max
      if let program = unsafe peer.pointee.program {
        // SAFETY: the program is freed only after this epoch; the packet's bytes belong to the pass.
        take = unsafe Interpreter.run(
          program, packet: frame.base, wireLength: frame.length, captured: frame.captured, metadata: &frame.metadata)
        if take == 0 {
          unsafe peer.pointee.refused &+= 1
          continue
        }
      }
      if cooks, note < 0 {
        note = matchCount
        unsafe (metadata + Int(matchCount)).initialize(to: frame.metadata)
      }
      // SAFETY: room was made above for one match of every peer.
      unsafe (matches + Int(matchCount)).initialize(
        to: Match(
          base: frame.base, take: take, captured: frame.captured, length: frame.length, seconds: frame.seconds,
          nanoseconds: frame.nanoseconds, metadata: note, next: -1))
      if unsafe peer.pointee.tail >= 0 {
        unsafe matches[Int(peer.pointee.tail)].next = matchCount
      } else {
        unsafe peer.pointee.head = matchCount
      }
      unsafe peer.pointee.tail = matchCount
      matchCount &+= 1
    }
  }

  /// Ends the pass: stores what was found, leaves the epoch, wakes readers.
  package mutating func end() {
    store()
    if births && framesSeen { settleBirths() }
    reader.leave()
    wake()
  }

  /// Step 4: each peer with a match or a count, under its buffer lock.
  private mutating func store() {
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if unsafe peer.pointee.offered == 0 { continue }
      let state = unsafe peer.pointee.node.pointee.buffers
      unsafe state.pointee.lock.lock()
      if unsafe peer.pointee.node.pointee.live
        && state.pointee.generation.load(ordering: .relaxed) == peer.pointee.generation
      {
        let wanted = unsafe append(peer, to: state)
        if wanted, unsafe state.pointee.slots.wantsWakeUp { unsafe note(state) }
      }
      unsafe state.pointee.lock.unlock()
      unsafe peer.pointee.offered = 0
      unsafe peer.pointee.hidden = 0
      unsafe peer.pointee.refused = 0
      unsafe peer.pointee.head = -1
      unsafe peer.pointee.tail = -1
    }
    matchCount = 0
  }

  /// Appends one peer's matches and counts. Returns whether a reader has something to read now.
  @inline(__always)
  private func append(_ peer: UnsafeMutablePointer<Peer>, to state: UnsafeMutablePointer<BufferState>) -> Bool {
    var next = unsafe peer.pointee.head
    var captured: UInt64 = 0
    var dropped: UInt64 = 0
    var cut: UInt64 = 0
    var rotated = false
    let wasSilent = unsafe !state.pointee.slots.hasStored
    let cookedFrom = unsafe peer.pointee.node.pointee.cookedFrom
    let nanoseconds = unsafe state.pointee.slots.nanoseconds
    let limit = unsafe UInt32(clamping: state.pointee.slots.slotSize - BPF.savefileHeaderSize)
    while next >= 0 {
      let match = unsafe matches + Int(next)
      unsafe next = match.pointee.next
      captured &+= 1
      var bytes = unsafe min(match.pointee.take, match.pointee.captured)
      var length = unsafe match.pointee.length
      var from = unsafe match.pointee.base
      // The kernel's block or our slot was too small for what the program asked for.
      var isCut = unsafe match.pointee.captured < min(match.pointee.take, match.pointee.length)
      var prefix: UInt32 = 0
      if _slowPath(cookedFrom >= 0) {
        let header = min(UInt32(cookedFrom), bytes)
        bytes -= header
        length -= min(UInt32(cookedFrom), length)
        unsafe from += Int(header)
        prefix = UInt32(BPF.cookedHeaderSize)
        length &+= prefix
      }
      if _slowPath(bytes &+ prefix > limit) {
        bytes = limit - prefix
        isCut = true
      }
      let size = BPF.savefileHeaderSize + Int(prefix) + Int(bytes)
      guard let place = unsafe state.pointee.slots.room(size, rotated: &rotated) else {
        dropped &+= 1
        continue
      }
      if isCut { cut &+= 1 }
      let fraction = unsafe nanoseconds ? match.pointee.nanoseconds : match.pointee.nanoseconds / 1000
      // SAFETY: room() gave `size` bytes; the frame has at least `bytes` bytes from `from` on.
      unsafe place.storeBytes(of: match.pointee.seconds, as: UInt32.self)
      unsafe place.storeBytes(of: fraction, toByteOffset: 4, as: UInt32.self)
      unsafe place.storeBytes(of: bytes &+ prefix, toByteOffset: 8, as: UInt32.self)
      unsafe place.storeBytes(of: length, toByteOffset: 12, as: UInt32.self)
      if _slowPath(prefix > 0) {
        unsafe TapReader.cook(metadata + Int(match.pointee.metadata), into: place + BPF.savefileHeaderSize)
      }
      unsafe memcpy(place + BPF.savefileHeaderSize + Int(prefix), from, Int(bytes))
    }
    unsafe state.pointee.slots.counters.offered &+= peer.pointee.offered
    unsafe state.pointee.slots.counters.hidden &+= peer.pointee.hidden
    unsafe state.pointee.slots.counters.refused &+= peer.pointee.refused
    unsafe state.pointee.slots.counters.captured &+= captured
    unsafe state.pointee.slots.counters.dropped &+= dropped
    unsafe state.pointee.slots.counters.cut &+= cut
    unsafe state.pointee.slots.counters.waiting &+= captured &- dropped
    if rotated { return true }
    guard captured > dropped else { return false }
    return unsafe state.pointee.slots.immediate || (state.pointee.slots.tellsFirst && wasSilent)
  }

  /// Writes a LINUX_SLL2 header; every field in network order.
  private static func cook(_ metadata: UnsafePointer<FrameMetadata>, into place: UnsafeMutableRawPointer) {
    let about = unsafe metadata.pointee
    unsafe place.storeBytes(of: about.protocolType.bigEndian, as: UInt16.self)
    unsafe place.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
    unsafe place.storeBytes(of: about.interfaceIndex.bigEndian, toByteOffset: 4, as: UInt32.self)
    unsafe place.storeBytes(of: about.hardwareType.bigEndian, toByteOffset: 8, as: UInt16.self)
    unsafe place.storeBytes(of: about.packetType, toByteOffset: 10, as: UInt8.self)
    unsafe place.storeBytes(of: about.addressLength, toByteOffset: 11, as: UInt8.self)
    unsafe place.storeBytes(of: about.address, toByteOffset: 12, as: UInt64.self)
  }

  /// A pass without an older frame ends the look at stamps: everything that follows is younger.
  private func settleBirths() {
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if unsafe peer.pointee.birth != 0 && !peer.pointee.sawOlder {
        _ = unsafe peer.pointee.node.pointee.birth.compareExchange(
          expected: peer.pointee.birth, desired: 0, ordering: .relaxed)
      }
    }
  }

  /// Remembers to wake a descriptor's readers after the pass; its lock is held.
  private mutating func note(_ state: UnsafeMutablePointer<BufferState>) {
    for index in 0..<wakeCount where unsafe wakes[index] == state { return }
    guard wakeCount < peerCapacity else { return unsafe BufferState.wake(state) }
    unsafe state.pointee.slots.pins += 1
    unsafe (wakes + wakeCount).initialize(to: state)
    wakeCount += 1
  }

  private mutating func wake() {
    for index in 0..<wakeCount {
      let state = unsafe wakes[index]
      // SAFETY: pinned under its lock, so it is not freed before the pin is taken back.
      unsafe BufferState.wake(state)
      unsafe state.pointee.lock.lock()
      unsafe state.pointee.slots.pins -= 1
      unsafe state.pointee.lock.unlock()
    }
    wakeCount = 0
  }
}
