// What the tests of control share: frames that nobody answers, captures asked in the process of the test.
import Glibc
import SwBPF

@testable import SwBPFCommands
@testable import TestSupport

/// An Ethernet type for local experiments: no host answers it.
private let experimental: UInt16 = 0x88b5
/// The number's top bit marks frames from `far` to `near`.
let back: UInt64 = 1 << 63

/// Numbered frames in both directions of a cable.
struct NumberedFrames: Sendable {
  let wire: Wire
  private let out: FrameSender
  private let reply: FrameSender

  init(_ wire: Wire) throws {
    self.wire = wire
    out = try FrameSender(in: wire.near, interface: "va")
    reply = try FrameSender(in: wire.far, interface: "vb")
  }

  /// A frame that `near` sees leave.
  func send(_ number: UInt64) throws {
    try out.send(frame(number, from: wire.nearEnd, to: wire.farEnd))
  }

  /// A frame that `near` sees arrive.
  func sendBack(_ number: UInt64) throws {
    try reply.send(frame(number | back, from: wire.farEnd, to: wire.nearEnd))
  }

  private func frame(_ number: UInt64, from: LinkEnd, to: LinkEnd) -> [UInt8] {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
    return Frame.ethernet(from: from.mac, to: to.mac, type: experimental, bytes + [UInt8](repeating: 0, count: 38))
  }

  /// The numbers of such frames in a savefile.
  static func numbers(in path: String) throws -> [UInt64] {
    try packets(in: path).compactMap { packet in
      guard packet.bytes.count > 21, packet.bytes[12] == 0x88, packet.bytes[13] == 0xb5 else { return nil }
      return UDPSender.number(in: packet.bytes[14...])
    }
  }
}

extension Child {
  /// The control socket of a capture of the user who runs the tests.
  func endpoint() throws -> ControlEndpoint {
    var found: ControlEndpoint?
    _ = eventually {
      found = ControlEndpoint.all().first { $0.name.pid == pid }
      return found != nil
    }
    guard let found else { throw SupportError.timeout(command + ["(control socket)"], seconds: 5) }
    return found
  }
}

extension ControlEndpoint {
  /// The capture's first peer, or nil when it did not answer.
  var status: PeerStatus? {
    guard case .answer(.done(let lines)) = ControlClient.ask(self, .status) else { return nil }
    return lines.first.map { PeerStatus(line: $0) }
  }
}

/// How often the threads of a process went to sleep or were put aside, by name.
func switches(of pid: pid_t) throws -> [String: Int] {
  let script = "for t in /proc/\(pid)/task/*; do cat $t/comm; grep ctxt $t/status; done"
  var sums: [String: Int] = [:]
  var name = ""
  for line in try Child(["sh", "-c", script]).finish().out.split(separator: "\n") {
    let words = line.split(whereSeparator: \.isWhitespace)
    if words.count == 2, let count = Int(words[1]) { sums[name, default: 0] += count } else { name = String(line) }
  }
  return sums
}
