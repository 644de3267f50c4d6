// A host with a daemon and a tunnel, and packets with numbers that go through it in both directions.
import Glibc
import SwBPFDaemonClient

@testable import SwBPFCommands
@testable import TestSupport

/// gif0 of `near`, whose other end is the test itself: nothing is in it but what the test sends.
struct TunnelWire: Sendable {
  let wire: Wire
  let scratch: Scratch
  let daemon: RunningDaemon
  private let sender: UDPSender
  private let far: FrameSender
  private let receiver: UDPReceiver
  private let sink: Sink
  private static let inner = (
    LinkEnd(interface: "gif0", mac: [], ipv4: "172.16.0.1", ipv6: ""),
    LinkEnd(interface: "gif0", mac: [], ipv4: "172.16.0.2", ipv6: "")
  )

  static let config = """
    ifconfig gif0 create tunnel 10.1.0.1 10.1.0.2
    ifconfig gif0 inet 172.16.0.1/32 172.16.0.2 up

    """

  /// - Parameter place: of the socket; nil: that of the network namespace.
  init(config: String = config, socket place: String? = "d.sock") throws {
    let folder = try Scratch()
    (wire, scratch) = (try Wire(), folder)
    // The system would ask for routers in the tunnel and tell of its groups.
    try wire.near.write("1", to: "/proc/sys/net/ipv6/conf/default/disable_ipv6")
    daemon = try RunningDaemon(in: wire.near, folder, config: config, socket: place.map { folder.file($0) })
    // Who listens is asked nothing back: no ICMP in the tunnel.
    receiver = try UDPReceiver(in: wire.near, port: 9)
    sink = try Sink(in: wire.far)
    sender = try UDPSender(in: wire.near, to: "172.16.0.2", port: 9)
    far = try FrameSender(in: wire.far, interface: "vb")
  }

  var near: Host { wire.near }

  /// One packet leaves by the tunnel, with the next number.
  func send(_ count: Int = 1) throws { try sender.send(count) }

  /// One packet arrives by it.
  func sendBack(_ number: UInt64) throws { try far.send(frame(number)) }

  /// Whether so many have come out of the tunnel here.
  func arrives(_ count: Int) throws -> Bool { try receiver.receive(count).count == count }

  /// Whether so many have gone into the tunnel and were put on the cable.
  func leaves(_ count: Int) throws -> Bool { try sink.takes(count) }

  private func frame(_ number: UInt64) -> [UInt8] {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: (number | back) >> (56 - 8 * UInt64($0))) }
    let payload = bytes + [UInt8](repeating: 0, count: 56)
    // Without its link header, which is the type alone here.
    let packet = Array(Frame.udp(from: Self.inner.1, to: Self.inner.0, port: 9, payload: payload).dropFirst(2))
    var outer: [UInt8] = [0x45, 0] + Frame.big(UInt16(20 + packet.count)) + [0, 0, 0, 0, 64, 4, 0, 0]
    outer += Frame.ipv4(wire.farEnd.ipv4) + Frame.ipv4(wire.nearEnd.ipv4)
    outer.replaceSubrange(10..<12, with: Frame.big(Frame.checksum(outer)))
    return Frame.ethernet(from: wire.farEnd.mac, to: wire.nearEnd.mac, type: 0x0800, outer + packet)
  }

  /// The numbers in a savefile of gif0, with `back` in those that came in.
  func numbers(_ name: String) throws -> [UInt64] {
    // Family, IPv4, UDP.
    try packets(in: scratch.file(name)).compactMap { UDPSender.number(in: $0.bytes.dropFirst(32)) }
  }

  func capture(_ words: [String], through: [String] = []) throws -> Child {
    let child = try near.start(through + [Tool.swbpf] + words, environment: environment)
    guard child.err.waitFor("listening on") != nil else {
      child.signal(SIGKILL)
      throw SupportError.command(child.command, try child.finish())
    }
    return child
  }

  var environment: [String: String] { ["SWBPF_SOCKET": daemon.socket] }

  /// What the daemon tells of the peers of a process.
  func peers(of child: Child) -> [String] {
    let lines = try? daemon.asking { try $0.peerLines() }
    return lines?.filter { $0.hasPrefix("pid=\(child.pid)\t") } ?? []
  }
}

/// Takes the outer packets, so that nobody answers that there is no tunnel.
private final class Sink: Sendable {
  private let socket: CInt

  init(in host: Host) throws {
    socket = try host.inside {
      try check("socket(IPPROTO_IPIP)") { Glibc.socket(AF_INET, CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 4) }
    }
  }

  deinit { close(socket) }

  func takes(_ count: Int) throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 2048)
    for _ in 0..<count {
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard try check("poll", { poll(&waiting, 1, 5000) }) == 1 else { return false }
      try check("recv") { recv(socket, &buffer, buffer.count, 0) }
    }
    return true
  }
}

/// A C program of Tests/Clients, compiled into a folder of the test.
enum CClient {
  static func compile(_ name: String, in scratch: Scratch) throws -> String {
    let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Clients"
    let program = scratch.file(name)
    let command = ["cc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, "\(folder)/\(name).c"]
    let output = try Child(command).finish(timeout: 60)
    guard output.status == .exited(0) else { throw SupportError.command(command, output) }
    return program
  }
}
