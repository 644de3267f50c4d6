// One queue of a TUN or TAP device: where inner packets come from and go to.
// Used by one worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF

/// What the system has left undone with a packet, or what it need not check. (struct virtio_net_hdr)
package struct PacketOffload: Equatable, Sendable {
  package enum Segments: Equatable, Sendable {
    case none, tcp4, tcp6, udp
  }
  package var segments = Segments.none
  /// Payload bytes of each segment.
  package var segmentSize: UInt16 = 0
  /// The checksum of what begins there is to be put that many bytes behind; nil when it is whole.
  package var checksum: (start: UInt16, offset: UInt16)?

  package init() {}

  init(_ header: swpcap_vnet) {
    switch CInt(header.gso_type) & ~SWPCAP_VNET_ECN {
    case SWPCAP_VNET_TCP4: segments = .tcp4
    case SWPCAP_VNET_TCP6: segments = .tcp6
    case SWPCAP_VNET_UDP: segments = .udp
    default: segments = .none
    }
    segmentSize = header.gso_size
    if CInt(header.flags) & SWPCAP_VNET_NEEDS_CHECKSUM != 0 {
      checksum = (header.checksum_start, header.checksum_offset)
    }
  }

  package static func == (a: PacketOffload, b: PacketOffload) -> Bool {
    a.segments == b.segments && a.segmentSize == b.segmentSize && a.checksum?.start == b.checksum?.start
      && a.checksum?.offset == b.checksum?.offset
  }
}

/// A queue of a device. The device goes with its last queue.
package final class TunDevice: Sendable {
  package enum Layer: Sendable {
    /// IP packets.
    case ip
    /// Ethernet frames.
    case ethernet
  }

  package let name: String
  /// Readable while a packet waits.
  package let descriptor: CInt

  /// Makes a device, with its first queue, in the network namespace of the calling thread.
  /// - Throws: EBUSY when there is an interface of that name, ENOENT without /dev/net/tun, EPERM without CAP_NET_ADMIN.
  package convenience init(_ name: String, _ layer: Layer) throws(BPF.Failure) {
    try self.init(name, layer, isFirst: true)
  }

  /// Opens another queue of the device.
  package convenience init(queueOf device: TunDevice, _ layer: Layer) throws(BPF.Failure) {
    try self.init(device.name, layer, isFirst: false)
  }

  private init(_ name: String, _ layer: Layer, isFirst: Bool) throws(BPF.Failure) {
    let result = unsafe swpcap_tun_open(name, layer == .ethernet ? 1 : 0, isFirst ? 1 : 0)
    guard result >= 0 else { throw .system(errno: -result, call: "TUNSETIFF") }
    self.name = name
    descriptor = result
  }

  deinit { close(descriptor) }

  /// Lets the system hand over packets whose checksum is left to do, and super-packets.
  package func setOffload(checksums: Bool, segments: Bool) throws(BPF.Failure) {
    let result = swpcap_tun_offload(descriptor, checksums ? 1 : 0, segments ? 1 : 0)
    guard result == 0 else { throw .system(errno: -result, call: "TUNSETOFFLOAD") }
  }

  /// Reads one packet into the room behind the headroom; never waits.
  /// - Returns: nil when none waits.
  /// - Throws: EBADFD when the device is gone.
  package func read(into room: inout PacketRoom, headroom: Int) throws(BPF.Failure) -> PacketOffload? {
    room.reset(headroom: headroom, count: 0)
    var header = swpcap_vnet()
    // SAFETY: the packet's memory has `room` bytes from there on.
    let size = unsafe swpcap_tun_read(descriptor, &header, room.address, room.room)
    guard size >= 0 else { throw .system(errno: CInt(-size), call: "read(tun)") }
    guard size > 0 else { return nil }
    room.reset(headroom: headroom, count: Int(size))
    return PacketOffload(header)
  }

  /// Gives the system one packet, whole and with its checksums.
  /// - Returns: 0, or a positive errno.
  package func write(_ packet: borrowing PacketRoom) -> CInt {
    var header = swpcap_vnet()
    // SAFETY: the packet's bytes.
    let size = unsafe swpcap_tun_write(descriptor, &header, packet.address, packet.count)
    return size < 0 ? CInt(-size) : 0
  }

  /// Gives the system the segments of a run as one super-packet. The first one's headers change.
  /// - Parameters:
  ///   - run: of `packets` from `first` on, with at least two segments.
  /// - Returns: 0, or a positive errno.
  package func write(_ run: SegmentRun, _ packets: inout [PacketRoom], from first: Int) -> CInt {
    let last = first + run.count - 1
    run.prepare(&packets[first], pushes: packets[last].bytes.u8(at: run.networkLength + 13) & 8 != 0)
    var header = swpcap_vnet()
    header.flags = UInt8(SWPCAP_VNET_NEEDS_CHECKSUM)
    header.gso_type = UInt8(run.networkLength == 20 ? SWPCAP_VNET_TCP4 : SWPCAP_VNET_TCP6)
    header.header_length = UInt16(run.headerLength)
    header.gso_size = UInt16(run.size)
    header.checksum_start = UInt16(run.networkLength)
    header.checksum_offset = 16
    let size = unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: SegmentRun.most) { places in
      unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: SegmentRun.most) { lengths in
        for index in 0..<(run.count - 1) {
          // SAFETY: a run has at most as many segments.
          unsafe places[index] = UInt64(UInt(bitPattern: packets[first + 1 + index].address))
          unsafe lengths[index] = UInt32(packets[first + 1 + index].count)
        }
        // SAFETY: each packet's bytes, and headers of that length in each.
        return unsafe swpcap_tun_write_pieces(
          descriptor, &header, packets[first].address, packets[first].count, places.baseAddress, lengths.baseAddress,
          UInt32(run.headerLength), CInt(run.count - 1))
      }
    }
    return size < 0 ? CInt(-size) : 0
  }
}
