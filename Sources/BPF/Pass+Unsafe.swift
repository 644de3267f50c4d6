// The tap: one pass shows the frames of one block to every peer. (`bpf_mtap`)
// Called by ring threads and whoever else taps; each thread with a TapReader of its own.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// What a thread needs to tap: its place in the epoch, and fixed lists of the frames of a part and of those that a peer wants.
///
/// A pass is ``begin(_:)``, any number of frames, ``end()``. Frames are collected until a part is full, so that they are
/// judged and copied while their bytes are still in the nearest cache; then each peer in turn judges the part without a lock
/// and takes its own buffer lock once. No system call is made but the wake-ups, after the epoch was left.
/// - Threads: one at a time.
@safe package struct TapReader: ~Copyable {
  /// What one pass knows of one peer; loaded once per pass.
  @safe struct Peer {
    var node: UnsafeMutablePointer<PeerNode>
    /// A copy: its instructions live until the epoch ends.
    var program: ProgramCode?
    var birth: Int64
    var generation: UInt64
    var direction: UInt32
    var sawOlder: Bool
    /// Its program's member of the merged form; -1 when it judges for itself.
    var member: Int32
    /// Frames of the pass, and sent ones among them, that it has counted. Only of those with a member.
    var counted: UInt64 = 0
    var countedSent: UInt64 = 0
  }

  /// A frame of the part that the peer at hand wants, and how much of it.
  struct Match {
    var frame: UInt32
    var take: UInt32
  }

  /// What the peer at hand made of a part.
  struct Verdict {
    var offered: UInt64 = 0
    var hidden: UInt64 = 0
    var refused: UInt64 = 0
    var matches = 0
  }

  /// Frames of a part, so that their bytes are still in the nearest cache when they are copied.
  private static let smallPart = 128
  /// Frames of a part for so many peers that what is done once for each of them costs more than that.
  static let largePart = 1024
  private static let manyPeers = 8
  /// Frames of a part of this pass at most.
  package private(set) var partLimit = smallPart

  private let reader: Epoch.Reader
  private(set) var peers: UnsafeMutablePointer<Peer>
  private var peerCapacity: Int
  private(set) var peerCount = 0
  /// The frames of the part, ``frameCount`` of ``partLimit``: a driver's hot loop writes the next one itself, then calls
  /// ``added()``.
  package let frames: UnsafeMutablePointer<TapFrame>
  package var frameCount = 0
  /// The frames that the peer at hand wants: ``ownMatches``, or those of its member.
  var matches: UnsafeMutablePointer<Match>
  let ownMatches: UnsafeMutablePointer<Match>
  /// What several peers' programs make of a part at once.
  var members = MemberMatches()
  private var wakes: UnsafeMutablePointer<UnsafeMutablePointer<BufferState>>
  private var wakeCount = 0
  /// The pass has one peer, which takes every frame of its direction: the driver may write runs.
  package private(set) var isPlain = false
  private var births = false
  /// Some peer of the pass has a program of an expression or cooked records: frames need their metadata.
  package private(set) var needsMetadata = false
  private var framesSeen = false
  /// Wall clock minus boot clock, ns; sampled once per pass, if a record needs it.
  private var bootOffset: Int64?
  /// Where packets in pieces become frames.
  var joined = JoinBuffer()

  package init(epoch: Epoch = .shared) {
    reader = epoch.reader()
    peerCapacity = 64
    unsafe peers = .allocate(capacity: peerCapacity)
    unsafe wakes = .allocate(capacity: peerCapacity)
    unsafe frames = .allocate(capacity: TapReader.largePart)
    unsafe ownMatches = .allocate(capacity: TapReader.largePart)
    unsafe matches = unsafe ownMatches
    // SAFETY: any address does: no frame is read before it was written.
    let nowhere = unsafe UnsafeRawPointer(matches)
    let blank = unsafe TapFrame(
      base: nowhere, captured: 0, length: 0, seconds: 0, nanoseconds: 0, metadata: FrameMetadata())
    unsafe frames.initialize(repeating: blank, count: TapReader.largePart)
  }

  deinit {
    unsafe peers.deallocate()
    unsafe wakes.deallocate()
    unsafe frames.deallocate()
    unsafe ownMatches.deallocate()
  }

  /// Opens a pass over the peers of a tap point.
  /// - Returns: false when nobody listens; then there is nothing to end.
  package mutating func begin(_ point: TapPoint) -> Bool {
    guard point.hasPeers else { return false }
    let early = unsafe Step.has(.loadsBeforeEntering) ? TapReader.list(of: point) : nil
    reader.enter()
    // Loaded again, inside the epoch: only this value may be used.
    // SAFETY: lists and nodes seen inside the epoch are freed only after it.
    let raw = unsafe early ?? TapReader.list(of: point)
    unsafe Step.point(.usesList, raw)
    let list = unsafe raw.assumingMemoryBound(to: PeerList.self)
    let count = unsafe list.pointee.count
    if count == 0 {
      reader.leave()
      return false
    }
    if count > peerCapacity { grow(count) }
    peerCount = count
    frameCount = 0
    joined.clear()
    births = false
    needsMetadata = false
    framesSeen = false
    bootOffset = nil
    let nodes = unsafe PeerList.nodes(of: list)
    unsafe Step.point(.loadsMerge, point.gate)
    unsafe members.begin(point.gate.pointee.merge.load(ordering: .sequentiallyConsistent))
    var now: Int64 = 0
    for index in 0..<count {
      let node = unsafe nodes[index]
      unsafe Step.point(.usesNode, node)
      let state = unsafe node.pointee.buffers
      unsafe Step.point(.usesBuffers, state)
      // The first of what is loaded: a flush publishes the others, then changes it, so what is judged by an older program or
      // birth is not taken for younger than the flush.
      unsafe Step.point(.loadsGeneration, state)
      let generation = unsafe state.pointee.generation.load(ordering: .acquiring)
      unsafe Step.point(.loadsBirth, node)
      var birth = unsafe node.pointee.birth.load(ordering: .acquiring)
      if birth != 0 {
        if now == 0 { now = Clock.monotonic() }
        unsafe Step.point(.loadsBirthEnd, node)
        if unsafe now > node.pointee.birthExpires.load(ordering: .relaxed) {
          unsafe Step.point(.endsBirth, node)
          _ = unsafe node.pointee.birth.compareExchange(expected: birth, desired: 0, ordering: .relaxed)
          birth = 0
        } else {
          births = true
        }
      }
      unsafe Step.point(.loadsProgram, node)
      let tap = unsafe node.pointee.program.load(ordering: .sequentiallyConsistent)
      if let tap = unsafe tap { unsafe Step.point(.usesProgram, tap) }
      let program = unsafe tap?.load(as: ProgramCode.self)
      unsafe Step.point(.loadsDirection, state)
      if unsafe program?.ancillary == true || node.pointee.cookedFrom >= 0 { needsMetadata = true }
      let direction = unsafe state.pointee.direction.load(ordering: .relaxed)
      let member = unsafe members.member(of: tap, isBorn: birth == 0, direction: direction)
      unsafe (peers + index).initialize(
        to: Peer(
          node: node, program: program, birth: birth, generation: generation, direction: direction, sawOlder: false,
          member: member))
    }
    partLimit = members.isUsed && count >= TapReader.manyPeers ? TapReader.largePart : TapReader.smallPart
    isPlain =
      unsafe count == 1 && !births && peers.pointee.program == nil && peers.pointee.node.pointee.isPlain
      && peers.pointee.direction != SeenWays.neither.rawValue
    return true
  }

  @inline(__always) private static func list(of point: TapPoint) -> UnsafeMutableRawPointer {
    unsafe Step.point(.loadsList, point.gate)
    return unsafe point.gate.pointee.peers.load(ordering: .sequentiallyConsistent)
  }

  /// Makes room for more peers than there ever were; out of line, as the rest of the pass allocates nothing.
  @inline(never)
  private mutating func grow(_ count: Int) {
    unsafe peers.deallocate()
    unsafe wakes.deallocate()
    peerCapacity = count * 2
    unsafe peers = .allocate(capacity: peerCapacity)
    unsafe wakes = .allocate(capacity: peerCapacity)
  }

  /// Offers one frame to every peer that wants its direction. (`bpf_mtap`)
  ///
  /// The frame must stay where it is until the pass ends.
  /// - Cost: no lock, no allocation, no retain.
  /// - Parameter way: as seen by the interface, from the caller.
  package mutating func tap(_ frame: TapFrame, _ way: BPF.Way) {
    unsafe frames[frameCount] = frame
    unsafe frames[frameCount].way = way
    if frame.length > 0 { added() }
  }

  /// The frame at ``frameCount`` has been written; its length is not 0.
  @inline(__always) package mutating func added() {
    frameCount &+= 1
    if frameCount == partLimit { endPart() }
  }

  /// Ends the pass: stores what is left, leaves the epoch, wakes readers.
  package mutating func end() {
    endPart()
    if members.isUsed { countRefused() }
    if births && framesSeen { settleBirths() }
    reader.leave()
    wake()
  }

  // MARK: A part

  /// Steps 3 and 4 for each peer: judge the part, then append under the buffer lock.
  package mutating func endPart() {
    guard frameCount > 0 else { return }
    framesSeen = true
    if members.isUsed { judgeMembers() }
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if unsafe members.isUsed && peer.pointee.member >= 0 {
        let verdict = unsafe choose(peer)
        if verdict.matches > 0 { unsafe store(verdict, peer) }
        continue
      }
      unsafe matches = unsafe ownMatches
      let verdict = unsafe judge(peer)
      if verdict.offered > 0 { unsafe store(verdict, peer) }
    }
    frameCount = 0
  }

  /// Step 4: appends what one peer wants of the part, and counts, under its buffer lock.
  mutating func store(_ verdict: Verdict, _ peer: UnsafeMutablePointer<Peer>) {
    unsafe Step.point(.usesNode, peer.pointee.node)
    let state = unsafe peer.pointee.node.pointee.buffers
    unsafe Step.point(.usesBuffers, state)
    if Step.has(.wakesBeforeAppending) { unsafe BufferState.wake(state) }
    unsafe state.pointee.lock.lock()
    if unsafe (peer.pointee.node.pointee.live || Step.has(.appendsAfterDetach))
      && (state.pointee.generation.load(ordering: .relaxed) == peer.pointee.generation
        || Step.has(.appendsAfterFlush))
    {
      let wanted =
        unsafe state.pointee.slots.layout.isSavefile
        ? append(verdict, peer, to: state) : appendDeviceRecords(verdict, peer, to: state)
      if wanted, !Step.has(.wakesBeforeAppending), unsafe state.pointee.slots.wantsWakeUp { unsafe note(state) }
    }
    unsafe state.pointee.lock.unlock()
  }

  /// Fills ``matches`` with what one peer wants of the part.
  private func judge(_ peer: UnsafeMutablePointer<Peer>) -> Verdict {
    var verdict = Verdict()
    let count = frameCount
    let birth = unsafe peer.pointee.birth
    let direction = unsafe peer.pointee.direction
    if unsafe birth == 0 && direction == BPF.Direction.inOut.rawValue && peer.pointee.program == nil {
      verdict.offered = UInt64(count)
      verdict.matches = count
      for index in 0..<count { unsafe matches[index] = Match(frame: UInt32(truncatingIfNeeded: index), take: .max) }
      return verdict
    }
    let hidden: BPF.Way? =
      direction == BPF.Direction.in.rawValue ? .sent : direction == BPF.Direction.out.rawValue ? .received : nil
    let hidesAll = direction == SeenWays.neither.rawValue
    for index in 0..<count {
      let frame = unsafe frames + index
      if birth != 0, unsafe frame.pointee.stamp < birth {
        unsafe peer.pointee.sawOlder = true
        continue
      }
      verdict.offered &+= 1
      if unsafe hidesAll || frame.pointee.way == hidden {
        verdict.hidden &+= 1
        continue
      }
      var take = UInt32.max
      if let program = unsafe peer.pointee.program {
        unsafe Step.point(.usesProgram, program.instructions)
        // SAFETY: the program is freed only after this epoch; the packet's bytes belong to the pass.
        take = unsafe program.verdict(
          packet: frame.pointee.base, wireLength: frame.pointee.length, captured: frame.pointee.captured,
          metadata: &frame.pointee.metadata)
        if take == 0 {
          verdict.refused &+= 1
          continue
        }
      }
      unsafe matches[verdict.matches] = Match(frame: UInt32(truncatingIfNeeded: index), take: take)
      verdict.matches &+= 1
    }
    return verdict
  }

  /// What to take off a wall-clock stamp of this pass to have it count from boot, ns.
  mutating func offsetFromBoot() -> Int64 {
    if let known = bootOffset { return known }
    let sampled = Clock.wall() - Clock.monotonic()
    bootOffset = sampled
    return sampled
  }

  /// A pass without an older frame ends the look at stamps: everything that follows is younger.
  private func settleBirths() {
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if unsafe peer.pointee.birth != 0 && !peer.pointee.sawOlder {
        unsafe Step.point(.endsBirth, peer.pointee.node)
        _ = unsafe peer.pointee.node.pointee.birth.compareExchange(
          expected: peer.pointee.birth, desired: 0, ordering: .relaxed)
      }
    }
  }

  // MARK: Waking

  /// Remembers to wake a descriptor's readers after the pass; its lock is held.
  mutating func note(_ state: UnsafeMutablePointer<BufferState>) {
    for index in 0..<wakeCount where unsafe wakes[index] == state { return }
    guard wakeCount < peerCapacity else { return unsafe BufferState.wake(state) }
    if !Step.has(.forgetsPin) { unsafe state.pointee.slots.pins += 1 }
    unsafe (wakes + wakeCount).initialize(to: state)
    wakeCount += 1
  }

  private mutating func wake() {
    for index in 0..<wakeCount {
      let state = unsafe wakes[index]
      unsafe Step.point(.usesBuffers, state)
      // SAFETY: pinned under its lock, so it is not freed before the pin is taken back.
      unsafe BufferState.wake(state)
      unsafe state.pointee.lock.lock()
      if !Step.has(.forgetsPin) { unsafe state.pointee.slots.pins -= 1 }
      unsafe state.pointee.lock.unlock()
    }
    wakeCount = 0
  }
}
