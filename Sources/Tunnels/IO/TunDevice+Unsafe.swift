// One queue of a TUN or TAP device: where inner packets come from and go to.
// Used by one worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

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

  var header: swpcap_vnet {
    var header = swpcap_vnet()
    header.gso_type =
      switch segments {
      case .none: UInt8(SWPCAP_VNET_NONE)
      case .tcp4: UInt8(SWPCAP_VNET_TCP4)
      case .tcp6: UInt8(SWPCAP_VNET_TCP6)
      case .udp: UInt8(SWPCAP_VNET_UDP)
      }
    header.gso_size = segmentSize
    if let checksum {
      header.flags = UInt8(SWPCAP_VNET_NEEDS_CHECKSUM)
      header.checksum_start = checksum.start
      header.checksum_offset = checksum.offset
    }
    return header
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

  /// Bytes in front of a packet that reading and writing it use for the system's header.
  package static var headerLength: Int { MemoryLayout<swpcap_vnet>.size }

  /// Reads one packet into the room behind the headroom, which is at least ``headerLength``; never waits.
  /// - Returns: nil when none waits.
  /// - Throws: EBADFD when the device is gone.
  package func read(into room: inout PacketRoom, headroom: Int) throws(BPF.Failure) -> PacketOffload? {
    var offload = PacketOffload()
    let size = read(into: &room, headroom: headroom, &offload)
    guard size >= 0 else { throw .system(errno: CInt(-size), call: "read(tun)") }
    return size > 0 ? offload : nil
  }

  /// The same for the data path.
  /// - Returns: bytes of the packet, 0 when none waits, or a negative errno.
  package func read(into room: inout PacketRoom, headroom: Int, _ offload: inout PacketOffload) -> Int {
    precondition(headroom >= Self.headerLength, "no room for the header")
    room.reset(headroom: headroom, count: 0)
    var header = swpcap_vnet()
    // SAFETY: the packet's memory has `room` bytes from there on.
    let size = unsafe swpcap_tun_read(descriptor, &header, room.address, room.room)
    guard size > 0 else { return Int(size) }
    room.reset(headroom: headroom, count: Int(size))
    offload = PacketOffload(header)
    return Int(size)
  }

  /// Where the queue takes packets: for who keeps the queue alive all the same, and does not count references for a packet.
  package var inlet: Inlet { Inlet(descriptor: descriptor) }

  package struct Inlet: Sendable {
    let descriptor: CInt
  }

  /// ``Inlet/write(_:)``
  package func write(_ packet: borrowing PacketRoom) -> CInt { inlet.write(packet) }
}

extension TunDevice.Inlet {
  /// Gives the system one packet, whole and with its checksums. In front of it there are ``TunDevice/headerLength`` bytes.
  /// - Returns: 0, or a positive errno.
  package func write(_ packet: borrowing PacketRoom) -> CInt {
    let start = packet.start
    precondition(start >= TunDevice.headerLength, "no room for the header")
    var header = swpcap_vnet()
    // SAFETY: the packet's bytes, and those in front of them.
    let size = unsafe swpcap_tun_write(descriptor, &header, packet.address, packet.count)
    return size < 0 ? CInt(-size) : 0
  }
}
