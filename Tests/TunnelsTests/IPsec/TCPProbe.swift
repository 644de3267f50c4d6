import Glibc
import SwBPFPackets
import TestSupport

/// A TCP connection between two hosts.
enum TCPProbe {
  /// Whether a connection is made and bytes get through it and back within the time.
  static func connects(
    from client: Host, _ source: String, to server: Host, _ destination: String, within seconds: Double,
    bytes: Int = 5632
  ) -> Bool {
    let listener = server.inside { socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0) }
    defer { close(listener) }
    var address = Self.address(destination, port: 0)
    guard withAddress(&address, { bind(listener, $0, $1) }) == 0, listen(listener, 1) == 0 else { return false }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
    }
    let end = client.inside { socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0) }
    defer { close(end) }
    var own = Self.address(source, port: 0)
    guard withAddress(&own, { bind(end, $0, $1) }) == 0 else { return false }
    _ = withAddress(&address) { connect(end, $0, $1) }
    guard ready(end, POLLOUT, seconds) else { return false }
    var error: CInt = 0
    length = socklen_t(MemoryLayout<CInt>.size)
    getsockopt(end, SOL_SOCKET, SO_ERROR, &error, &length)
    guard error == 0, ready(listener, POLLIN, seconds) else { return false }
    let other = accept(listener, nil, nil)
    defer { close(other) }
    let sent = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    guard write(end, sent, sent.count) == sent.count else { return false }
    var got: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 65536)
    while got.count < bytes, ready(other, POLLIN, seconds) {
      let count = read(other, &room, room.count)
      if count <= 0 { break }
      got += room[..<count]
    }
    return got == sent
  }

  private static func ready(_ descriptor: CInt, _ event: CInt, _ seconds: Double) -> Bool {
    var one = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    return poll(&one, 1, CInt(seconds * 1000)) == 1
  }

  private static func address(_ text: String, port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = IPAddress(text)?.v4.bigEndian ?? 0
    return address
  }

  private static func withAddress<R>(_ value: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R
  {
    withUnsafePointer(to: &value) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }
}
