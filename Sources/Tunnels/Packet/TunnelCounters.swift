// What passed a tunnel and what did not.
// Added by workers once for each batch; read by requests.
import SwBPFKern

/// Counters of a tunnel interface. (`if_data`, `ips_nogif`)
package struct TunnelCounts: Equatable, Sendable {
  package var receivedPackets: UInt64 = 0
  /// Of inner packets, without the family word that a tap shows.
  package var receivedBytes: UInt64 = 0
  package var sentPackets: UInt64 = 0
  package var sentBytes: UInt64 = 0
  /// Packets that an output routine refused or the system did not take: each once.
  package var outputErrors: UInt64 = 0
  /// Packets that an interface left out without telling anybody. (if_snd)
  package var outputDrops: UInt64 = 0
  /// Inner packets that the system did not take.
  package var inputDrops: UInt64 = 0
  /// Received packets that the tunnel did not take. (NOGIF)
  package var refused: UInt64 = 0

  package init() {}

  package mutating func received(_ bytes: Int) {
    receivedPackets += 1
    receivedBytes += UInt64(bytes)
  }

  package mutating func sent(_ bytes: Int) {
    sentPackets += 1
    sentBytes += UInt64(bytes)
  }

  static func += (sum: inout TunnelCounts, more: TunnelCounts) {
    sum.receivedPackets += more.receivedPackets
    sum.receivedBytes += more.receivedBytes
    sum.sentPackets += more.sentPackets
    sum.sentBytes += more.sentBytes
    sum.outputErrors += more.outputErrors
    sum.outputDrops += more.outputDrops
    sum.inputDrops += more.inputDrops
    sum.refused += more.refused
  }
}

/// The counters of one interface, whoever adds to them.
package final class TunnelCounters: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var counts = TunnelCounts()

  package init() {}

  /// Adds what a batch came to.
  package func add(_ batch: TunnelCounts) { lock.withLock { counts += batch } }

  /// All of one moment.
  package var now: TunnelCounts { lock.withLock { counts } }
}
