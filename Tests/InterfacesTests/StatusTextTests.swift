import SwBPFPackets
import Testing

@testable import SwBPFInterfaces

@Suite("A status as ifconfig(8) prints it")
struct StatusTextTests {
  @Test("a configured gif (T-166)")
  func gif() throws {
    var status = InterfaceStatus(name: "gif0", flags: [.up, .pointToPoint, .running, .multicast], mtu: 1280)
    status.tunnel = try tunnelEnds("10.0.0.1", 0, "10.0.0.2", 0)
    status.addresses = [try innerAddress("172.16.1.1", 32, "172.16.2.1")]
    #expect(
      status.text() == """
        gif0: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280
        \ttunnel inet 10.0.0.1 --> 10.0.0.2
        \tinet 172.16.1.1 -> 172.16.2.1 netmask 0xffffffff

        """)
  }

  @Test("an ipsec interface with NAT-T shows its ports, others none (T-163, T-166)")
  func ports() throws {
    var status = InterfaceStatus(
      name: "ipsec0", flags: [.up, .pointToPoint, .running, .link0, .link2, .multicast], mtu: 1280)
    status.tunnel = try tunnelEnds("fc00:1001::2", 4500, "fc00:1001::1", 4502)
    #expect(
      status.text() == """
        ipsec0: flags=d051<UP,POINTOPOINT,RUNNING,LINK0,LINK2,MULTICAST> mtu 1280
        \ttunnel inet6 fc00:1001::2,4500 --> fc00:1001::1,4502

        """)
    status.tunnel = try tunnelEnds("fc00::2", 0, "fc00::1", 4502)
    #expect(status.text().contains("\ttunnel inet6 fc00::2 --> fc00::1,4502\n"))
  }

  @Test("hosts that have a name are named where that is asked for, with their ports (T-163)")
  func hosts() throws {
    var status = InterfaceStatus(name: "gif0", flags: [.pointToPoint], mtu: 1280)
    status.tunnel = try tunnelEnds("fc00::1", 4500, "fc00::2", 0)
    let one = try ip("fc00::1")
    let links = LinkNames(index: { _ in nil }, name: { _ in nil }, host: { $0 == one ? "one.example" : nil })
    #expect(status.text(links: links).contains("\ttunnel inet6 one.example,4500 --> fc00::2\n"))
  }

  @Test("without a tunnel there is no line of it (T-103)")
  func unconfigured() {
    let status = InterfaceStatus(name: "gif1", flags: [.pointToPoint, .multicast], mtu: 1280)
    #expect(status.text() == "gif1: flags=8010<POINTOPOINT,MULTICAST> mtu 1280\n")
    #expect(status.text(isVerbose: true).split(separator: "\n").count == 3)
  }

  @Test("both session lines when either id is set, both cookie lines when either cookie is (T-127)")
  func l2tp() {
    var status = InterfaceStatus(name: "l2tp0", flags: [.pointToPoint, .simplex, .multicast], mtu: 1280)
    status.session = L2TPSession(local: 0, remote: 0)
    status.cookies = L2TPCookies(localLength: 4, local: 0, remoteLength: 4, remote: 0)
    let first = "l2tp0: flags=8810<POINTOPOINT,SIMPLEX,MULTICAST> mtu 1280\n"
    #expect(status.text() == first)
    status.session = L2TPSession(local: 0, remote: 4321)
    #expect(status.text() == first + "\tlocal-session-id: 0\n\tremote-session-id: 4321\n")
    status.session = nil
    status.cookies = L2TPCookies(localLength: 8, local: .max, remoteLength: 4, remote: 0)
    #expect(status.text() == first + "\tlocal-cookie: 18446744073709551615\n\tremote-cookie: 0\n")
    status.cookies = nil
    status.linkState = .down
    #expect(status.text() == first + "\tlinkstate: down\n")
  }

  @Test("-v shows what was counted; what is 0 is left out but packets and bytes")
  func counters() {
    var status = InterfaceStatus(name: "gif0", flags: [.up], mtu: 0)
    status.metric = 2
    status.counters.inputPackets = 1
    status.counters.inputBytes = 84
    status.counters.outputPackets = 2
    status.counters.outputBytes = 1
    status.counters.outputErrors = 1
    status.counters.inputDrops = 2
    status.lastError = "no route to 10.0.0.2"
    #expect(
      status.text(isVerbose: true) == """
        gif0: flags=1<UP> metric 2
        \tinput: 1 packet, 84 bytes, 2 queue drops
        \toutput: 2 packets, 1 byte, 1 error
        \tlast error: no route to 10.0.0.2

        """)
  }

  @Test("addresses of one family only, IPv4 first, scopes by name")
  func families() throws {
    var status = InterfaceStatus(name: "gif0", flags: [], mtu: 1280)
    status.addresses = [
      try innerAddress("fe80::1%3", 64), try innerAddress("10.0.0.1", 0), try innerAddress("fc00::1", 128, "fc00::2"),
      try innerAddress("10.0.0.2", 20),
    ]
    let links = LinkNames(index: { _ in nil }, name: { $0 == 3 ? "gif0" : nil })
    let four = "\tinet 10.0.0.1 netmask 0x0\n\tinet 10.0.0.2 netmask 0xfffff000\n"
    let six = "\tinet6 fe80::1%gif0 prefixlen 64 scopeid 0x3\n\tinet6 fc00::1 -> fc00::2 prefixlen 128\n"
    let first = "gif0: flags=0<> mtu 1280\n"
    #expect(status.text(links: links) == first + four + six)
    #expect(status.text(family: .v4) == first + four)
    #expect(status.text(family: .v6, links: links) == first + six)
  }
}
