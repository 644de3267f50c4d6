import Glibc
import SwBPFPackets

@testable import SwBPFTunnels
@testable import TestSupport

/// Echo requests, and who answers.
enum Ping {
  /// Sends requests until one is answered.
  /// - Parameters:
  ///   - source: address that they are sent from; nil: the system chooses.
  ///   - wait: seconds in all.
  ///   - size: bytes behind the ICMP header.
  ///   - once: sends one request only.
  static func isAnswered(
    in host: Host, _ destination: String, from source: String? = nil, wait: Double = 2, size: Int = 56,
    once: Bool = false
  ) throws -> Bool {
    guard let to = IPAddress(destination) else { throw SupportError.system(call: destination, errno: EINVAL) }
    let isIPv6 = to.isIPv6
    let socket = try host.inside {
      try check("socket(SOCK_RAW)") {
        Glibc.socket(
          to.systemFamily, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue),
          CInt(isIPv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
      }
    }
    defer { close(socket) }
    if let source, let from = IPAddress(source) {
      _ = try withAddress(from) { address, length in try check("bind") { bind(socket, address, length) } }
    }
    let identification = UInt16.random(in: 1...0xffff)
    var number: UInt16 = 0
    return eventually(within: wait) {
      number += 1
      var message: [UInt8] = [
        isIPv6 ? 128 : 8, 0, 0, 0, UInt8(identification >> 8), UInt8(identification & 0xff), UInt8(number >> 8),
        UInt8(number & 0xff),
      ]
      message += (0..<size).map { UInt8(truncatingIfNeeded: $0) }
      if !isIPv6 {
        let sum = checksum(message)
        message.replaceSubrange(2..<4, with: [UInt8(sum >> 8), UInt8(sum & 0xff)])
      }
      // What cannot be sent is not answered.
      if !once || number == 1 {
        withAddress(to) { address, length in _ = sendto(socket, message, message.count, 0, address, length) }
      }
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      poll(&waiting, 1, 100)
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = recv(socket, &buffer, buffer.count, 0)
        if count < 0 { return false }
        let start = isIPv6 ? 0 : Int(buffer[0] & 0xf) * 4
        if count >= start + 8 + size, buffer[start] == (isIPv6 ? 129 : 0),
          Array(buffer[(start + 4)..<(start + 6)]) == Array(message[4..<6]),
          Array(buffer[(start + 8)..<(start + 8 + size)]) == Array(message[8...])
        {
          return true
        }
      }
    }
  }

  /// Sends requests without waiting for answers.
  static func send(in host: Host, _ destination: String, count: Int) throws {
    for _ in 0..<count { _ = try isAnswered(in: host, destination, wait: 0) }
  }

  private static func withAddress<Result>(
    _ address: IPAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    var four = sockaddr_in()
    var six = sockaddr_in6()
    four.sin_family = sa_family_t(AF_INET)
    four.sin_addr.s_addr = address.v4.bigEndian
    six.sin6_family = sa_family_t(AF_INET6)
    six.sin6_addr = unsafeBitCast(address.wire, to: in6_addr.self)
    func run<Address>(_ value: inout Address) throws -> Result {
      let size = socklen_t(MemoryLayout<Address>.size)
      return try withUnsafePointer(to: &value) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, size) }
      }
    }
    return try address.isIPv6 ? run(&six) : run(&four)
  }
}
