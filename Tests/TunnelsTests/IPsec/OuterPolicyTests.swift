import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey
@testable import SwBPFTunnels

/// Policies for the outer packets of gif and l2tp, given by setkey(8). (tests/net/ipsec/t_ipsec_gif.sh, t_ipsec_l2tp.sh)
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct OuterPolicyTests {
  /// What tunnels put on the wire, of either family.
  private static let filter =
    "ip proto 4 or ip proto 41 or ip proto 115 or ip proto 50 or ip6 proto 4 or ip6 proto 41 or ip6 proto 115 or ip6 proto 50"

  /// Protocol of an outer packet behind Ethernet, or of the packet of which it is a fragment.
  private static func transport(_ frame: [UInt8]) -> UInt8 {
    guard frame[12] == 0x86 else { return frame[23] }
    return frame[20] == 44 ? frame[54] : frame[20]
  }

  private static func policies(_ a: String, _ b: String, _ uppers: [UInt8], isNear: Bool, level: String = "require")
    -> String
  {
    uppers.map { upper in
      """
      spdadd \(a) \(b) \(upper) -P \(isNear ? "out" : "in") ipsec esp/transport//\(level) ;
      spdadd \(b) \(a) \(upper) -P \(isNear ? "in" : "out") ipsec esp/transport//\(level) ;

      """
    }.joined()
  }

  private static func associations(_ a: String, _ b: String) -> String {
    """
    add \(a) \(b) esp 10000 -m transport \(Transform.gcm.words("g")) ;
    add \(b) \(a) esp 10001 -m transport \(Transform.gcm.words("h")) ;
    """
  }

  @Test(
    "T-131 gif: what policies demand leaves in ESP and in nothing else, and not at all without an association; the far end takes it out",
    arguments: [false, true], [false, true])
  func gif(_ innerIsIPv6: Bool, _ outerIsIPv6: Bool) throws {
    let hosts = try GifHosts(outerIsIPv6: outerIsIPv6, queues: 1)
    try hosts.tunnel(innerIsIPv6: innerIsIPv6)
    let (a, b) = hosts.outer
    for host in [hosts.near, hosts.far] {
      let text = Self.policies(a, b, [4, 41], isNear: host === hosts.near)
      #expect(try host.setkey(text) == [0, 0, 0, 0])
    }
    let wire = try Wiretap(hosts.near.host, "wan0", Self.filter)
    let before = try [hosts.near, hosts.far].map { try $0.status("gif0").counters.outputPackets }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6, wait: 0.3) == [false, false])
    for (index, host) in [hosts.near, hosts.far].enumerated() {
      let status = try host.status("gif0")
      #expect(status.lastError?.contains("no association") == true, "\(status.lastError ?? "")")
      #expect(status.counters.outputErrors > 0 && status.counters.outputPackets == before[index])
      #expect(try host.setkey(Self.associations(a, b)) == [0, 0])
    }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true])
    let (from, to) = hosts.lan(ipv6: innerIsIPv6)
    if !innerIsIPv6 {
      #expect(TCPProbe.connects(from: hosts.near.host, from, to: hosts.far.host, to, within: 10))
    }
    #expect(try hosts.near.status("gif0").counters.inputPackets > 0)
    let transports = Set(try wire.stop().map(Self.transport))
    #expect(transports == [50])
    // Without policies again it is what it was.
    let plain = try Wiretap(hosts.near.host, "wan0", Self.filter)
    for host in [hosts.near, hosts.far] { #expect(try host.setkey("spdflush ;") == [0]) }
    #expect(try hosts.pings(innerIsIPv6: innerIsIPv6) == [true, true])
    #expect(Set(try plain.stop().map(Self.transport)) == [innerIsIPv6 ? 41 : 4])
  }

  @Test(
    "T-132 gif: what comes in clear where a policy demands ESP, or discards, is refused and counted; a policy of one family leaves the other alone"
  )
  func clear() throws {
    let hosts = try GifHosts(queues: 1)
    try hosts.tunnel()
    try hosts.near.perform("gif0", .address(GifHosts.inner6.0, 128, to: GifHosts.inner6.1))
    try hosts.far.perform("gif0", .address(GifHosts.inner6.1, 128, to: GifHosts.inner6.0))
    let (a, b) = hosts.outer
    #expect(try hosts.pings(innerIsIPv6: false) == [true, true])
    let reader = try hosts.near.reader("gif0")
    try reader.setDirection(.in)
    for words in ["ipsec esp/transport//require", "ipsec esp/transport//unique", "discard"] {
      #expect(try hosts.near.setkey("spdadd \(b) \(a) 4 -P in \(words) ;") == [0])
      let (before, stray) = (try hosts.near.status("gif0").counters, hosts.near.engine.strayPackets)
      reader.flush()
      #expect(try !hosts.far.pings(GifHosts.inner4.0, wait: 0.2))
      let after = try hosts.near.status("gif0").counters
      #expect(after.inputErrors > before.inputErrors && hosts.near.engine.strayPackets > stray)
      #expect(
        try hosts.near.status("gif0").lastError?.contains(words == "discard" ? "discards" : "without ESP") == true)
      #expect(try reader.frames(1, within: 0.1) { $0[0] == 2 }.isEmpty)
      #expect(try hosts.far.pings(GifHosts.inner6.0))
      #expect(try hosts.near.setkey("spdflush ;") == [0])
    }
    // On the way out: a range that has the far end, of any protocol.
    for words in ["discard", "ipsec esp/transport//require", "ipsec esp/tunnel/\(a)-\(b)/require"] {
      let wire = try Wiretap(hosts.near.host, "wan0", Self.filter)
      #expect(try hosts.near.setkey("spdadd \(a) 10.0.0.0/8 4 -P out \(words) ;") == [0])
      let before = try hosts.near.status("gif0").counters
      #expect(try !hosts.near.pings(GifHosts.inner4.1, wait: 0.2))
      #expect(try hosts.near.pings(GifHosts.inner6.1))
      let after = try hosts.near.status("gif0").counters
      #expect(after.outputErrors > before.outputErrors)
      #expect(Set(try wire.stop().map(Self.transport)) == [41])
      #expect(try hosts.near.setkey("spdflush ;") == [0])
    }
    #expect(try hosts.near.setkey("spdadd \(a) \(b) any -P out none ;") == [0])
    #expect(try hosts.pings(innerIsIPv6: false) == [true, true])
  }

  @Test(
    "l2tp: frames leave and arrive in ESP where policies demand it for protocol 115, in clear nowhere",
    arguments: [false, true])
  func l2tp(_ outerIsIPv6: Bool) throws {
    let hosts = try IPsecHosts(outerIsIPv6: outerIsIPv6)
    let (a, b) = hosts.outer
    let inner = ("172.21.0.1", "172.21.0.2")
    for (host, isNear) in [(hosts.near, true), (hosts.far, false)] {
      try host.create("l2tp0")
      try host.perform(
        "l2tp0", isNear ? .tunnel(a, b) : .tunnel(b, a),
        .session(L2TPSession(local: isNear ? 1 : 2, remote: isNear ? 2 : 1)),
        .address(isNear ? inner.0 : inner.1, 24))
      #expect(try host.setkey(Self.policies(a, b, [115], isNear: isNear)) == [0, 0])
    }
    let wire = try Wiretap(hosts.near.host, "wan0", Self.filter)
    #expect(try !hosts.near.pings(inner.1, wait: 0.3))
    #expect(try hosts.near.status("l2tp0").lastError?.contains("no association") == true)
    for host in [hosts.near, hosts.far] { #expect(try host.setkey(Self.associations(a, b)) == [0, 0]) }
    #expect(try hosts.near.pings(inner.1, wait: 10) && hosts.far.pings(inner.0, wait: 10))
    #expect(Set(try wire.stop().map(Self.transport)) == [50])
    // One that sends in clear is not heard.
    #expect(try hosts.far.setkey("spdflush ;") == [0])
    let before = try hosts.near.status("l2tp0").counters
    #expect(try !hosts.far.pings(inner.0, wait: 0.3))
    let after = try hosts.near.status("l2tp0")
    #expect(after.counters.inputErrors > before.inputErrors)
    #expect(after.lastError?.contains("without ESP") == true, "\(after.lastError ?? "")")
  }
}
