// What came to ports of NAT traversal and is no ESP, and what became of it. Values; counters any thread.
import SwBPFKern

package struct NATCounts: Equatable, Sendable {
  /// Packets that only keep translations alive.
  package var keepalives: UInt64 = 0
  /// Packets for those who negotiate keys: forwarded or dropped.
  package var ike: UInt64 = 0
  package var ikeForwarded: UInt64 = 0
  package var ikeDropped: UInt64 = 0
  /// Answers that went back, and those that did not.
  package var ikeAnswered: UInt64 = 0
  package var ikeAnswersDropped: UInt64 = 0

  package init() {}

  /// With the words that sysctl has for them, and what people are told.
  var named: [(name: String, about: String, value: UInt64)] {
    [
      ("keepalives", "packets that only keep translations alive", keepalives),
      ("ike", "packets for IKE: forwarded or dropped", ike),
      ("ikeforwarded", "packets for IKE that went where net.ipsec.ike says", ikeForwarded),
      ("ikedropped", "packets for IKE that nobody got", ikeDropped),
      ("ikeanswered", "answers of IKE that went back", ikeAnswered),
      ("ikeanswersdropped", "answers that are no words of IKE, or could not be sent", ikeAnswersDropped),
    ]
  }
}

/// - Threads: any.
final class NATCounters: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var counts = NATCounts()

  func add(keepalives: UInt64) { lock.withLock { counts.keepalives += keepalives } }

  /// One packet for those who negotiate keys.
  func addIKE(isForwarded: Bool) {
    lock.withLock {
      counts.ike += 1
      if isForwarded { counts.ikeForwarded += 1 } else { counts.ikeDropped += 1 }
    }
  }

  func addAnswer(isSent: Bool) {
    lock.withLock {
      if isSent { counts.ikeAnswered += 1 } else { counts.ikeAnswersDropped += 1 }
    }
  }

  /// All of one moment.
  var now: NATCounts { lock.withLock { counts } }
}
