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
  private let senders: (v4: RawSender, v6: RawSender)
  /// Which packet of the pass each one that waits in a sender belongs to; of IPv4, then of IPv6.
  private var owners: [Int]
  private let capacity: Int
  /// By place in the pass: 0, or a positive errno.
  private(set) var errors: [CInt]

  /// In the network namespace of the calling thread.
  /// - Parameter capacity: packets of a pass.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(capacity: Int) throws(BPF.Failure) {
    // Longer ones come from longer MTUs than a tunnel has.
    pieces = PacketBatch(2 * capacity, size: 9216, headroom: 0)
    self.capacity = 2 * capacity
    senders = (
      try RawSender(ipv6: false, capacity: 2 * capacity), try RawSender(ipv6: true, capacity: 2 * capacity)
    )
    owners = Array(repeating: 0, count: 4 * capacity)
    errors = Array(repeating: 0, count: capacity)
  }

  /// A packet of the pass is not sent.
  mutating func refuse(_ index: Int, _ error: CInt) { errors[index] = error }

  /// A new pass.
  mutating func begin(_ count: Int) {
    for index in 0..<count { errors[index] = 0 }
  }

  /// Takes one outer packet of the pass, in fragments when it is longer than the MTU. Its memory must stay until ``flush(_:)``.
  @inline(__always)
  mutating func add(
    _ packet: borrowing PacketRoom, _ index: Int, to destination: IPAddress, mtu: Int, _ tunnel: Tunnel,
    _ shared: TunnelShared
  ) {
    // No fragment is longer than its room, whatever the way takes.
    if packet.count > min(mtu, pieces.packets[0].capacity) {
      cut(packet, index, destination, mtu, tunnel, shared)
    } else {
      put(packet, index, destination, tunnel)
    }
  }

  @inline(never)
  private mutating func cut(
    _ packet: borrowing PacketRoom, _ index: Int, _ destination: IPAddress, _ mtu: Int, _ tunnel: Tunnel,
    _ shared: TunnelShared
  ) {
    let mtu = min(mtu, pieces.packets[0].capacity)
    guard var fragments = Fragments(of: packet, mtu: mtu, identification: shared.nextIdentification()) else {
      return put(packet, index, destination, tunnel)
    }
    while true {
      // Before the piece is written: a flush frees the pieces.
      let isFull = destination.isIPv6 ? senders.v6.isFull : senders.v4.isFull
      if isFull || pieceCount == pieces.packets.count { flush(tunnel) }
      var piece = pieces.packets[pieceCount]
      guard fragments.next(of: packet, into: &piece) else { return }
      pieceCount += 1
      put(piece, index, destination, tunnel)
    }
  }

  @inline(__always)
  private mutating func put(
    _ packet: borrowing PacketRoom, _ owner: Int, _ destination: IPAddress, _ tunnel: Tunnel
  ) {
    if destination.isIPv6 {
      if senders.v6.isFull { flush(tunnel) }
      owners[capacity + senders.v6.count] = owner
      senders.v6.add(packet, to: destination)
    } else {
      if senders.v4.isFull { flush(tunnel) }
      owners[senders.v4.count] = owner
      senders.v4.add(packet, to: destination)
    }
  }

  /// Sends what waits; ``errors`` says what became of it.
  @inline(never)
  mutating func flush(_ tunnel: Tunnel) {
    if senders.v4.count > 0 { note(senders.v4.flush(), 0, tunnel) }
    if senders.v6.count > 0 { note(senders.v6.flush(), capacity, tunnel) }
    pieceCount = 0
  }

  /// - Parameter start: where the owners of these packets stand.
  private mutating func note(_ results: ArraySlice<CInt>, _ start: Int, _ tunnel: Tunnel) {
    for index in results.indices where results[index] != 0 {
      errors[owners[start + index]] = results[index]
      tunnel.trouble.note(.send(results[index]))
      // The way has become narrower since it was asked for.
      if results[index] == EMSGSIZE { tunnel.routes.flush() }
    }
  }
}
