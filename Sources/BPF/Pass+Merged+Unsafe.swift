// Many programs at once: a pass judges a part for all peers whose programs are merged, then each takes what is its own.
// Called by the pass, without a lock.
import SwBPFFilterMachine
import SwBPFKern

/// What the members of a merged form want of a part. Part of one ``TapReader``.
@safe struct MemberMatches: ~Copyable {
  /// Peers of the pass use it.
  private(set) var isUsed = false
  /// Frames of the pass so far, and sent ones among them.
  var seen: UInt64 = 0
  var seenSent: UInt64 = 0
  /// Some peer that uses it sees sent frames, or received ones.
  private(set) var seesSent = false
  private(set) var seesReceived = false
  /// The form that the pass loaded; the epoch keeps it.
  private(set) var merge: UnsafePointer<TapMerge>?
  private var cursor = 0
  private var found = 0
  /// A part's matches of each member, and how many there are.
  private(set) var matches: UnsafeMutablePointer<TapReader.Match>
  private(set) var counts: UnsafeMutablePointer<Int>
  let rows: UnsafeMutablePointer<UInt64>
  private var capacity = 0
  /// Matches that a member has room for: a cache line more than a part has frames, so that the first ones of all members do
  /// not share a few sets of the cache.
  static let room = TapReader.largePart + 8

  init() {
    unsafe matches = .allocate(capacity: 1)
    unsafe counts = .allocate(capacity: 1)
    unsafe rows = .allocate(capacity: MergedPrograms.rowWords)
  }

  deinit {
    unsafe matches.deallocate()
    unsafe counts.deallocate()
    unsafe rows.deallocate()
  }

  /// A pass begins: the merged form as the tap point has it now, inside the epoch.
  mutating func begin(_ raw: UnsafeMutableRawPointer?) {
    isUsed = false
    seesSent = false
    seesReceived = false
    seen = 0
    seenSent = 0
    cursor = 0
    found = 0
    // SAFETY: tap points hold nothing else there.
    unsafe merge = unsafe UnsafePointer(raw?.assumingMemoryBound(to: TapMerge.self))
    guard let merge = unsafe merge else { return }
    unsafe Step.point(.usesMerge, merge)
    if unsafe merge.pointee.memberCount > capacity {
      grow(unsafe merge.pointee.memberCount)
    }
  }

  /// The member of the next peer's program; -1 for none.
  @inline(__always)
  mutating func member(of tap: UnsafeRawPointer?, isBorn: Bool, direction: UInt32) -> Int32 {
    guard let merge = unsafe merge, let tap = unsafe tap else { return -1 }
    let number = unsafe tap.assumingMemoryBound(to: TapProgram.self).pointee.number
    let member = unsafe merge.pointee.member(of: number, from: &cursor)
    // Until its birth is settled a peer looks at each frame's stamp itself.
    if member < 0 || !isBorn { return -1 }
    let seen = SeenWays(rawValue: direction)
    if seen.seesSent { seesSent = true }
    if seen.seesReceived { seesReceived = true }
    found &+= 1
    isUsed = found > 1
    return member
  }

  /// Out of line, as the rest of a pass allocates nothing.
  @inline(never)
  private mutating func grow(_ count: Int) {
    unsafe matches.deallocate()
    unsafe counts.deallocate()
    capacity = count + count / 2
    unsafe matches = .allocate(capacity: capacity * MemberMatches.room)
    unsafe counts = .allocate(capacity: capacity)
  }

  /// One more match of a member.
  @inline(__always)
  func add(_ member: Int, _ frame: Int, _ take: UInt32) {
    // SAFETY: a member below the capacity has at most one match for each frame of a part.
    let count = unsafe counts[member]
    unsafe matches[member &* MemberMatches.room &+ count] = TapReader.Match(
      frame: UInt32(truncatingIfNeeded: frame), take: take)
    unsafe counts[member] = count &+ 1
  }
}

extension TapReader {
  /// Judges the part for all members.
  mutating func judgeMembers() {
    guard let merge = unsafe members.merge else { return }
    for member in 0..<(unsafe merge.pointee.memberCount) { unsafe members.counts[member] = 0 }
    let hidden: BPF.Way? = !members.seesSent ? .sent : !members.seesReceived ? .received : nil
    // No peer may see any frame.
    let count = unsafe members.seesSent || members.seesReceived ? merge.pointee.kindCount : 0
    for kind in 0..<count {
      let code = unsafe merge.pointee.kinds + kind
      if unsafe code.pointee.isAlone { unsafe judgeOne(code, hidden) } else { unsafe judgeKind(code, hidden) }
    }
    var sent: UInt64 = 0
    for index in 0..<frameCount where unsafe frames[index].way == .sent { sent &+= 1 }
    members.seen &+= UInt64(frameCount)
    members.seenSent &+= sent
  }

  /// Judges the part for a member that is of no kind.
  private func judgeOne(_ code: UnsafePointer<MergedCode>, _ hidden: BPF.Way?) {
    let program = unsafe code.pointee.members.pointee.code
    let member = unsafe code.pointee.base
    for index in 0..<frameCount {
      let frame = unsafe frames + index
      if unsafe frame.pointee.way == hidden { continue }
      // SAFETY: the form is freed only after this epoch; the packet's bytes belong to the pass.
      let take = unsafe program.verdict(
        packet: frame.pointee.base, wireLength: frame.pointee.length, captured: frame.pointee.captured,
        metadata: &frame.pointee.metadata)
      if take != 0 { members.add(member, index, take) }
    }
  }

  /// Judges the part for all members of a kind.
  private func judgeKind(_ kind: UnsafePointer<MergedCode>, _ hidden: BPF.Way?) {
    let code = unsafe kind.pointee
    let rows = unsafe members.rows
    for index in 0..<frameCount {
      let frame = unsafe frames + index
      if unsafe frame.pointee.way == hidden { continue }
      // SAFETY: as above.
      let isWanted = unsafe code.judge(
        packet: frame.pointee.base, wireLength: frame.pointee.length, captured: frame.pointee.captured,
        metadata: &frame.pointee.metadata, rows: rows)
      if !isWanted { continue }
      for word in 0..<code.words {
        var sure = unsafe rows[word]
        while sure != 0 {
          let member = word &* 64 &+ sure.trailingZeroBitCount
          sure &= sure &- 1
          unsafe members.add(code.base &+ member, index, code.members[member].take)
        }
        var asked = unsafe rows[code.words &+ word]
        while asked != 0 {
          let member = word &* 64 &+ asked.trailingZeroBitCount
          asked &= asked &- 1
          let take = unsafe code.members[member].code.verdict(
            packet: frame.pointee.base, wireLength: frame.pointee.length, captured: frame.pointee.captured,
            metadata: &frame.pointee.metadata)
          if take != 0 { members.add(code.base &+ member, index, take) }
        }
      }
    }
  }

  /// Has ``matches`` be what a peer with a member wants of the part: its member's matches of its direction. A peer that wants
  /// nothing counts later what it refused.
  mutating func choose(_ peer: UnsafeMutablePointer<Peer>) -> Verdict {
    let member = unsafe Int(peer.pointee.member)
    let count = unsafe members.counts[member]
    let hidesAll = unsafe peer.pointee.direction == SeenWays.neither.rawValue
    if count == 0 || hidesAll { return Verdict() }
    let all = unsafe members.matches + member &* MemberMatches.room
    let direction = unsafe peer.pointee.direction
    let way: BPF.Way? =
      direction == BPF.Direction.in.rawValue
      ? .received : direction == BPF.Direction.out.rawValue ? .sent : nil
    guard let way else {
      unsafe matches = unsafe all
      return unsafe counted(peer, matches: count)
    }
    unsafe matches = unsafe ownMatches
    var kept = 0
    for index in 0..<count where unsafe frames[Int(all[index].frame)].way == way {
      unsafe matches[kept] = unsafe all[index]
      kept &+= 1
    }
    return kept == 0 ? Verdict() : unsafe counted(peer, matches: kept)
  }

  /// What a peer has to count since it last did.
  private func counted(_ peer: UnsafeMutablePointer<Peer>, matches: Int) -> Verdict {
    var verdict = Verdict()
    let direction = unsafe peer.pointee.direction
    verdict.offered = unsafe members.seen &- peer.pointee.counted
    let sent = unsafe members.seenSent &- peer.pointee.countedSent
    if direction == SeenWays.neither.rawValue {
      verdict.hidden = verdict.offered
    } else if direction == BPF.Direction.in.rawValue {
      verdict.hidden = sent
    } else if direction == BPF.Direction.out.rawValue {
      verdict.hidden = verdict.offered &- sent
    }
    verdict.matches = matches
    verdict.refused = verdict.offered &- verdict.hidden &- UInt64(matches)
    unsafe peer.pointee.counted = members.seen
    unsafe peer.pointee.countedSent = members.seenSent
    return verdict
  }

  /// At the end of a pass each peer with a member counts the frames since its last match: once, under its buffer lock.
  mutating func countRefused() {
    for index in 0..<peerCount {
      let peer = unsafe peers + index
      if unsafe peer.pointee.member < 0 || peer.pointee.counted == members.seen { continue }
      let verdict = unsafe counted(peer, matches: 0)
      unsafe store(verdict, peer)
    }
  }
}
