// Many programs at once: when the merged form of a tap point's programs is made, and what taps see of it.
// Made on a thread of its own, some time after a change; until then each peer's own program runs.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// A peer's program as its node holds it.
@safe struct TapProgram {
  /// First, so that who wants nothing else reads it from the address alone.
  let code: ProgramCode
  /// No other program that was ever set has it: addresses come again.
  let number: UInt64
  /// Kept alive by the attachment, and through the epoch when it is replaced.
  let program: Unmanaged<Program>

  private static let last = Atomic<UInt64>(0)

  init(_ program: Program) {
    code = program.tapCode
    number = TapProgram.last.wrappingAdd(1, ordering: .relaxed).newValue
    unsafe self.program = Unmanaged.passUnretained(program)
  }
}

/// The merged form of a tap point's programs, with which peer's program is which member.
///
/// It need not be as young as the list of peers: a peer belongs to it when the number of its program is there, for the same
/// number is the same program. All others run their own. Replaced as a whole, freed through the epoch.
@safe struct TapMerge {
  struct Place {
    var number: UInt64
    var member: Int32
  }

  let kinds: UnsafePointer<MergedCode>
  let kindCount: Int
  let memberCount: Int
  /// In the order of the list it was made from.
  let places: UnsafeMutablePointer<Place>
  let count: Int
  let owner: Unmanaged<MergedPrograms>

  /// Places looked at for one peer, so that peers who came or went do not cost the others theirs.
  private static let reach = 8

  /// The member of a program, for peers in the order of the list; -1 when it is not there.
  @inline(__always)
  func member(of number: UInt64, from cursor: inout Int) -> Int32 {
    let end = min(count, cursor &+ TapMerge.reach)
    var index = cursor
    while index < end {
      // SAFETY: below count.
      let place = unsafe places[index]
      index &+= 1
      if place.number == number {
        cursor = index
        return place.member
      }
    }
    return -1
  }

  static func make(_ programs: [(number: UInt64, program: Program)]) -> UnsafeMutableRawPointer {
    let merged = MergedPrograms(programs.map(\.program))
    let places = UnsafeMutablePointer<Place>.allocate(capacity: programs.count)
    for index in programs.indices {
      let member = Int32(merged.members[index])
      unsafe (places + index).initialize(to: Place(number: programs[index].number, member: member))
    }
    let made = UnsafeMutablePointer<TapMerge>.allocate(capacity: 1)
    unsafe made.initialize(
      to: TapMerge(
        kinds: merged.kinds, kindCount: merged.kindCount, memberCount: merged.memberCount, places: places,
        count: programs.count, owner: .passRetained(merged)))
    return UnsafeMutableRawPointer(made)
  }

  /// Frees one that was taken out of reach, when no tap uses it any more.
  static func retire(_ raw: UnsafeMutableRawPointer?) {
    nonisolated(unsafe) let raw = unsafe raw
    guard unsafe raw != nil else { return }
    Epoch.shared.retire {
      // SAFETY: out of reach and after the epoch.
      guard let merge = unsafe raw?.assumingMemoryBound(to: TapMerge.self) else { return true }
      unsafe merge.pointee.owner.release()
      unsafe merge.pointee.places.deallocate()
      unsafe Step.free(merge) { unsafe merge.deallocate() }
      return true
    }
  }
}

/// What a tap point knows of its merged form; guarded by the lock of its peers.
struct MergeState {
  /// It will be made.
  var isScheduled = false
  /// It is being made of programs that may have changed since.
  var isMaking = false
  /// How long making the last one took, ns.
  var lastTook: Int64 = 0
}

extension BPF.Interface {
  private static let work = DelayedWork(name: "swbpf-merge")
  /// How long changes are waited for, ns.
  private static let delay: Int64 = 10_000_000
  /// Of a thread's time at most one part in so many goes into merged forms.
  private static let share: Int64 = 20

  /// Another program is published.
  func programsChanged() { lock.withLock { mergeSoon() } }

  /// Has a merged form made of what will be published in a moment; the lock is held.
  func mergeSoon() {
    lock.assertHeld()
    // Explorations make it themselves, in a thread that they see.
    if mergeState.isScheduled || Step.isExplored { return }
    let isNone = unsafe !mergeState.isMaking && point.gate.pointee.merge.load(ordering: .relaxed) == nil
    if unsafe isNone && nodes.count < 2 { return }
    mergeState.isScheduled = true
    let delay = max(BPF.Interface.delay, mergeState.lastTook * BPF.Interface.share)
    BPF.Interface.work.schedule(after: delay) { [weak self] in self?.merge() }
  }

  /// Makes the merged form of the programs of now and publishes it. On the thread for it, in tests and benchmarks.
  package func merge() {
    let reader = Epoch.shared.reader()
    let began = Clock.monotonic()
    lock.withLock {
      mergeState.isScheduled = false
      mergeState.isMaking = true
    }
    let programs = publishedPrograms(reader)
    let made = programs.count < 2 ? nil : unsafe TapMerge.make(programs)
    unsafe Step.point(.swapsMerge, point.gate)
    let old = unsafe point.gate.pointee.merge.exchange(made, ordering: .sequentiallyConsistent)
    unsafe TapMerge.retire(old)
    let took = Clock.monotonic() - began
    lock.withLock {
      mergeState.lastTook = took
      mergeState.isMaking = false
    }
  }

  /// The programs of the published list, as a tap would find them.
  private func publishedPrograms(_ reader: borrowing Epoch.Reader) -> [(number: UInt64, program: Program)] {
    reader.enter()
    defer { reader.leave() }
    var all: [(number: UInt64, program: Program)] = []
    unsafe Step.point(.loadsList, point.gate)
    let raw = unsafe point.gate.pointee.peers.load(ordering: .sequentiallyConsistent)
    unsafe Step.point(.usesList, raw)
    let list = unsafe raw.assumingMemoryBound(to: PeerList.self)
    let nodes = unsafe PeerList.nodes(of: list)
    for index in unsafe 0..<list.pointee.count {
      // SAFETY: seen inside the epoch, so node and program are freed only after it.
      let node = unsafe nodes[index]
      unsafe Step.point(.usesNode, node)
      unsafe Step.point(.loadsProgram, node)
      guard let raw = unsafe node.pointee.program.load(ordering: .sequentiallyConsistent) else { continue }
      unsafe Step.point(.usesProgram, raw)
      let tap = unsafe raw.assumingMemoryBound(to: TapProgram.self)
      all.append((unsafe tap.pointee.number, unsafe tap.pointee.program.takeUnretainedValue()))
    }
    return all
  }
}
