import SwBPFFilterMachine
import SwBPFKern

@testable import SwBPFBPF

/// The driver's side of the tap: a kernel that lets frames that leave pass only when it was told to.
final class KernelModel: BPF.Driver, @unchecked Sendable {
  private unowned let explorer: Explorer
  private let lock = Lock(rank: .driver)
  private var letsSentPass = false
  private var holds = 0
  private var version = 0

  init(_ explorer: Explorer) { self.explorer = explorer }

  /// A mistake of the model: it does not look whether a request came meanwhile.
  var forgetsVersion = false

  /// Births are looked at for as long as any run takes.
  var retireTime: Int64 { 3_600_000_000_000 }
  var passesSent: Bool {
    explorer.model("kernel: do sent frames pass?", 2, writes: false)
    return letsSentPass
  }

  private func set(_ passes: Bool) {
    if letsSentPass == passes { return }
    explorer.model(passes ? "kernel: sent frames pass" : "kernel: sent frames stop", 2, writes: true)
    letsSentPass = passes
  }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    lock.withLock {
      version += 1
      if demand.sent { set(true) }
    }
  }
  func holdOpen(sent: Bool, wishes: [Union.Wish]?) -> Bool {
    lock.withLock {
      version += 1
      holds += 1
      return !sent || letsSentPass
    }
  }
  func release() { lock.withLock { holds -= 1 } }
  func mayNarrow(_ interface: BPF.Ifnet) { lock.withLock { version += 1 } }
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}

  /// What the control thread does when the peers have been quiet: it asks what they want without its lock, and gives up
  /// if a request came meanwhile.
  func narrow(_ interface: BPF.Ifnet) {
    guard let seen = lock.withLock({ holds == 0 ? version : nil }) else { return }
    let demand = interface.withDemand { $0 }
    lock.withLock {
      if holds == 0 && (version == seen || forgetsVersion) { set(demand.sent) }
    }
  }
}
