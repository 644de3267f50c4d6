// Carries what leaves by one queue of every tunnel.
// The body of an output worker; its thread only.
import Glibc
import SwBPFBPF

/// Carries what leaves by one queue of every tunnel of one kind.
protocol OutputBody: AnyObject {
  /// Looks again at everything that was published, and lets go of what is old.
  func refresh(_ table: TunnelTable)
  /// Carries what waits in a tunnel's device.
  /// - Parameter number: of a tunnel of this kind.
  /// - Returns: a descriptor that there is no use in watching any more.
  func serve(_ number: Int, _ table: TunnelTable) -> CInt?
}

/// Each kind has a body of its own, and each tunnel is served by that of its kind.
final class OutputWorker: WorkerBody, @unchecked Sendable {
  private let shared: TunnelShared
  private let bodies: [any OutputBody]
  private var table: Published<TunnelTable>.Copy

  /// - Parameter bodies: of the engine's kinds, in their order.
  init(_ shared: TunnelShared, _ bodies: [any OutputBody]) {
    self.shared = shared
    self.bodies = bodies
    table = shared.table.copy()
  }

  func refresh() {
    shared.table.refresh(&table)
    for body in bodies { body.refresh(table.value) }
  }

  func serve(_ tag: Int) -> CInt? {
    shared.table.refresh(&table)
    // An interface that is not in the table any more has been forgotten before this worker was asked to refresh.
    guard let kind = table.value.kind(of: tag) else { return nil }
    return bodies[kind].serve(tag, table.value)
  }
}

/// Carries what arrives for every tunnel of one kind; the body of a worker.
protocol InputBody: WorkerBody {
  /// What is to be watched; the place in this list is the tag.
  var sockets: [CInt] { get }
}
