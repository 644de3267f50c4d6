// Two rings of one interface, for a moment: each frame is taken from exactly one of them.
// The ring thread; the control thread says when (PacketDriver+Exchange).
internal import CPcapShim
import SwBPFBPF
import SwBPFKern
import Synchronization

/// A ring and how far it has been read.
struct RingPlace {
  let socket: CInt
  let ring: swpcap_ring
  private var next: UInt32 = 0
  /// Frames of the blocks that were given back.
  private(set) var taken: UInt64 = 0

  init(socket: CInt, ring: swpcap_ring) {
    self.socket = socket
    self.ring = ring
  }

  /// The address of the block that comes next.
  var block: UInt64 { ring.map + UInt64(next) * UInt64(ring.block_size) }

  mutating func advance(_ frames: UInt32) {
    taken += UInt64(frames)
    next = next + 1 == ring.block_count ? 0 : next + 1
  }
}

/// Where one ring ends and the next begins.
///
/// Both get every frame for a while, with the same stamp. Frames before `stamp` are the old ring's, the others the new one's.
struct RingSeam: Sendable {
  let socket: CInt
  let ring: swpcap_ring
  /// Wall clock, ns; both rings get what is stamped from then on. Chosen by the ring thread: what it has taken is older.
  var stamp: UInt64 = 0
  /// Frames that the old ring has got in all; nil while it is still fed.
  var oldEnd: UInt64?
  /// The old ring has none of the new ring's frames from this one on.
  var newUntil: UInt64 = .max

  /// A frame so much younger shows that those of before the seam are in the old ring, ns. Frames of several processors may
  /// change places there.
  static let disorder: UInt64 = 1_000_000
}

/// What the kernel has counted when the seam is chosen: what the old ring drops later is not missing, nor what the new one
/// has dropped.
struct SeamCounts {
  private(set) var oldAccepted: UInt64 = 0
  private(set) var oldDropped: UInt64 = 0
  private(set) var oldFreezes: UInt64 = 0
  private(set) var newAccepted: UInt64 = 0

  init() {}

  init(old: CInt, new: CInt) {
    var raw = swpcap_packet_statistics()
    if unsafe swpcap_packet_count(old, 1, &raw) == 0 {
      oldAccepted = UInt64(raw.packets &- raw.drops)
      oldDropped = UInt64(raw.drops)
      oldFreezes = UInt64(raw.freezes)
    }
    if unsafe swpcap_packet_count(new, 1, &raw) == 0 { newAccepted = UInt64(raw.packets &- raw.drops) }
  }
}

/// Which frames of a block are taken.
enum SeamSide {
  case all
  case older
  case newer
}

extension RingLoop {
  mutating func join(_ posted: RingSeam) {
    var posted = posted
    if let seam {
      posted.stamp = seam.stamp
    } else {
      following = RingPlace(socket: posted.socket, ring: posted.ring)
      latest = 0
      posted.stamp = UInt64(Clock.wall())
      control.hasJoined(SeamCounts(old: place.socket, new: posted.socket))
    }
    seam = posted
  }

  /// The second socket to wait for; -1: none.
  var otherSocket: CInt { isSettled || stashedBytes < RingLoop.stashLimit ? following?.socket ?? -1 : -1 }

  /// Bytes of blocks that are copied at most.
  private static var stashLimit: Int { 64 << 20 }

  /// What comes before the seam has been read, as far as can be seen.
  private var isSettled: Bool { seam.map { latest >= $0.stamp + RingSeam.disorder } ?? false }

  /// Empties what the other ring delivers. Returns how many frames those are.
  func sort(_ block: UInt64, _ side: SeamSide, _ latest: inout UInt64) -> UInt32 {
    unsafe swpcap_block_seam(block, seam?.stamp ?? 0, side == .older ? 1 : 0, &latest)
  }

  mutating func sort(_ block: UInt64, _ side: SeamSide) -> UInt32 {
    var latest = side == .older ? self.latest : 0
    defer { if side == .older { self.latest = latest } }
    let skipped = sort(block, side, &latest)
    if skipped > 0 { control.skipped.wrappingAdd(UInt64(skipped), ordering: .releasing) }
    return skipped
  }

  /// Takes what both rings have. - Parameter all: the last time: what the new ring has is not kept back.
  mutating func takeJoining(_ target: FrameTarget, all: Bool) {
    while let seam {
      guard following != nil else {
        // The old ring is gone.
        if place.taken >= seam.newUntil {
          self.seam = nil
          while takeBlock(target, keeping: .all) {}
          return
        }
        if !takeBlock(target, keeping: .newer) { return }
        continue
      }
      var progress = false
      while takeBlock(target, keeping: .older) { progress = true }
      if let end = seam.oldEnd, place.taken >= end {
        takeStash(target)
        moveOn()
        continue
      }
      if isSettled || all {
        takeStash(target)
        progress = takeOfFollowing(target) || progress
      } else {
        fillStash()
      }
      if !progress { return }
    }
  }

  /// Copies what the new ring has: with a short retire time each block holds little, and few blocks would soon be full.
  private mutating func fillStash() {
    while var new = following, stashedBytes < RingLoop.stashLimit {
      let block = new.block
      guard swpcap_block_status(block) & UInt32(TP_STATUS_USER) != 0 else { return }
      let copy = swpcap_block_copy(block)
      guard copy != 0 else { return }
      let frames = swpcap_block_frames(block)
      let skipped = sort(copy, .newer)
      stash.append((copy, UInt64(frames - skipped)))
      stashedBytes += Int(swpcap_block_length(block))
      swpcap_block_release(block)
      new.advance(frames)
      following = new
    }
  }

  private mutating func takeStash(_ target: FrameTarget) {
    for (block, frames) in stash {
      pass(block, target)
      control.processed.wrappingAdd(frames, ordering: .releasing)
      swpcap_block_free(block)
    }
    stash = []
    stashedBytes = 0
  }

  private mutating func takeOfFollowing(_ target: FrameTarget) -> Bool {
    guard let new = following else { return false }
    let old = place
    place = new
    let taken = takeBlock(target, keeping: .newer)
    following = place
    place = old
    return taken
  }

  private mutating func moveOn() {
    guard let new = following else { return }
    place = new
    following = nil
    control.hasMoved.store(true, ordering: .releasing)
  }
}
