// How much one user may have of the daemon.
import Glibc
import SwBPFKern

package struct DaemonLimits: Sendable {
  /// Connections at a time: of one user, of all but root, of all.
  package var connections = 64
  package var othersConnections = 448
  package var allConnections = 512
  /// Peers (bpf descriptors) of one user.
  package var peers = 64
  /// Shared memory of one user, bytes.
  package var sharedMemory = 256 << 20
  /// Requests that are taken of one user in a window; then he waits for the next one. Root has ten times as many.
  package var requests = 100
  /// ns.
  package var window: Int64 = 100_000_000
  /// New connections in a connectionWindow (ns), of all.
  package var newConnections = 16
  package var connectionWindow: Int64 = 16_000_000
  /// ns until the hello must have come.
  package var hello: Int64 = 2_000_000_000
  /// ns without taking anything of what waits for him, then he is dropped.
  package var slowness: Int64 = 5_000_000_000
  /// PF_KEY sockets of all.
  package var keySockets = 64
  /// Bytes of events that wait for one client here; the rest waits in its PF_KEY socket, which drops what is too much.
  package var events = 256 << 10

  package init() {}
}

/// What users have now, of things that last. (Connections are the control thread's own matter.)
/// - Threads: any.
package final class Accounts: Sendable {
  private final class State: @unchecked Sendable {
    var peers: [UInt32: Int] = [:]
    var memory: [UInt32: Int] = [:]
  }

  private let limits: DaemonLimits
  private let lock = Lock(rank: .leaf)
  private let state = State()

  package init(_ limits: DaemonLimits) { self.limits = limits }

  /// Books a peer with its shared memory (bytes). - Returns: 0, EMFILE or ENOMEM.
  package func takePeer(_ user: UInt32, memory: Int) -> CInt {
    lock.withLock {
      let (peers, used) = (state.peers[user, default: 0], state.memory[user, default: 0])
      guard peers < limits.peers else { return EMFILE }
      guard memory >= 0, memory <= limits.sharedMemory - used else { return ENOMEM }
      state.peers[user] = peers + 1
      state.memory[user] = used + memory
      return 0
    }
  }

  package func returnPeer(_ user: UInt32, memory: Int) {
    lock.withLock {
      let (peers, used) = (state.peers[user, default: 0] - 1, state.memory[user, default: 0] - memory)
      state.peers[user] = peers > 0 ? peers : nil
      state.memory[user] = used > 0 ? used : nil
    }
  }
}
