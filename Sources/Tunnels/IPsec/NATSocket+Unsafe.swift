// The UDP sockets of NAT traversal: one for each family and port, however many interfaces use it.
// Opened by requests; the input worker receives, output workers send. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

/// How a datagram goes out.
struct DatagramWay {
  let pair: TunnelPair
  /// Of the destination.
  let port: UInt16
  var trafficClass: UInt8 = 0
  let hops: UInt8
}

/// A port of this system. It is free again when nobody has this object any more.
///
/// The system is never told that ESP comes here: it would take it for itself.
@safe final class NATSocket: Sendable {
  let isIPv6: Bool
  let port: UInt16
  let descriptor: CInt

  /// In the network namespace of the calling thread.
  /// - Throws: EADDRINUSE when another program has the port, EACCES where ports below 1024 are not for everybody.
  init(isIPv6: Bool, port: UInt16, room: UInt32 = 4 << 20) throws(BPF.Failure) {
    self.isIPv6 = isIPv6
    self.port = port
    descriptor = swpcap_udp_open(isIPv6 ? AF_INET6 : AF_INET, port, room)
    guard descriptor >= 0 else {
      throw .system(errno: -descriptor, call: "UDP port \(port): \(errorText(-descriptor))")
    }
  }

  deinit { close(descriptor) }

  /// Datagrams that are sent with one call at most, and their bytes.
  static let mostOfTrain = 64
  static let longestTrain = 65_000

  /// Sends UDP payloads of equal size, of which only the last may be shorter.
  /// - Returns: 0 or a positive errno: EINVAL, for one, when the source is no address of this system.
  func send(_ train: DatagramTrain, _ way: DatagramWay) -> CInt {
    var raw = swpcap_udp_way()
    // SAFETY: 16 plain bytes each.
    raw.source = unsafe unsafeBitCast(way.pair.source.wire, to: type(of: raw.source))
    raw.destination = unsafe unsafeBitCast(way.pair.destination.wire, to: type(of: raw.destination))
    raw.port = way.port
    raw.traffic_class = way.trafficClass
    raw.hops = way.hops
    return train.send(descriptor, isIPv6 ? AF_INET6 : AF_INET, &raw)
  }

  /// Sends one byte 0xff, so that translations on the way stay. (RFC 3948, 2.3)
  func sendKeepalive(_ way: DatagramWay) -> CInt {
    let train = DatagramTrain(capacity: 1)
    let batch = PacketBatch(1, size: 64, headroom: 0)
    var packet = batch.packets[0]
    packet.reset(headroom: 0, count: 1)
    packet.store(0xff, at: 0)
    train.add(packet)
    return withExtendedLifetime(batch) { send(train, way) }
  }
}

/// UDP payloads that leave together. Used by one worker; the packets stay where they lie until they are sent.
@safe final class DatagramTrain {
  private let parts: UnsafeMutablePointer<iovec>
  private let capacity: Int
  private(set) var count = 0
  private(set) var bytes = 0
  /// Of all but the last.
  private(set) var size = 0
  private var lastSize = 0

  init(capacity: Int = NATSocket.mostOfTrain) {
    self.capacity = capacity
    // SAFETY: freed in deinit.
    unsafe parts = .allocate(capacity: capacity)
    unsafe parts.initialize(repeating: iovec(), count: capacity)
  }

  deinit { unsafe parts.deallocate() }

  /// Whether a packet of so many bytes may follow.
  func takes(_ length: Int) -> Bool {
    count == 0
      || (count < capacity && lastSize == size && length <= size && bytes + length <= NATSocket.longestTrain)
  }

  func add(_ packet: borrowing PacketRoom) {
    let length = packet.count
    precondition(takes(length))
    // SAFETY: the packet's memory outlives the train's use.
    unsafe parts[count] = iovec(iov_base: packet.address, iov_len: length)
    if count == 0 { size = length }
    lastSize = length
    bytes += length
    count += 1
  }

  func removeAll() { (count, bytes, size, lastSize) = (0, 0, 0, 0) }

  fileprivate func send(_ descriptor: CInt, _ family: CInt, _ way: inout swpcap_udp_way) -> CInt {
    -(unsafe swpcap_udp_send(descriptor, family, &way, parts, UInt32(count), UInt16(clamping: size)))
  }
}
