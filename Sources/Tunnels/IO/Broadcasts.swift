// The broadcast addresses of the system's interfaces: nothing can come from one.
// Used by one input worker.
import SwBPFBPF

/// Looked up again when routes, links or addresses have changed.
struct Broadcasts {
  private let routing: Routing
  private let control: InterfaceControl
  private(set) var addresses: [UInt32] = []
  /// Of the routes when they were looked up.
  private var generation: UInt64 = 0

  /// In the network namespace of the calling thread.
  init(_ routing: Routing) throws(BPF.Failure) {
    self.routing = routing
    control = try InterfaceControl()
  }

  /// Makes the addresses those of now.
  mutating func refresh() {
    let now = routing.events.generation
    guard now != generation || now == .max else { return }
    generation = now
    do { addresses = try control.broadcasts() } catch { generation = 0 }
  }
}
