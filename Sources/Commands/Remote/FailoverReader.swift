// What a capture with --persist reads: the daemon's interface, and when that ends a ring of its own.
internal import CPcapShim
import Glibc
import SwBPF
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFFilterMachine
import SwBPFKern

/// One reader after the other: first all that the daemon has stored, then what the own ring brings.
/// - Threads: any; one takes slots. The other reader is brought by ``replace(with:)``, on whatever thread finds out.
final class FailoverReader: @unchecked Sendable {
  let remote: RemoteDescriptor
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var own: BPF.Descriptor?
  /// Everything of the daemon's has been read.
  private var isRemoteOver = false
  /// Nobody will come in its place.
  private var isGivenUp = false
  private var settings: Settings
  private var changes = 0
  private var follower: (event: CInt, full: Int)?
  /// Set when the daemon's part is read, or nobody is to wait for its end any more.
  private let over = swpcap_event_open()

  /// What a reader that comes later is set to.
  struct Settings {
    var direction: BPF.Direction
    var program: @Sendable (Int32) throws -> Program?
  }

  init(_ remote: RemoteDescriptor, _ settings: Settings) {
    self.remote = remote
    self.settings = settings
  }

  deinit {
    if let follower { close(follower.event) }
    close(over)
  }

  var replacement: BPF.Descriptor? { lock.withLock { own } }

  /// Settles a reader as the other one was, tells it whom to wake, and has it read from now on.
  /// - Parameter attach: attaches it; it sees nothing before.
  func replace(with new: BPF.Descriptor, attach: () throws -> Void) throws {
    while true {
      let (wanted, change, follower) = lock.withLock { (settings, changes, self.follower) }
      try new.setDirection(wanted.direction)
      try new.setProgram(from: wanted.program, flushing: !new.isAttached)
      if !new.isAttached {
        if let follower { new.follow(event: dup(follower.event), full: follower.full) }
        try attach()
      }
      let isSettled = lock.withLock {
        guard change == changes else { return false }
        own = new
        return true
      }
      if isSettled { return }
    }
  }

  /// No more frames come: the other reader is detached, or there will be none.
  func giveUp() {
    let last = lock.withLock {
      isGivenUp = true
      return own
    }
    last?.detach()
  }

  func tellOver() { swpcap_event_signal(over) }

  /// Waits until the daemon is gone (true), or nothing comes from it any more: it has detached this reader, because it ends
  /// (true) or because the interface went away.
  func waitForEnd() -> Bool { swpcap_wake_wait(remote.wakeDescriptor, over) != 0 || !remote.isDeparted }

  private func note(_ change: (inout Settings) -> Void) -> BPF.Descriptor? {
    lock.withLock {
      change(&settings)
      changes += 1
      return own
    }
  }
}

extension FailoverReader: CaptureReader {
  var slotCount: Int { remote.slotCount }
  var slotBytes: Int { remote.slotBytes }
  /// The daemon's pipe would wake for ever once it is gone.
  var wakes: CInt { lock.withLock { isRemoteOver } ? -1 : remote.wakes }

  func follow(event: CInt, full: Int) {
    let old = lock.withLock {
      defer { follower = (event, full) }
      return follower
    }
    if let old { close(old.event) }
  }

  func mayWait() -> Bool { lock.withLock { isRemoteOver } || remote.mayWait() }

  func takeSlot(rotating: Bool) throws(BPF.Failure) -> BPF.Slot? {
    if !lock.withLock({ isRemoteOver }) {
      do throws(BPF.Failure) {
        return try remote.takeSlot(rotating: rotating)
      } catch {
        guard error == .departed else { throw error }
        lock.withLock { isRemoteOver = true }
        tellOver()
      }
    }
    let (next, isEnd) = lock.withLock { (own, isGivenUp) }
    if let next { return try next.takeSlot(rotating: rotating) }
    if isEnd { throw .departed }
    return nil
  }

  var storedBytes: Int {
    let (next, isOver) = lock.withLock { (own, isRemoteOver) }
    return (isOver ? 0 : remote.storedBytes) + (next?.storedBytes ?? 0)
  }

  /// Counters of both, one behind the other.
  var now: ReaderState {
    let (next, direction) = lock.withLock { (own, settings.direction) }
    var state = remote.now
    state.direction = direction
    guard let next else { return state }
    let fresh = next.now
    state.name = fresh.name ?? state.name
    state.statistics = state.statistics.adding(fresh.statistics)
    return state
  }

  func setDirection(_ new: BPF.Direction) throws {
    if let next = note({ $0.direction = new }) { return try next.setDirection(new) }
    do throws(DaemonFailure) { try remote.change(new) } catch { try unlessGone(error) }
  }

  func setProgram(from source: @escaping @Sendable (Int32) throws -> Program?, flushing: Bool) throws {
    if let next = note({ $0.program = source }) { return try next.setProgram(from: source, flushing: flushing) }
    let program = try source(remote.linkType ?? 1)
    do throws(DaemonFailure) { try remote.setProgram(program, flushing: flushing) } catch { try unlessGone(error) }
  }

  /// Who comes in the daemon's place is set as was asked for.
  private func unlessGone(_ error: DaemonFailure) throws(DaemonFailure) {
    if error.refusal != nil { throw error }
  }

  var tappedLinkTypes: [Int32] { remote.tappedLinkTypes }
}
