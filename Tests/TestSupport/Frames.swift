// Frames made by hand, and a socket that puts them on an interface as they are.
import Glibc

/// A packet socket in a host that sends frames out of one interface. It receives nothing.
package final class FrameSender: Sendable {
  private let socket: CInt

  package init(in host: Host, interface: String) throws {
    socket = try host.inside {
      // AF_PACKET, protocol 0: no frame is ever delivered to it.
      let socket = try check("socket(AF_PACKET)") {
        Glibc.socket(17, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0)
      }
      do {
        let index = if_nametoindex(interface)
        guard index > 0 else { throw SupportError.system(call: interface, errno: errno) }
        // struct sockaddr_ll, which Swift's Glibc does not have: family, protocol, index, then 12 bytes that bind ignores.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes {
          $0.storeBytes(of: 17, as: UInt16.self)
          $0.storeBytes(of: index, toByteOffset: 4, as: UInt32.self)
        }
        try check("bind(\(interface))") {
          address.withUnsafeBytes {
            Glibc.bind(socket, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
          }
        }
      } catch {
        close(socket)
        throw error
      }
      return socket
    }
  }

  deinit { close(socket) }

  package func send(_ frame: [UInt8]) throws {
    try check("send") { Glibc.send(socket, frame, frame.count, 0) }
  }
}

extension Host {
  /// Sends one frame out of an interface of this host.
  package func sendFrame(_ interface: String, _ frame: [UInt8]) throws {
    try FrameSender(in: self, interface: interface).send(frame)
  }
}

package enum Frame {
  /// An Ethernet frame; each VLAN id adds an 802.1Q tag, the outermost first.
  package static func ethernet(
    from source: [UInt8], to destination: [UInt8], vlans: [UInt16] = [], type: UInt16, _ payload: [UInt8]
  ) -> [UInt8] {
    destination + source + vlans.flatMap { [0x81, 0x00] + big($0) } + big(type) + payload
  }

  /// An IPv4 UDP datagram from one end of a link to the other, checksums right.
  package static func udp(
    from source: LinkEnd, to destination: LinkEnd, vlans: [UInt16] = [], sourcePort: UInt16 = 40000, port: UInt16,
    payload: [UInt8]
  ) -> [UInt8] {
    let addresses = ipv4(source.ipv4) + ipv4(destination.ipv4)
    let length = UInt16(8 + payload.count)
    var udp = big(sourcePort) + big(port) + big(length) + [0, 0] + payload
    let sum = checksum(addresses + [0, 17] + big(length) + udp)
    udp.replaceSubrange(6..<8, with: big(sum == 0 ? 0xffff : sum))
    var ip: [UInt8] = [0x45, 0] + big(20 + length) + [0, 0, 0x40, 0, 64, 17, 0, 0] + addresses
    ip.replaceSubrange(10..<12, with: big(checksum(ip)))
    return ethernet(from: source.mac, to: destination.mac, vlans: vlans, type: 0x0800, ip + udp)
  }

  package static func ipv4(_ text: String) -> [UInt8] { text.split(separator: ".").map { UInt8($0)! } }

  package static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

  /// The Internet checksum, plainly.
  package static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt32(bytes[index]) << 8 | UInt32(index + 1 < bytes.count ? bytes[index + 1] : 0)
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return ~UInt16(sum)
  }
}
