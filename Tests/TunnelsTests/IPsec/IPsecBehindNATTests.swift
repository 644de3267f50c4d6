import Glibc
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// Two hosts behind a router that translates addresses and ports, and one on the other side of it.
private struct NATHosts {
  /// A host behind the router, with an ipsec0 to the remote one.
  struct Local {
    let tunnels: TunnelHost
    let address: String
    /// Inside of the tunnel: its own, and that of the remote host.
    let inner: (String, String)
    /// The remote host's interface.
    let remoteName: String
    let spi: Int
  }

  let locals: [Local]
  let router: Host
  let remote: TunnelHost
  /// Of the router, as the remote host sees it; of the remote host.
  let wan: (String, String)
  /// What stands on the wire.
  static let port: UInt16 = 4500

  init() throws {
    let (router, far) = (try Host("router"), try Host("remote"))
    let (own, other) = try Host.link(router, "wan0", far, "wan0", net: 1)
    wan = (own.ipv4, other.ipv4)
    var locals: [Local] = []
    for number in 0...1 {
      let host = try Host("local\(number)")
      let net = UInt8(2 + number)
      let (end, gateway) = try Host.link(host, "lan0", router, "lan\(number)", net: net)
      try host.ip("route add default via \(gateway.ipv4)")
      let inner = number == 0 ? ("172.16.1.1", "172.16.2.1") : ("172.16.3.1", "172.16.4.1")
      locals.append(
        Local(
          tunnels: try TunnelHost(host, queues: 1), address: end.ipv4, inner: inner, remoteName: "ipsec\(number)",
          spi: 10000 + 10000 * number))
    }
    self.locals = locals
    self.router = router
    remote = try TunnelHost(far, queues: 1)
    for host in locals.map(\.tunnels) + [remote] { host.keys.permitsNoAuth = true }
    try router.write("1", to: "/proc/sys/net/ipv4/ip_forward")
    try far.ip("route add 10.0.0.0/8 via \(wan.0)")
  }

  /// From now on the remote host sees the router's address, and knows no way to those behind it.
  func translate() throws {
    let rule = "oifname \"wan0\" masquerade random;"
    let rules = "table ip t { chain c { type nat hook postrouting priority 100; \(rule) }; }"
    try #require(try router.run(["nft", "-f", "-"], input: rules).status == .exited(0))
    // What was said once stays known, however slow the machine is.
    try? router.write("600", to: "/proc/sys/net/netfilter/nf_conntrack_udp_timeout")
    try remote.host.ip("route del 10.0.0.0/8 via \(wan.0)")
  }

  /// A datagram from port 4500 to port 4500: where the remote host sees it come from.
  func sighting(of local: Local) throws -> UDPEnd.Sender {
    let listener = try UDPEnd(remote.host, wan.1, port: Self.port)
    let sender = try UDPEnd(local.tunnels.host, local.address, port: Self.port)
    try sender.send([0xff], to: wan.1, Self.port)
    return try #require(try listener.receive()).from
  }

  /// The port that the router has for it, from its table, where the system shows that.
  func mapped(_ local: Local) throws -> UInt16? {
    let table = try router.run(["cat", "/proc/net/nf_conntrack"])
    guard table.status == .exited(0) else { return nil }
    let line = table.out.split(separator: "\n").first { $0.contains("udp") && $0.contains("src=\(local.address) ") }
    let words = try #require(line).split(separator: " ")
    return words.last { $0.hasPrefix("dport=") }.flatMap { UInt16($0.dropFirst(6)) }
  }

  /// ipsec0 there and the remote host's interface for it, without associations.
  func tunnel(_ local: Local, port: UInt16) throws {
    try local.tunnels.create("ipsec0")
    try local.tunnels.perform(
      "ipsec0", .link(0, true), .tunnel(local.address, Self.port, wan.1, Self.port),
      .address(local.inner.0, 32, to: local.inner.1))
    try remote.create(local.remoteName)
    try remote.perform(
      local.remoteName, .link(0, true), .tunnel(wan.1, Self.port, wan.0, port),
      .address(local.inner.1, 32, to: local.inner.0))
  }

  func associations(_ local: Local, port: UInt16, _ transform: Transform) throws {
    let keys = local.spi == 10000 ? ("a", "b") as (Character, Character) : ("c", "d")
    func words(_ outside: String, _ number: UInt16) -> String {
      """
      add \(outside) [\(number)] \(wan.1) [\(Self.port)] esp-udp \(local.spi) -m transport \(transform.words(keys.0)) ;
      add \(wan.1) [\(Self.port)] \(outside) [\(number)] esp-udp \(local.spi + 1) -m transport \(transform.words(keys.1)) ;
      """
    }
    #expect(try local.tunnels.setkey(words(local.address, Self.port)) == [0, 0])
    #expect(try remote.setkey(words(wan.0, port)) == [0, 0])
  }

  /// Whether pings are answered in both directions, and a TCP connection carries 512 lines of 11 bytes and is heard.
  func works(_ local: Local) throws -> [Bool] {
    [
      try local.tunnels.pings(local.inner.1, wait: 10), try remote.pings(local.inner.0, wait: 10),
      TCPProbe.connects(
        from: local.tunnels.host, local.inner.0, to: remote.host, local.inner.1, within: 10, bytes: 5632),
    ]
  }
}

/// NetBSD's cases of ipsecif(4) behind NAT. (tests/net/if_ipsec/t_ipsec_natt.sh)
@Suite(.needsNamespaces, .needsTool("nft"), .timeLimit(.minutes(2)))
struct IPsecBehindNATTests {
  @Test(
    "T-148, T-059, T-141 ipsecif_natt_transport: from behind a translator ESP in UDP works by the ports that it chose, and so it does from a second host behind it, to the same address",
    arguments: [Transform.null, .cbc, .gcm])
  func transport(_ transform: Transform) throws {
    let hosts = try NATHosts()
    let (a, b) = (hosts.locals[0], hosts.locals[1])
    // As they are.
    let plain = try hosts.sighting(of: a)
    #expect(plain.address == a.address && plain.port == 4500)
    #expect(try a.tunnels.pings(hosts.wan.1))
    try hosts.translate()
    let first = try hosts.sighting(of: a)
    #expect(first.address == hosts.wan.0)
    #expect(try hosts.mapped(a) ?? first.port == first.port)
    #expect(TCPProbe.connects(from: a.tunnels.host, a.address, to: hosts.remote.host, hosts.wan.1, within: 10))

    let capture = try hosts.remote.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-i", "wan0", "udp or tcp or proto 4 or proto 50",
    ])
    #expect(capture.err.waitForText("listening on"))
    try hosts.tunnel(a, port: first.port)
    try hosts.associations(a, port: first.port, transform)
    #expect(try hosts.works(a) == [true, true, true], "\(hosts.troubles)")

    // The second one: the same addresses on the wire, another port.
    let second = try hosts.secondSighting(beside: first.port)
    #expect(try hosts.mapped(b) ?? second == second && second != first.port)
    try hosts.tunnel(b, port: second)
    #expect(try hosts.works(a) == [true, true, true], "\(hosts.troubles)")
    try hosts.associations(b, port: second, transform)
    #expect(try hosts.works(b) == [true, true, true], "\(hosts.troubles)")
    #expect(try hosts.works(a) == [true, true, true], "\(hosts.troubles)")
    #expect(try hosts.remote.policies().count == 4)

    let lines = try capture.stop().out.split(separator: "\n")
    for (port, spi) in [(first.port, a.spi), (second, b.spi)] {
      for (text, number) in [
        ("\(hosts.wan.0).\(port) > \(hosts.wan.1).4500: UDP-encap: ESP(spi=", spi),
        ("\(hosts.wan.1).4500 > \(hosts.wan.0).\(port): UDP-encap: ESP(spi=", spi + 1),
      ] {
        let hex = String(number, radix: 16)
        let spiText = "0x" + String(repeating: "0", count: 8 - hex.count) + hex
        #expect(lines.contains { $0.contains(text + spiText) }, "\(text) \(lines.prefix(20))")
      }
    }
    // And nothing else but keepalives and what made the router remember.
    let others = lines.filter { !$0.contains("UDP-encap: ESP") && !$0.contains("isakmp-nat-keep-alive") }
    #expect(others.isEmpty, "\(others.prefix(5))")
  }
}

extension NATHosts {
  fileprivate var troubles: String {
    (locals.map { ($0.tunnels, "ipsec0") } + locals.map { (remote, $0.remoteName) })
      .map { (try? $0.0.status($0.1).lastError) ?? "-" }.joined(separator: "; ")
  }

  /// The port that the router chooses for the second local host, as the wire shows it: the remote host's port is its ipsec0's.
  fileprivate func secondSighting(beside first: UInt16) throws -> UInt16 {
    let sender = try UDPEnd(locals[1].tunnels.host, locals[1].address, port: Self.port)
    let capture = try remote.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-c", "1", "-i", "wan0",
      "udp and dst port 4500 and not src port \(first)",
    ])
    #expect(capture.err.waitForText("listening on"))
    try sender.send([0xff], to: wan.1, Self.port)
    let line = try capture.finish(timeout: 10).out
    // `IP 10.1.0.1.40000 > 10.1.0.2.4500: …`
    let source = line.split(separator: " ").first { $0.hasPrefix(wan.0 + ".") }
    return try #require(source?.split(separator: ".").last.flatMap { UInt16($0) }, "\(line)")
  }
}
