import Glibc
import SwBPFInterfaces
import SwBPFPFKey
import TestSupport
import Testing

@testable import SwBPFTunnels

/// NetBSD's test cases of ipsecif(4), with engines in place of kernels. (tests/net/if_ipsec) Where NetBSD has a case for each
/// algorithm, one test goes through them.
@Suite(.needsNamespaces, .timeLimit(.minutes(2)))
struct IPsecATFTests {
  @Test("T-148 ipsecif_create_destroy: made and ended, down, up, and up and down again")
  func createDestroy() throws {
    let host = try TunnelHost(Host())
    for operations in [[], [.up, .down], [.up]] as [[InterfaceOperation]] {
      try host.create("ipsec0")
      for operation in operations { try host.perform("ipsec0", operation) }
      #expect(host.engine.names == ["ipsec0"])
      try host.destroy("ipsec0")
      #expect(host.engine.names == [])
      #expect(throws: (any Error).self) { try host.host.ip("link show ipsec0") }
    }
  }

  @Test(
    "T-148 ipsecif_basic: with null, AES-CBC and AES-GCM what is sent to the other side's network arrives and is answered, until the associations or the tunnel go",
    arguments: [false, true], [false, true])
  func basic(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try IPsecHosts(outerIsIPv6: outerIsIPv6)
    for transform in [Transform.null, .cbc, .gcm] {
      try hosts.tunnel(innerIsIPv6: innerIsIPv6)
      let other = hosts.lan(ipv6: innerIsIPv6).1
      #expect(try hosts.near.host.ip("route get \(other)").contains("dev ipsec0"))
      try hosts.associations(transform)
      #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true], "\(transform) \(hosts.troubles)")
      for host in [hosts.near, hosts.far] { try host.perform("ipsec0", .deleteTunnel) }
      #expect(try hosts.near.pings(other, wait: 0.2) == false)
      #expect(try hosts.near.policies().isEmpty && hosts.far.policies().isEmpty)
      try hosts.flush()
    }
    for host in [hosts.near, hosts.far] { try host.destroy("ipsec0") }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 0.2) == [false, false])
  }

  @Test(
    "T-148, T-056 ipsecif_ioctl: the addresses of another tunnel are refused, the own ones stay; when the other is destroyed they are free",
    arguments: [false, true], [false, true])
  func ioctl(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try IPsecHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let dummy = outerIsIPv6 ? ("fc00::11", "fc00::12") : ("10.0.0.11", "10.0.0.12")
    let other = try InterfaceOperation.tunnel(dummy.0, dummy.1)
    try hosts.near.create("ipsec1")
    try hosts.near.perform("ipsec1", other)
    for transform in [Transform.null, .cbc] {
      try hosts.associations(transform)
      let before = try hosts.near.status("ipsec0").tunnel
      #expect(
        hosts.near.refusal { try hosts.near.perform("ipsec0", other) } == "SIOCSLIFPHYADDR: \(EADDRNOTAVAIL)")
      #expect(try hosts.near.status("ipsec0").tunnel == before && before != nil)
      #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true], "\(transform)")
      try hosts.flush()
    }
    try hosts.near.destroy("ipsec1")
    try hosts.near.perform("ipsec0", other)
    #expect(try hosts.near.pings(hosts.lan(ipv6: innerIsIPv6).1, wait: 0.2) == false)
  }

  @Test(
    "T-147, T-148 ipsecif_recursive: a tunnel in a tunnel works; one more is refused and logged, and nothing leaves",
    arguments: [false, true], [false, true])
  func recursive(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try IPsecHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    func inner(_ number: Int) -> (String, String) {
      if number == 0 { return innerIsIPv6 ? GifHosts.inner6 : GifHosts.inner4 }
      return innerIsIPv6
        ? ("fc00:10\(number)::1", "fc00:10\(number)::2") : ("172.16.\(10 + number).1", "172.16.\(10 + number).2")
    }
    let length: UInt8 = innerIsIPv6 ? 128 : 32
    for number in 1...2 {
      for (host, isNear) in [(hosts.near, true), (hosts.far, false)] {
        let (outer, own) = (inner(number - 1), inner(number))
        try host.create("ipsec\(number)")
        try host.perform("ipsec\(number)", isNear ? .tunnel(outer.0, outer.1) : .tunnel(outer.1, outer.0))
        try host.perform(
          "ipsec\(number)", isNear ? .address(own.0, length, to: own.1) : .address(own.1, length, to: own.0))
      }
    }
    for transform in [Transform.null, .cbc] {
      for host in [hosts.near, hosts.far] {
        var text = ""
        for (index, policy) in try host.policies().enumerated() {
          let (from, to) = (policy.selector.source.address, policy.selector.destination.address)
          let reqid = try #require(policy.requests.first?.reqid)
          // The same on both sides: policies of both sides are mirrored.
          let isUp = "\(from)" < "\(to)"
          _ = index
          let spi =
            10000 + Int(policy.selector.upper) * 100 + (isUp ? 0 : 1) + level(of: "\(from)", "\(to)", hosts, inner) * 2
          text += "add \(from) \(to) esp \(spi) -u \(reqid) -m transport \(transform.words()) ;\n"
        }
        #expect(try host.setkey(text).allSatisfy { $0 == 0 })
      }
      #expect(try hosts.near.pings(inner(0).1))
      #expect(try hosts.near.pings(inner(1).1))
      let errors = try hosts.near.status("ipsec2").counters.outputErrors
      #expect(try !hosts.near.pings(inner(2).1, wait: 0.3))
      #expect(hosts.near.log.lines.contains("ipsec0: recursively called too many times(2)"))
      let after = try hosts.near.status("ipsec2")
      #expect(after.counters.outputErrors > errors && after.counters.outputPackets == 0)
      try hosts.flush()
    }
  }

  /// Which of the tunnels has these addresses.
  private func level(of a: String, _ b: String, _ hosts: IPsecHosts, _ inner: (Int) -> (String, String)) -> Int {
    for number in 0...1 where Set([a, b]) == Set([inner(number).0, inner(number).1]) { return number + 1 }
    return 0
  }

  @Test(
    "T-045, T-148 ipsecif_unnumbered: with fixed reqids packets of the LANs pass in both directions, and the wire shows ESP",
    arguments: [false, true])
  func unnumbered(_ outerIsIPv6: Bool) throws {
    let hosts = try IPsecHosts(outerIsIPv6: outerIsIPv6)
    let lans = ("192.168.22.1", "192.168.33.1")
    for (host, outer, lan, net) in [
      (hosts.near, hosts.outer, lans.0, "192.168.33.0/24"),
      (hosts.far, (hosts.outer.1, hosts.outer.0), lans.1, "192.168.22.0/24"),
    ] {
      try host.engine.set("net.ipsecif.use_fixed_reqid", to: 1)
      try host.create("ipsec0")
      try host.perform("ipsec0", .tunnel(outer.0, outer.1), .unnumbered(true), .address(lan, 32))
      try host.host.ip("route add \(net) dev ipsec0")
      #expect(try host.status("ipsec0").flags.contains(.unnumbered))
    }
    for transform in [Transform.null, .cbc] {
      let (a, b) = hosts.outer
      let text = """
        add \(a) \(b) esp 10000 -u 8192 -m transport \(transform.words()) ;
        add \(b) \(a) esp 10001 -u 8192 -m transport \(transform.words()) ;
        """
      for host in [hosts.near, hosts.far] { #expect(try host.setkey(text) == [0, 0]) }
      let capture = try hosts.near.host.start([
        "tcpdump", "--immediate-mode", "-l", "-n", "-c", "2", "-i", "wan0",
        outerIsIPv6 ? "ip6 proto 50" : "ip proto 50",
      ])
      #expect(capture.err.waitForText("listening on"))
      #expect(try hosts.near.pings(lans.1, from: lans.0))
      let lines = try capture.finish(timeout: 10).out.split(separator: "\n").map(String.init)
      #expect(lines.first?.contains("\(a) > \(b): ESP(spi=0x00002710,seq=0x") == true, "\(lines)")
      #expect(lines.last?.contains("\(b) > \(a): ESP(spi=0x00002711,seq=0x") == true, "\(lines)")
      try hosts.flush()
    }
  }

  @Test(
    "T-148 ipsecif_pfil: a filter sees inner packets on the interface: blocking TCP out on one side, then in on the other, leaves pings alone",
    .needsTool("nft"))
  func filter() throws {
    let hosts = try IPsecHosts()
    try hosts.tunnel()
    for transform in [Transform.null, .cbc] {
      try hosts.associations(transform)
      let (a, b) = hosts.lan(ipv6: false)
      func connects(within seconds: Double) -> Bool {
        TCPProbe.connects(from: hosts.near.host, a, to: hosts.far.host, b, within: seconds)
      }
      #expect(connects(within: 5))
      for (host, hook, way) in [(hosts.near, "output", "oifname"), (hosts.far, "input", "iifname")] {
        let rules =
          "table inet t { chain c { type filter hook \(hook) priority 0; \(way) \"ipsec0\" meta l4proto tcp drop; }; }"
        try #require(try host.host.run(["nft", "-f", "-"], input: rules).status == .exited(0))
        #expect(try hosts.near.pings(b, from: a))
        #expect(!connects(within: 0.3))
        try #require(try host.host.run(["nft", "delete", "table", "inet", "t"]).status == .exited(0))
      }
      #expect(connects(within: 5))
      try hosts.flush()
    }
  }
}
