// One packet that lies in pieces, given to a device with one call.
// Used by one worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFPackets

/// A list of pieces of packets that stay where they are until it is written.
@safe package final class PacketParts {
  private let parts: UnsafeMutablePointer<iovec>
  private let capacity: Int
  /// The first is the offload header's.
  private var count = 1

  package init(capacity: Int) {
    self.capacity = capacity + 1
    // SAFETY: freed in deinit.
    unsafe parts = .allocate(capacity: capacity + 1)
    unsafe parts.initialize(repeating: iovec(), count: capacity + 1)
  }

  deinit { unsafe parts.deallocate() }

  package func removeAll() { count = 1 }

  /// Adds a packet without its first bytes.
  package func add(_ packet: borrowing PacketRoom, from offset: Int) {
    let length = packet.count
    precondition(count < capacity && offset >= 0 && offset <= length)
    // SAFETY: both are inside; the packet's memory outlives the list's use.
    let place = unsafe packet.address + offset
    unsafe parts[count] = iovec(iov_base: place, iov_len: length - offset)
    count += 1
  }

  fileprivate func write(to descriptor: CInt, _ header: inout swpcap_vnet) -> Int64 {
    unsafe swpcap_tun_write_parts(descriptor, &header, parts, UInt32(count))
  }
}

extension TunDevice.Inlet {
  /// Gives the system one packet in pieces.
  /// - Parameters:
  ///   - offload: what is left to do with it.
  ///   - headerLength: bytes of all its headers.
  /// - Returns: 0, or a positive errno.
  package func write(_ parts: PacketParts, _ offload: PacketOffload, headerLength: Int) -> CInt {
    var header = offload.header
    header.header_length = UInt16(headerLength)
    let size = parts.write(to: descriptor, &header)
    return size < 0 ? CInt(-size) : 0
  }
}
