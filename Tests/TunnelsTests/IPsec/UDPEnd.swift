import Glibc

@testable import TestSupport

/// A UDP socket in a host, for payloads that a test chooses.
final class UDPEnd {
  /// Who sent a payload, as the system has it.
  struct Sender: Equatable {
    fileprivate var storage = sockaddr_storage()
    fileprivate var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    static func == (one: Sender, other: Sender) -> Bool {
      withUnsafeBytes(of: one.storage) { a in
        withUnsafeBytes(of: other.storage) { b in
          one.length == other.length && a.prefix(Int(one.length)).elementsEqual(b.prefix(Int(one.length)))
        }
      }
    }

    /// Numeric.
    var address: String {
      var text = [CChar](repeating: 0, count: 64)
      _ = withUnsafePointer(to: storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          getnameinfo($0, length, &text, 64, nil, 0, NI_NUMERICHOST)
        }
      }
      return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The port is at offset 2 for both families.
    var port: UInt16 { withUnsafeBytes(of: storage) { UInt16($0[2]) << 8 | UInt16($0[3]) } }
  }

  let port: UInt16
  private let descriptor: CInt

  init(_ host: Host, _ address: String, port: UInt16 = 0) throws {
    let local = try SocketAddress(address, port)
    let descriptor = try host.inside {
      try check("socket") { socket(local.family, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
    }
    self.descriptor = descriptor
    try local.bind(descriptor)
    self.port = try SocketAddress.localPort(of: descriptor)
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8], to address: String, _ port: UInt16) throws {
    try SocketAddress(address, port).connect(descriptor)
    _ = try check("send") { Glibc.send(descriptor, bytes, bytes.count, 0) }
  }

  func answer(_ sender: Sender, _ bytes: [UInt8]) throws {
    let sent = withUnsafePointer(to: sender.storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, bytes, bytes.count, 0, $0, sender.length)
      }
    }
    _ = try check("sendto") { sent }
  }

  /// The next payload; nil when none comes in time.
  func receive(within seconds: Double = 5) throws -> (bytes: [UInt8], from: Sender)? {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard try check("poll", { poll(&waiting, 1, CInt(seconds * 1000)) }) == 1 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 65536)
    var sender = Sender()
    let count = withUnsafeMutablePointer(to: &sender.storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(descriptor, &buffer, buffer.count, 0, $0, &sender.length)
      }
    }
    guard count >= 0 else { return nil }
    return (Array(buffer[..<count]), sender)
  }
}
