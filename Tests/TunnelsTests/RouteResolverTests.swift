import Glibc
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct RouteResolverTests {
  private let host: Host
  private let resolver: RouteResolver

  init() throws {
    host = try Host()
    try Host.link(host, "va", host, "vb", net: 1, ipv6: true)
    resolver = try host.inside { try RouteResolver() }
  }

  private func ask(_ destination: String, from source: String? = nil) throws -> RouteAnswer {
    resolver.ask(try #require(IPAddress(destination)), from: source.flatMap { IPAddress($0) })
  }

  @Test("tells interface and MTU of a route, IPv4 and IPv6")
  func routes() throws {
    try host.ip("link set va mtu 1400")
    try host.ip("route add 192.168.7.0/24 via 10.1.0.9 dev va")
    try host.ip("-6 route add fd07::/64 via fd00:1::9 dev va mtu 1300")
    let four = try ask("192.168.7.1")
    #expect(four.exists && four.interfaceName.text == "va" && four.pathMTU == 1400 && !four.isLocal)
    let index = host.inside { if_nametoindex("va") }
    #expect(four.interface == index)
    let six = try ask("fd07::1")
    #expect(six.exists && six.interfaceName.text == "va" && six.pathMTU == 1300 && !six.isLocal)
  }

  @Test("an address of this system is local, by lo")
  func local() throws {
    for address in ["10.1.0.1", "fd00:1::1"] {
      let answer = try ask(address)
      #expect(answer.exists && answer.isLocal && answer.interfaceName.text == "lo")
    }
  }

  @Test("says why there is no way")
  func noRoute() throws {
    #expect(try ask("192.0.2.1").errno == ENETUNREACH)
    #expect(try ask("2001:db8::1").errno == ENETUNREACH)
    try host.ip("route add prohibit 192.0.2.0/24")
    #expect(try ask("192.0.2.1").errno == EACCES)
    try host.ip("route replace unreachable 192.0.2.0/24")
    #expect(try ask("192.0.2.1").errno == EHOSTUNREACH)
    try host.ip("-6 route add prohibit 2001:db8::/32")
    #expect(try ask("2001:db8::1").errno == EACCES)
  }

  @Test("rules see the source; one that is not this system's is left out")
  func sources() throws {
    try host.ip("addr add 10.1.0.77/24 dev va")
    try host.ip("link add vc type veth peer name vd")
    try host.ip("link set vc up")
    try host.ip("link set vd up")
    try host.ip("route add default dev va")
    try host.ip("route add default dev vc table 100")
    try host.ip("rule add from 10.1.0.77 lookup 100")
    #expect(try ask("192.0.2.1").interfaceName.text == "va")
    #expect(try ask("192.0.2.1", from: "10.1.0.77").interfaceName.text == "vc")
    #expect(try ask("192.0.2.1", from: "203.0.113.5").interfaceName.text == "va")
  }

  @Test("keeps to the namespace it was made in")
  func namespaces() throws {
    let other = try Host()
    #expect(try other.inside { try ask("10.1.0.2") }.exists)
  }
}
