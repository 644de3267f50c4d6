// ICMPv6 errors about outer packets. (`in6_gif_ctlinput`)
// Used by the input worker. (CPcapShim)
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFPackets

/// Hears of packets that did not arrive: the way to their destination has to be asked for again.
final class PathErrors {
  let descriptor: CInt
  private var buffer = [UInt8](repeating: 0, count: 2048)

  /// In the network namespace of the calling thread.
  init() throws(BPF.Failure) {
    descriptor = swpcap_raw_open(AF_INET6, CInt(IPPROTO_ICMPV6), 1 << 18)
    guard descriptor >= 0 else { throw .system(errno: -descriptor, call: "socket(SOCK_RAW)") }
    let result = swpcap_raw_errors_only(descriptor)
    guard result == 0 else {
      close(descriptor)
      throw .system(errno: -result, call: "ICMP6_FILTER")
    }
  }

  deinit { close(descriptor) }

  /// Reads what waits.
  /// - Parameter body: gets the destination of each packet that an error tells of.
  func hear(_ body: (IPAddress) -> Void) {
    for _ in 0..<64 {
      // SAFETY: the system writes at most as many bytes as there are.
      let size = unsafe recv(descriptor, &buffer, buffer.count, 0)
      guard size > 0 else { return }
      if let destination = PathErrors.destination(of: buffer[..<size]) { body(destination) }
    }
  }

  /// The destination of the IPv6 packet that an ICMPv6 error quotes.
  static func destination(of message: ArraySlice<UInt8>) -> IPAddress? {
    // Type, code, checksum and a word come before the packet.
    let packet = message.dropFirst(8)
    guard let first = message.first, (1...4).contains(first), packet.count >= 40, packet[packet.startIndex] >> 4 == 6
    else { return nil }
    return IPAddress(bytes: Array(packet.dropFirst(24).prefix(16)))
  }
}
