// A packet socket that judges what is on the wire, independent of the engine.
import Glibc

/// A packet socket that sees every frame of an interface, independent of the engine.
package final class Judge: Sendable {
  package struct Heard: Equatable, Sendable {
    /// Sent by the interface's own host.
    package var isOutgoing: Bool
    package var bytes: [UInt8]
  }

  private let socket: CInt

  package init(in host: Host, interface: String) throws {
    socket = try host.inside {
      // AF_PACKET, every protocol (3 in network order).
      let socket = try check("socket(AF_PACKET)") {
        Glibc.socket(17, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), CInt(0x0300))
      }
      // sockaddr_ll: family, protocol, index.
      var address = [UInt8](repeating: 0, count: 20)
      address.withUnsafeMutableBytes {
        $0.storeBytes(of: 17, as: UInt16.self)
        $0.storeBytes(of: 0x0300, toByteOffset: 2, as: UInt16.self)
        $0.storeBytes(of: if_nametoindex(interface), toByteOffset: 4, as: UInt32.self)
      }
      try check("bind") {
        address.withUnsafeBytes { bind(socket, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), 20) }
      }
      // SOL_PACKET, PACKET_AUXDATA: the kernel tells of VLAN tags that it took out.
      var on: CInt = 1
      try check("PACKET_AUXDATA") { setsockopt(socket, 263, 8, &on, 4) }
      return socket
    }
  }

  deinit { close(socket) }

  /// What was heard until `count` frames came, and a moment longer.
  package func hear(_ count: Int, within seconds: Double = 5) -> [Heard] {
    var heard: [Heard] = []
    _ = eventually(within: seconds) {
      while let one = next() { heard.append(one) }
      return heard.count >= count
    }
    pause(0.02)
    while let one = next() { heard.append(one) }
    return heard
  }

  /// What is there already.
  package func next() -> Heard? {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    var address = [UInt8](repeating: 0, count: 20)
    var control = [UInt8](repeating: 0, count: 64)
    let count = buffer.withUnsafeMutableBytes { data in
      address.withUnsafeMutableBytes { name in
        control.withUnsafeMutableBytes { control in
          var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
          return withUnsafeMutablePointer(to: &vector) { vector in
            var message = msghdr()
            message.msg_name = name.baseAddress
            message.msg_namelen = 20
            message.msg_iov = vector
            message.msg_iovlen = 1
            message.msg_control = control.baseAddress
            message.msg_controllen = control.count
            return recvmsg(socket, &message, 0)
          }
        }
      }
    }
    guard count >= 0 else { return nil }
    var bytes = Array(buffer[..<count])
    // Behind the cmsghdr of 16 bytes: status, lengths, offsets, then tag and its type. 0x10: there is a tag.
    let (status, tag, type) = control.withUnsafeBytes { raw in
      (
        raw.loadUnaligned(fromByteOffset: 16, as: UInt32.self), raw.loadUnaligned(fromByteOffset: 32, as: UInt16.self),
        raw.loadUnaligned(fromByteOffset: 34, as: UInt16.self)
      )
    }
    if status & 0x10 != 0 { bytes.insert(contentsOf: Frame.big(type) + Frame.big(tag), at: 12) }
    return Heard(isOutgoing: address[10] == 4, bytes: bytes)
  }
}
