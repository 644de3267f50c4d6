// Datagrams of NAT traversal as they come in, in batches.
// Used by the input worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

/// What arrives at any of the sockets. The system hands over datagrams of one sender that came together as one piece.
@safe final class NATReceiver {
  /// Pieces of a batch, and bytes kept free in front of each.
  static let pieces = 8
  private static let headroom = 128
  private let messages: OpaquePointer
  private let memory: PacketBatch
  private var lastDropped: UInt32 = 0

  /// One piece: its packets have all of this in common.
  struct Piece {
    let outer: OuterInfo
    /// Of the sender.
    let port: UInt16
    fileprivate let whole: PacketRoom
    fileprivate let step: Int

    /// How many datagrams it has.
    var count: Int { step == 0 ? 1 : (whole.count + step - 1) / step }

    /// The UDP payload of one, where it lies.
    func packet(_ index: Int) -> PacketRoom {
      var packet = whole
      packet.removeFirst(index * step)
      packet.keepFirst(min(step, packet.count))
      return packet
    }
  }

  init() throws(BPF.Failure) {
    guard let messages = unsafe swpcap_udp_batch_new(UInt32(Self.pieces)) else {
      throw .system(errno: ENOMEM, call: "malloc")
    }
    unsafe self.messages = unsafe messages
    memory = PacketBatch(Self.pieces, size: 65536, headroom: Self.headroom)
    for index in 0..<Self.pieces {
      let packet = memory.packets[index]
      // SAFETY: the memory outlives the messages that mean it.
      unsafe swpcap_udp_batch_place(messages, UInt32(index), packet.address, packet.room)
    }
  }

  deinit { unsafe swpcap_udp_batch_free(messages) }

  /// Receives what waits at a socket, up to a batch; never waits. The packets of the last batch are gone.
  /// - Returns: how many pieces came. ``take(_:of:)`` each.
  func receive(_ socket: NATSocket) -> Int {
    var told = lastDropped
    let count = unsafe swpcap_udp_batch_receive(socket.descriptor, messages, UInt32(Self.pieces), &told)
    lastDropped = told
    return max(0, Int(count))
  }

  /// - Returns: nil when it was cut.
  func take(_ index: Int, of socket: NATSocket) -> Piece? {
    var info = swpcap_udp_info()
    unsafe swpcap_udp_batch_info(messages, UInt32(index), socket.isIPv6 ? AF_INET6 : AF_INET, &info)
    guard info.is_cut == 0 else { return nil }
    var packet = memory.packets[index]
    packet.reset(headroom: Self.headroom, count: Int(info.length))
    // SAFETY: 16 plain bytes each.
    let (source, destination) = unsafe (
      unsafeBitCast(info.source, to: (UInt64, UInt64).self), unsafeBitCast(info.destination, to: (UInt64, UInt64).self)
    )
    let outer = OuterInfo(
      source: IPAddress(wire: source, isIPv6: socket.isIPv6),
      destination: IPAddress(wire: destination, isIPv6: socket.isIPv6), transport: IPProtocol.udp,
      trafficClass: info.traffic_class, interface: info.interface)
    return Piece(outer: outer, port: info.port, whole: packet, step: Int(info.segment))
  }
}
