// The outer packets of a pass on their way to the system.
// Used by one thread at a time; no lock is held over its system calls.
import Glibc
import SwBPFBPF
import SwBPFPackets

/// Cuts outer packets where they have to be cut, sends them with as few calls as there are families, and knows what became of each.
struct OuterBatch: ~Copyable {
  /// Fragments that wait to be sent.
  private let pieces: PacketBatch
  private var pieceCount = 0
  /// Which packet of the pass each one that waits in a sender belongs to.
  private var owners: [[Int]] = [[], []]
  private let senders: [RawSender]
  /// By place in the pass: 0, or a positive errno.
  private(set) var errors: [CInt]

  /// In the network namespace of the calling thread.
  /// - Parameter capacity: packets of a pass.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(capacity: Int) throws(BPF.Failure) {
    // Longer ones come from longer MTUs than a tunnel has.
    pieces = PacketBatch(2 * capacity, size: 9216, headroom: 0)
    senders = [
      try RawSender(ipv6: false, capacity: 2 * capacity), try RawSender(ipv6: true, capacity: 2 * capacity),
    ]
    errors = Array(repeating: 0, count: capacity)
  }

  /// A packet of the pass is not sent.
  mutating func refuse(_ index: Int, _ error: CInt) { errors[index] = error }

  /// A new pass.
  mutating func begin(_ count: Int) {
    for index in 0..<count { errors[index] = 0 }
  }

  /// Takes one outer packet of the pass, in fragments when it is longer than the MTU. Its memory must stay until ``flush(_:)``.
  mutating func add(
    _ packet: borrowing PacketRoom, _ index: Int, to destination: IPAddress, mtu: Int, _ tunnel: Tunnel,
    _ shared: TunnelShared
  ) {
    // No fragment is longer than its room, whatever the way takes.
    let mtu = min(mtu, pieces.packets[0].capacity)
    guard packet.count > mtu,
      var fragments = Fragments(of: packet, mtu: mtu, identification: shared.nextIdentification())
    else { return put(packet, index, destination, tunnel) }
    let family = destination.isIPv6 ? 1 : 0
    while true {
      // Before the piece is written: a flush frees the pieces.
      if senders[family].isFull || pieceCount == pieces.packets.count { flush(tunnel) }
      var piece = pieces.packets[pieceCount]
      guard fragments.next(of: packet, into: &piece) else { return }
      pieceCount += 1
      put(piece, index, destination, tunnel)
    }
  }

  private mutating func put(
    _ packet: borrowing PacketRoom, _ owner: Int, _ destination: IPAddress, _ tunnel: Tunnel
  ) {
    let family = destination.isIPv6 ? 1 : 0
    if senders[family].isFull { flush(tunnel) }
    senders[family].add(packet, to: destination)
    owners[family].append(owner)
  }

  /// Sends what waits; ``errors`` says what became of it.
  mutating func flush(_ tunnel: Tunnel) {
    for family in 0..<2 where senders[family].count > 0 {
      let results = senders[family].flush()
      for index in results.indices where results[index] != 0 {
        errors[owners[family][index]] = results[index]
        tunnel.trouble.note(.send(results[index]))
        // The way has become narrower since it was asked for.
        if results[index] == EMSGSIZE { tunnel.routes.flush() }
      }
      owners[family].removeAll(keepingCapacity: true)
    }
    pieceCount = 0
  }
}
