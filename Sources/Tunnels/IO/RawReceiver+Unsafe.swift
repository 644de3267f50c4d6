// Outer packets as they come in: one socket for each family and protocol of a network namespace.
// Used by one worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

/// Receives every packet of a protocol, reassembled, in batches. Which tunnel it is for is the caller's matter.
@safe package final class RawReceiver: @unchecked Sendable {
  /// Readable while a packet waits.
  package let descriptor: CInt
  private let family: CInt
  private let transport: UInt8
  private let messages: OpaquePointer
  private let batch: PacketBatch
  private var lastDropped: UInt32 = 0
  /// Packets that the socket had no room for.
  package private(set) var dropped: UInt64 = 0

  /// In the network namespace of the calling thread.
  /// - Parameters:
  ///   - count: packets of a batch.
  ///   - headroom: bytes kept free in front of each.
  ///   - room: bytes of packets that may wait in the socket.
  /// - Throws: EPERM without CAP_NET_RAW.
  package init(
    ipv6: Bool, transport: UInt8, count: Int = 64, headroom: Int = 128, room: UInt32 = 4 << 20
  ) throws(BPF.Failure) {
    family = ipv6 ? AF_INET6 : AF_INET
    self.transport = transport
    let result = swpcap_raw_open(family, CInt(transport), room)
    guard result >= 0 else { throw .system(errno: -result, call: "socket(SOCK_RAW)") }
    guard let messages = unsafe swpcap_raw_batch_new(UInt32(count)) else {
      close(result)
      throw .system(errno: ENOMEM, call: "malloc")
    }
    descriptor = result
    unsafe self.messages = unsafe messages
    batch = PacketBatch(count, size: 65536, headroom: headroom)
    for index in 0..<count {
      let packet = batch.packets[index]
      // SAFETY: the batch outlives the messages that mean it.
      unsafe swpcap_raw_batch_place(messages, UInt32(index), packet.address, packet.room)
    }
  }

  deinit {
    unsafe swpcap_raw_batch_free(messages)
    close(descriptor)
  }

  /// Receives what waits, up to a batch; never waits. The packets of the last batch are gone.
  /// - Returns: how many came. ``take(_:)`` each.
  package func receive() throws(BPF.Failure) -> Int {
    var told = lastDropped
    let count = unsafe swpcap_raw_batch_receive(descriptor, messages, UInt32(batch.packets.count), &told)
    guard count >= 0 else { throw .system(errno: -count, call: "recvmmsg") }
    dropped &+= UInt64(told &- lastDropped)
    lastDropped = told
    return Int(count)
  }

  /// One packet of the batch: what its outer header said, and the inner packet, in place.
  /// - Returns: nil when it was cut or its header is broken.
  package func take(_ index: Int) -> (OuterInfo, PacketRoom)? {
    var info = swpcap_raw_info()
    unsafe swpcap_raw_batch_info(messages, UInt32(index), family, &info)
    guard info.is_cut == 0 else { return nil }
    var packet = batch.packets[index]
    packet.reset(headroom: packet.start, count: Int(info.length))
    if family == AF_INET {
      guard let outer = OuterInfo.takeIPv4(off: &packet, interface: info.interface) else { return nil }
      return (outer, packet)
    }
    // SAFETY: 16 plain bytes each.
    let (source, destination) = unsafe (
      unsafeBitCast(info.source, to: (UInt64, UInt64).self), unsafeBitCast(info.destination, to: (UInt64, UInt64).self)
    )
    let outer = OuterInfo(
      source: IPAddress(wire: source, isIPv6: true).scoped(to: info.interface),
      destination: IPAddress(wire: destination, isIPv6: true).scoped(to: info.interface), transport: transport,
      trafficClass: info.traffic_class, interface: info.interface)
    return (outer, packet)
  }
}
