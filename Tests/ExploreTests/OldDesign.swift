import SwBPFKern

/// The tap of FreeBSD before 2006: the driver's pointer to the tap point says at once where it is and whether anybody listens.
/// Attaching the first descriptor sets it, detaching the last one makes it nil. (`if_bpf`, `bif_driverp`)
final class OldTap {
  /// (`struct bpf_if`)
  final class TapPoint {
    let lock = Lock(rank: .peers)
    var peers = 0
    var seen = 0
  }

  private let explorer: Explorer
  private let point = TapPoint()
  private var pointer: TapPoint?
  /// The fix: the pointer is set when the interface comes and stays; the list says whether anybody listens.
  private let isPermanent: Bool

  init(_ explorer: Explorer, isPermanent: Bool) {
    self.explorer = explorer
    self.isPermanent = isPermanent
    if isPermanent { pointer = point }
  }

  /// (`bpf_attachd`)
  func attach() {
    point.lock.withLock {
      point.peers += 1
      if isPermanent { return }
      explorer.model("if_bpf = bp", 3, writes: true)
      pointer = point
    }
  }

  /// (`bpf_detachd`)
  func detach() {
    point.lock.withLock {
      point.peers -= 1
      if isPermanent || point.peers > 0 { return }
      explorer.model("if_bpf = NULL, the last peer has left", 3, writes: true)
      pointer = nil
    }
  }

  /// A packet in a driver. (`BPF_MTAP`)
  func tap() {
    explorer.model("if_bpf != NULL?", 3, writes: false)
    guard pointer != nil else { return }
    explorer.model("bpf_mtap(if_bpf, m)", 3, writes: false)
    guard let point = pointer else { return explorer.report("bpf_mtap(NULL, m): the kernel panics") }
    point.lock.withLock { if point.peers > 0 { point.seen += 1 } }
  }
}

extension Scenarios {
  static func oldDesign(isPermanent: Bool) -> Scenario {
    Scenario(name: isPermanent ? "2006, mended: detach | packet" : "2006: detach | packet") { explorer in
      let tap = OldTap(explorer, isPermanent: isPermanent)
      tap.attach()
      return Scenario.Run(
        threads: [("CPU A", { tap.tap() }), ("CPU B", { tap.detach() })], check: { nil }, end: {})
    }
  }
}
