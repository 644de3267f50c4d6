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
    "T-079, T-081 gif_basic: what is sent to the other side's network arrives there and is answered until the tunnel goes",
    arguments: [false, true], [false, true])
  func basic(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let other = hosts.lan(ipv6: innerIsIPv6).1
    #expect(try hosts.near.host.ip("route get \(other)").contains("dev gif0"))
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true])
    for host in [hosts.near, hosts.far] {
      try host.perform("gif0", .deleteTunnel)
    }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 1) == [false, false])
    for host in [hosts.near, hosts.far] { try host.destroy("gif0") }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 1) == [false, false])
  }
}
