// Ordinary datagrams between hosts, numbered so that a test can say which one is missing.
import Glibc

/// A UDP socket in a host, connected to an address and port. Each payload begins with its number (8 bytes, big-endian) and
/// goes on with bytes 0, 1, 2 …
///
/// When nobody listens on the port the other host answers with ICMP, which is on the wire too: open a ``UDPReceiver``.
package final class UDPSender: @unchecked Sendable {
  private let socket: CInt
  /// The number of the next datagram.
  package private(set) var next: UInt64 = 0
  /// The port that the kernel chose, or the one asked for.
  package let sourcePort: UInt16

  package init(in host: Host, to address: String, port: UInt16, sourcePort: UInt16 = 0) throws {
    let target = try SocketAddress(address, port)
    socket = try host.inside { try openUDP(target.family) }
    do {
      if sourcePort != 0 { try SocketAddress(target.family == AF_INET ? "0.0.0.0" : "::", sourcePort).bind(socket) }
      try target.connect(socket)
      self.sourcePort = try SocketAddress.localPort(of: socket)
    } catch {
      close(socket)
      throw error
    }
  }

  deinit { close(socket) }

  /// Sends datagrams of `size` payload bytes (at least 8), `interval` seconds apart (0: as fast as it goes). All of them
  /// went out when this returns.
  package func send(_ count: Int = 1, size: Int = 64, interval: Double = 0) throws {
    var payload = [UInt8]((0..<max(8, size)).map { UInt8(truncatingIfNeeded: $0 - 8) })
    let start = monotonicSeconds()
    for index in 0..<count {
      if interval > 0 {
        let ahead = start + Double(index) * interval - monotonicSeconds()
        if ahead > 0 { pause(ahead) }
      }
      for byte in 0..<8 { payload[byte] = UInt8(truncatingIfNeeded: next >> (56 - 8 * UInt64(byte))) }
      while true {
        let sent = Glibc.send(socket, payload, payload.count, 0)
        if sent == payload.count { break }
        // ECONNREFUSED tells of an earlier datagram; this one was not sent. A full queue empties by itself.
        let error = errno
        guard [EINTR, ECONNREFUSED, ENOBUFS, EAGAIN].contains(error) else {
          throw SupportError.system(call: "send", errno: error)
        }
        if error == ENOBUFS || error == EAGAIN { pause(0.001) }
      }
      next += 1
    }
  }

  /// The number in a payload.
  package static func number(in payload: some Collection<UInt8>) -> UInt64? {
    payload.count < 8 ? nil : payload.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// A UDP socket in a host that takes what comes to a port.
package final class UDPReceiver: Sendable {
  private let socket: CInt

  package init(in host: Host, address: String = "0.0.0.0", port: UInt16) throws {
    let local = try SocketAddress(address, port)
    socket = try host.inside { try openUDP(local.family) }
    do { try local.bind(socket) } catch {
      close(socket)
      throw error
    }
  }

  deinit { close(socket) }

  /// The numbers of the next `count` datagrams; fewer when no more come in time.
  package func receive(_ count: Int, timeout: Double = 5) throws -> [UInt64] {
    var numbers: [UInt64] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    let end = monotonicSeconds() + timeout
    while numbers.count < count {
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let left = CInt(max(0, end - monotonicSeconds()) * 1000)
      if try check("poll", { poll(&waiting, 1, left) }) == 0 { break }
      let size = try check("recv") { recv(socket, &buffer, buffer.count, 0) }
      if let number = UDPSender.number(in: buffer[..<size]) { numbers.append(number) }
    }
    return numbers
  }
}

private func openUDP(_ family: CInt) throws -> CInt {
  try check("socket") { socket(family, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
}

/// A numeric address with a port, as the kernel takes it.
struct SocketAddress {
  private var storage = sockaddr_storage()
  private let length: socklen_t
  let family: CInt

  init(_ address: String, _ port: UInt16) throws {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address, String(port), &hints, &list) == 0, let first = list?.pointee else {
      throw SupportError.badAddress(address)
    }
    defer { freeaddrinfo(list) }
    family = first.ai_family
    length = first.ai_addrlen
    let size = Int(length)
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: first.ai_addr, count: size))
    }
  }

  func bind(_ socket: CInt) throws { try check("bind") { withPointer { Glibc.bind(socket, $0, length) } } }
  func connect(_ socket: CInt) throws { try check("connect") { withPointer { Glibc.connect(socket, $0, length) } } }

  private func withPointer<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
    withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
  }

  static func localPort(of socket: CInt) throws -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    try check("getsockname") {
      withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
      }
    }
    // The port is at offset 2 for both families.
    return withUnsafeBytes(of: storage) { UInt16($0[2]) << 8 | UInt16($0[3]) }
  }
}
