import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// A host with an engine and l2tp0 on it, and at the other end of the cable a host without, whose sockets are a test's.
struct L2TPPeer {
  let near: TunnelHost
  let far: Host
  let wan: (LinkEnd, LinkEnd)
  /// As l2tp0 has it.
  let pair: TunnelPair
  let sender: RawSender
  let receiver: RawReceiver
  static let ids = L2TPSession(local: 1234, remote: 4321)

  /// - Parameter ids: nil for no session.
  init(outerIsIPv6: Bool = false, queues: Int = 1, ids: L2TPSession? = L2TPPeer.ids) throws {
    let host = try Host("near")
    far = try Host("far")
    wan = try Host.link(host, "wan0", far, "wan0", net: 1, ipv6: true)
    near = try TunnelHost(host, queues: queues)
    let ends = outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4)
    let source = try #require(IPAddress(ends.0))
    let destination = try #require(IPAddress(ends.1))
    pair = try #require(TunnelPair(source: source, destination: destination))
    sender = try far.inside { try RawSender(ipv6: outerIsIPv6) }
    receiver = try far.inside { try RawReceiver(ipv6: outerIsIPv6, transport: 115) }
    try near.create("l2tp0")
    try near.hush("l2tp0")
    try near.perform("l2tp0", .tunnel(ends.0, ends.1))
    if let ids { try near.perform("l2tp0", .session(ids)) }
    try near.perform("l2tp0", .up)
  }

  /// Lets an l2tp carry a frame as if the system sent it.
  func output(_ frame: [UInt8], by name: String = "l2tp0") throws {
    let writer = try near.reader(name)
    writer.setHeaderComplete(true)
    try writer.write(frame)
  }

  /// What arrives at the far end, until so much came: outer headers and messages.
  func receive(_ count: Int, within seconds: Double = 3) throws -> [(outer: OuterInfo, message: [UInt8])] {
    var all: [(outer: OuterInfo, message: [UInt8])] = []
    _ = try eventually(within: seconds) {
      for index in 0..<(try receiver.receive()) {
        guard let (outer, packet) = receiver.take(index) else { continue }
        all.append((outer, (0..<packet.count).map { packet.bytes.u8(at: $0) }))
      }
      return all.count >= count
    }
    return all
  }

  /// Sends one message to l2tp0 with an outer header of its own.
  func send(_ message: [UInt8], pair: TunnelPair? = nil) throws {
    let pair = pair ?? self.pair.reversed
    var packet = HeldPacket(message)
    try #require(OuterHeader.prepend(to: &packet.room, pair, transport: 115, trafficClass: 0, hops: 9) == nil)
    sender.add(packet.room, to: pair.destination)
    let errors = Array(sender.flush())
    try #require(errors == [0])
  }

  func counters(_ name: String = "l2tp0") throws -> InterfaceCounters { try near.status(name).counters }
}

extension TunnelHost {
  /// The system says nothing by itself on a device.
  func hush(_ device: String) throws {
    let path = "/proc/sys/net/ipv6/conf/\(device)/disable_ipv6"
    do { try host.write("1", to: path) } catch SupportError.system(_, ENOENT) {}
  }
}

extension [UInt8] {
  static func be32(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
  static func be64(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }

  /// An Ethernet frame of a type for experiments.
  static func frame(_ count: Int = 60, type: [UInt8] = [0x88, 0xb5], from last: UInt8 = 9) -> [UInt8] {
    [2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, last] + type + Inner.body(count - 12 - type.count)
  }
}

/// Two access concentrators with a cable between them, each with a bridge of l2tp0 and a client's LAN. (t_l2tp.sh)
struct L2TPBridges {
  let clients: (Host, Host)
  let near: TunnelHost
  let far: TunnelHost
  let wan: (LinkEnd, LinkEnd)

  /// - Parameters:
  ///   - mtu: of everything that frames of the clients pass.
  ///   - wanMTU: of the cable.
  init(outerIsIPv6: Bool = false, mtu: Int = 1500, wanMTU: Int = 1500, cookies: L2TPCookies? = nil, queues: Int = 2)
    throws
  {
    let (a, b) = (try Host("lac1"), try Host("lac2"))
    wan = try Host.link(a, "wan0", b, "wan0", net: 1, ipv6: true)
    clients = (try Host("client1"), try Host("client2"))
    near = try TunnelHost(a, queues: queues)
    far = try TunnelHost(b, queues: queues)
    let ends = outerIsIPv6 ? (wan.0.ipv6, wan.1.ipv6) : (wan.0.ipv4, wan.1.ipv4)
    let mirrored = cookies.map {
      L2TPCookies(localLength: $0.remoteLength, local: $0.remote, remoteLength: $0.localLength, remote: $0.local)
    }
    for (host, client, number, tunnel, ids, cookies) in [
      (near, clients.0, UInt8(1), ends, L2TPSession(local: 1234, remote: 4321), cookies),
      (far, clients.1, UInt8(2), (ends.1, ends.0), L2TPSession(local: 4321, remote: 1234), mirrored),
    ] {
      // Addresses by hand: the clients are on one subnet, behind different cables.
      try client.ip(
        "link add lan0 address 02:00:00:00:0c:0\(number) mtu \(mtu) type veth"
          + " peer name lan0 mtu \(mtu) netns /proc/\(getpid())/fd/\(host.host.netns)")
      try host.hush("lan0")
      try client.ip("link set lan0 addrgenmode none up")
      try client.ip("addr add 192.168.1.\(number)/24 dev lan0")
      try client.ip("addr add fc00:1::\(number)/64 dev lan0 nodad")
      try host.create("l2tp0")
      try host.hush("l2tp0")
      try host.perform("l2tp0", .mtu(UInt32(mtu)), .tunnel(tunnel.0, tunnel.1), .session(ids))
      if let cookies { try host.perform("l2tp0", .cookie(cookies)) }
      try host.perform("l2tp0", .up)
      try host.host.ip("link set wan0 mtu \(wanMTU)")
      try host.host.ip("link add bridge0 mtu \(mtu) type bridge stp_state 0 mcast_snooping 0")
      try host.hush("bridge0")
      for port in ["lan0", "l2tp0"] { try host.host.ip("link set \(port) master bridge0") }
      try host.host.ip("link set lan0 up")
      try host.host.ip("link set bridge0 up")
    }
  }

  static let addresses4 = ("192.168.1.1", "192.168.1.2")
  static let addresses6 = ("fc00:1::1", "fc00:1::2")

  /// Whether an echo request gets through and back, asked from both sides.
  func pings(ipv6: Bool, wait: Double = 5, size: Int = 56) throws -> [Bool] {
    let (a, b) = ipv6 ? Self.addresses6 : Self.addresses4
    return [
      try Ping.isAnswered(in: clients.0, b, wait: wait, size: size),
      try Ping.isAnswered(in: clients.1, a, wait: wait, size: size),
    ]
  }
}
