import Glibc
import SwBPFInterfaces
import TestSupport
import Testing

@testable import SwBPFTunnels

/// NetBSD's test cases of gif(4), with engines in place of kernels. (tests/net/if_gif)
@Suite(.needsNamespaces, .timeLimit(.minutes(2)))
struct GifATFTests {
  @Test("T-079 gif_create_destroy: made and ended, down, up, and up and down again")
  func createDestroy() throws {
    let host = try TunnelHost(Host())
    for operations in [[], [.up, .down], [.up]] as [[InterfaceOperation]] {
      try host.create("gif0")
      for operation in operations { try host.perform("gif0", operation) }
      #expect(host.engine.names == ["gif0"])
      #expect(try host.host.ip("link show gif0").contains("gif0"))
      try host.destroy("gif0")
      #expect(host.engine.names == [])
      #expect(throws: (any Error).self) { try host.host.ip("link show gif0") }
    }
  }

  @Test(
    "T-079 gif_basic: what is sent to the other side's network arrives there and is answered until the tunnel goes",
    arguments: [false, true], [false, true])
  func basic(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let other = hosts.lan(ipv6: innerIsIPv6).1
    #expect(try hosts.near.host.ip("route get \(other)").contains("dev gif0"))
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true])
    for host in [hosts.near, hosts.far] { try host.perform("gif0", .deleteTunnel) }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 0.3) == [false, false])
    for host in [hosts.near, hosts.far] { try host.destroy("gif0") }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 0.3) == [false, false])
  }

  @Test(
    "T-098, T-099 gif_ioctl: the addresses of another tunnel are refused, the own ones stay; when the other is destroyed they are free",
    arguments: [false, true], [false, true])
  func ioctl(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let dummy = outerIsIPv6 ? ("fc00::11", "fc00::12") : ("10.0.0.11", "10.0.0.12")
    let other = try InterfaceOperation.tunnel(dummy.0, dummy.1)
    try hosts.near.create("gif1")
    try hosts.near.perform("gif1", other)
    let before = try hosts.near.status("gif0").tunnel
    #expect(
      hosts.near.refusal { try hosts.near.perform("gif0", other) } == "SIOCSLIFPHYADDR: \(EADDRNOTAVAIL)")
    #expect(try hosts.near.status("gif0").tunnel == before && before != nil)
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true])
    // The other way round, and with one address in common, it is another pair.
    try hosts.near.perform("gif1", .tunnel(dummy.1, dummy.0))
    try hosts.near.perform("gif1", .tunnel(hosts.outer.0, dummy.1))
    try hosts.near.perform("gif1", other)
    try hosts.near.destroy("gif1")
    try hosts.near.perform("gif0", other)
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 0.3) == [false, false])
  }

  @Test(
    "T-100 gif_recursive: a tunnel in a tunnel works; one more is refused and logged, and nothing leaves",
    arguments: [false, true], [false, true])
  func recursive(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
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
        try host.create("gif\(number)")
        try host.perform("gif\(number)", isNear ? .tunnel(outer.0, outer.1) : .tunnel(outer.1, outer.0))
        try host.perform(
          "gif\(number)", isNear ? .address(own.0, length, to: own.1) : .address(own.1, length, to: own.0))
      }
    }
    #expect(try hosts.near.pings(inner(0).1))
    #expect(try hosts.near.pings(inner(1).1))
    let sent = try hosts.near.status("gif0").counters.outputPackets
    let errors = try hosts.near.status("gif2").counters.outputErrors
    #expect(try !hosts.near.pings(inner(2).1, wait: 0.5))
    #expect(hosts.near.log.lines.contains("gif0: recursively called too many times(2)"))
    let after = try hosts.near.status("gif2")
    #expect(after.counters.outputErrors > errors && after.counters.outputPackets == 0)
    #expect(after.lastError?.contains("gif0: recursively called too many times(2)") == true)
    // The other tunnels say nothing by themselves but a few words of IPv6 that have nothing to do with it.
    if !innerIsIPv6 {
      let quiet = try eventually(within: 2) {
        let before = try hosts.near.status("gif0").counters.outputPackets
        _ = try hosts.near.pings(inner(2).1, wait: 0.1)
        return try hosts.near.status("gif0").counters.outputPackets == before
      }
      #expect(quiet && sent > 0)
    }
  }

  @Test(
    "gif_unnumbered: with the LAN's address on it, packets of the LANs pass and the wire shows them inside",
    arguments: [false, true])
  func unnumbered(_ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    let lans = ("192.168.22.1", "192.168.33.1")
    for (host, outer, lan, net) in [
      (hosts.near, hosts.outer, lans.0, "192.168.33.0/24"),
      (hosts.far, (hosts.outer.1, hosts.outer.0), lans.1, "192.168.22.0/24"),
    ] {
      try host.create("gif0")
      try host.perform("gif0", .tunnel(outer.0, outer.1), .unnumbered(true), .address(lan, 32))
      try host.host.ip("route add \(net) dev gif0")
      #expect(try host.status("gif0").flags.contains(.unnumbered))
    }
    let capture = try hosts.near.host.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-c", "2", "-i", "wan0", outerIsIPv6 ? "ip6 proto 4" : "ip proto 4",
    ])
    #expect(capture.err.waitForText("listening on"))
    #expect(try hosts.near.pings(lans.1, from: lans.0))
    let output = try capture.finish(timeout: 10)
    let (a, b) = hosts.outer
    let lines = output.out.split(separator: "\n").map(String.init)
    #expect(lines.first?.contains("\(a) > \(b): IP \(lans.0) > \(lans.1): ICMP echo request") == true, "\(output.out)")
    #expect(lines.last?.contains("\(b) > \(a): IP \(lans.1) > \(lans.0): ICMP echo reply") == true, "\(output.out)")
  }
}
