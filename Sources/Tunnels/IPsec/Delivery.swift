// Packets that came out of a tunnel, on their way to the system.
// Used by one worker.
import Glibc
import SwBPFBPF
import SwBPFPackets

/// Gives packets to a device, those of one flow together.
struct Delivery: ~Copyable {
  private var coalescer: Coalescer
  private let parts: PacketParts

  /// - Parameter capacity: packets of a batch.
  init(capacity: Int) {
    coalescer = Coalescer(capacity: capacity)
    parts = PacketParts(capacity: capacity)
  }

  /// Gives the first packets of a batch to the system.
  @inline(never)
  mutating func deliver(
    _ packets: inout [PacketRoom], _ count: Int, to tunnel: Tunnel, coalesces: Bool, _ counts: inout TunnelCounts
  ) {
    coalescer.arrange(packets, count, isOn: coalesces && count > 1)
    for index in coalescer.runs.indices {
      let run = coalescer.runs[index]
      let queue = tunnel.inlets[Self.queue(of: packets[run.first], tunnel.inlets.count)]
      let error: CInt
      // A run counts as the packets that came.
      var place: Int? = run.first
      if run.count == 1 {
        error = queue.write(packets[run.first])
      } else {
        let headers = coalescer.headerLength(of: run)
        let offload = coalescer.join(run, &packets, mtu: .max)
        parts.removeAll()
        parts.add(packets[run.first], from: 0)
        while let last = place, let next = coalescer.place(after: last) {
          parts.add(packets[next], from: headers)
          place = next
        }
        error = queue.write(parts, offload, headerLength: headers)
        place = run.first
      }
      if error == 0 {
        while let next = place {
          counts.received(packets[next].count)
          place = coalescer.place(after: next)
        }
      } else {
        counts.inputDrops += UInt64(run.count)
        tunnel.trouble.note(.deliver(error))
      }
    }
  }

  /// The queue of a flow: the system sends what it answers by the same one.
  private static func queue(of packet: borrowing PacketRoom, _ count: Int) -> Int {
    if count == 1 { return 0 }
    let bytes = packet.bytes
    var hash: UInt64 = 0
    if bytes.u8(at: 0) >> 4 == 6 {
      hash = bytes.be64(at: 16) ^ bytes.be64(at: 32)
      if bytes.byteCount >= 44 { hash ^= UInt64(bytes.be32(at: 40)) << 17 }
    } else {
      hash = bytes.be64(at: 12)
      // Fragments of one packet have no ports but the first.
      if bytes.be16(at: 6) & 0x3fff == 0, bytes.byteCount >= 24 { hash ^= UInt64(bytes.be32(at: 20)) << 17 }
    }
    return Int(hash.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15).low >> 32) % count
  }
}
