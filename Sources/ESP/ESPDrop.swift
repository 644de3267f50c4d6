// Why ESP did not carry a packet, and how often. Values; counters any thread.
import Glibc
import SwBPFKern

/// What became of a packet that did not get through. Counted, never thrown.
package enum ESPDrop: UInt8, Error, Sendable, CaseIterable {
  /// There is no room for header, vector, padding or check value.
  case noRoom
  /// The packet is longer than the outer header can say.
  case tooLong
  /// The association has sent its last sequence number.
  case exhausted
  /// The association has reached a hard limit of bytes or packets.
  case lifetime
  /// libcrypto lacks the algorithm, or failed.
  case library
  /// Too short, or no whole blocks. (BADILEN)
  case length
  /// The sequence number is older than the replay window, or 0. (REPLAY)
  case late
  /// The sequence number came before. (REPLAY)
  case replayed
  /// The check value is not that of the packet. (BADAUTH)
  case authentication
  /// The trailer says more padding than there is. (BADILEN)
  case padLength
  /// The padding is not as agreed. (BADENC)
  case padding
  /// A packet sent to be thrown away. (RFC 4303, 2.6)
  case dummy
  /// No association has its destination and SPI. (NOTDB) Counted by whoever looks them up.
  case noAssociation

  /// What an output or input routine returns.
  package var errno: CInt {
    switch self {
    case .noRoom, .late, .replayed: ENOBUFS
    case .tooLong: EMSGSIZE
    case .exhausted, .lifetime: EINVAL
    case .library: EIO
    case .length, .padLength, .padding: EINVAL
    case .authentication: EACCES
    case .dummy: 0
    case .noAssociation: ENOENT
    }
  }

  /// The word that sysctl and logs have for it.
  package var name: String {
    switch self {
    case .noRoom: "noroom"
    case .tooLong: "toobig"
    case .exhausted: "wrap"
    case .lifetime: "lifetime"
    case .library: "crypto"
    case .length: "badilen"
    case .late: "late"
    case .replayed: "replay"
    case .authentication: "badauth"
    case .padLength: "badpadlen"
    case .padding: "badenc"
    case .dummy: "dummy"
    case .noAssociation: "notdb"
    }
  }
}

/// What passed ESP and what did not. (`espstat`)
package struct ESPCounts: Equatable, Sendable {
  package var receivedPackets: UInt64 = 0
  /// Of what was inside.
  package var receivedBytes: UInt64 = 0
  package var sentPackets: UInt64 = 0
  package var sentBytes: UInt64 = 0
  private var drops: InlineArray<13, UInt64> = .init(repeating: 0)

  package init() {}

  package subscript(_ drop: ESPDrop) -> UInt64 {
    get { drops[Int(drop.rawValue)] }
    set { drops[Int(drop.rawValue)] = newValue }
  }

  /// All drops together.
  package var dropped: UInt64 { drops.indices.reduce(0) { $0 + drops[$1] } }

  package static func += (sum: inout ESPCounts, more: ESPCounts) {
    sum.receivedPackets += more.receivedPackets
    sum.receivedBytes += more.receivedBytes
    sum.sentPackets += more.sentPackets
    sum.sentBytes += more.sentBytes
    for index in sum.drops.indices { sum.drops[index] += more.drops[index] }
  }

  package static func == (one: ESPCounts, other: ESPCounts) -> Bool {
    one.receivedPackets == other.receivedPackets && one.receivedBytes == other.receivedBytes
      && one.sentPackets == other.sentPackets && one.sentBytes == other.sentBytes
      && one.drops.indices.allSatisfy { one.drops[$0] == other.drops[$0] }
  }
}

/// The counters of one engine, whoever adds to them.
package final class ESPCounters: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var counts = ESPCounts()

  package init() {}

  /// Adds what a batch came to.
  package func add(_ batch: ESPCounts) { lock.withLock { counts += batch } }

  /// All of one moment.
  package var now: ESPCounts { lock.withLock { counts } }
}
