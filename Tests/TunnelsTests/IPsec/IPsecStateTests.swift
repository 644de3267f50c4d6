import Glibc
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey
import TestSupport
import Testing

@testable import SwBPFTunnels

/// What an engine does when it is asked for ipsec interfaces, and what PF_KEY shows of it.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct IPsecStateTests {
  private let host: TunnelHost

  init() throws { host = try TunnelHost(Host()) }

  private func refusal(_ operation: InterfaceOperation, on name: String = "ipsec0") -> String? {
    host.refusal { try host.perform(name, operation) }
  }

  private func ids() throws -> [UInt32] { try host.policies().map(\.id) }

  @Test("T-128, T-103, T-166 a new ipsec: MTU 1280, LINK2, link state down until it has a tunnel")
  func new() throws {
    try host.create("ipsec0")
    var status = try host.status("ipsec0")
    #expect(status.flags == [.pointToPoint, .multicast, .link2] && status.mtu == 1280 && status.tunnel == nil)
    #expect(status.linkState == .down)
    for (mtu, isAllowed) in [(1279, false), (1280, true), (8192, true), (8193, false)] as [(UInt32, Bool)] {
      #expect(refusal(.mtu(mtu)) == (isAllowed ? nil : "SIOCSIFMTU: \(EINVAL)"))
    }
    try host.perform("ipsec0", .link(0, true), .tunnel("fc00:1001::2", 4500, "fc00:1001::1", 4501), .up)
    status = try host.status("ipsec0")
    #expect(status.flags.description == "d051<UP,POINTOPOINT,RUNNING,LINK0,LINK2,MULTICAST>")
    #expect(status.linkState == .up && status.text().contains("fc00:1001::2,4500 --> fc00:1001::1,4501"))
    try host.perform("ipsec0", .deleteTunnel, .deleteTunnel)
    #expect(try host.status("ipsec0").linkState == .down)
    #expect(try host.policies().isEmpty)
    #expect(refusal(.session(L2TPSession(local: 1, remote: 2))) == "SIOCSL2TPSESSION: \(ENOTTY)")
  }

  @Test(
    "T-043, T-044 setkey -DP shows esp/transport//unique#N, //require with link0, and nothing of a policy that discards"
  )
  func shown() throws {
    try host.create("ipsec0")
    try host.perform("ipsec0", .tunnel("10.0.0.1", "10.0.0.2"))
    let text = try host.policyText()
    #expect(text.components(of: "esp/transport//unique#") == 4)
    let reqids = try host.policies().compactMap { $0.requests.first?.reqid }
    #expect(Set(reqids).count == 4 && reqids.allSatisfy { $0 > 16383 })
    // As NetBSD's scripts look for a reqid.
    let lines = text.split(separator: "\n").map(String.init)
    let place = try #require(lines.firstIndex { $0.hasPrefix("10.0.0.1") && $0.hasSuffix("(ipv4)") })
    #expect(lines[(place + 1)...(place + 2)].contains { $0.contains("unique#") })
    try host.perform("ipsec0", .link(0, true))
    #expect(try host.policyText().components(of: "esp/transport//require") == 4)
    try host.perform("ipsec0", .link(2, false))
    #expect(try host.policyText().components(of: "esp/transport//require") == 2)
    #expect(try host.policyText().components(of: "discard") == 2)
  }

  @Test("T-045 fixed reqids: two numbers for each unit, and none beyond what is given by hand")
  func fixed() throws {
    try host.engine.set("net.ipsecif.use_fixed_reqid", to: 1)
    try host.create("ipsec3")
    try host.perform("ipsec3", .tunnel("10.0.0.1", "10.0.0.2"))
    #expect(try host.policies().sorted { $0.id < $1.id }.map { $0.requests.first?.reqid } == [8198, 8198, 8199, 8199])
    #expect(try host.policyText().contains("unique:8198"))
    try host.create("ipsec4096")
    #expect(refusal(try .tunnel("10.0.0.3", "10.0.0.4"), on: "ipsec4096") == "SIOCSLIFPHYADDR: \(EINVAL)")
    try host.engine.set("net.ipsecif.reqid_base", to: 10000)
    try host.perform("ipsec3", .tunnel("10.0.0.1", "10.0.0.5"))
    #expect(try host.reqid(.outbound, upper: 41) == 10007)
    #expect(host.refusal { try host.engine.set("net.ipsecif.reqid_base", to: 16384) } == "sysctl: \(EINVAL)")
  }

  @Test(
    "T-042, T-063 somebody else's policy makes tunnel fail; what was there stays, with its policies", arguments: 0..<4)
  func exists(_ place: Int) throws {
    try host.create("ipsec0")
    let way = place % 2 == 0 ? ("10.0.0.4", "10.0.0.3", "in") : ("10.0.0.3", "10.0.0.4", "out")
    let text = "spdadd \(way.0) \(way.1) \(place < 2 ? 4 : 41) -P \(way.2) ipsec esp/transport//require ;"
    #expect(try host.setkey(text) == [0])
    let taken = try InterfaceOperation.tunnel("10.0.0.3", "10.0.0.4")
    #expect(refusal(taken) == "SIOCSLIFPHYADDR: \(EEXIST)")
    #expect(try host.policies().count == 1 && host.status("ipsec0").tunnel == nil)
    try host.perform("ipsec0", .tunnel("10.0.0.1", "10.0.0.2"))
    let before = (try ids(), try host.policies().map { $0.requests.first?.reqid })
    #expect(refusal(taken) == "SIOCSLIFPHYADDR: \(EEXIST)")
    #expect(try ids() == before.0)
    #expect(try host.policies().map { $0.requests.first?.reqid } == before.1)
    #expect(try host.status("ipsec0").tunnel?.source.address == IPAddress("10.0.0.1"))
    // The reverse: the interface's policies keep others out.
    #expect(try host.setkey("spdadd 10.0.0.1 10.0.0.2 4 -P out none ;") == [EEXIST])
  }

  @Test(
    "T-051, T-053, T-055 only the port changes, over IPv4 and IPv6: it is taken and shown; the same again changes no policy",
    arguments: [("fc00:1001::2", "fc00:1001::1"), ("10.0.0.1", "10.0.0.2")])
  func port(_ source: String, _ destination: String) throws {
    try host.create("ipsec0")
    try host.perform("ipsec0", .link(0, true))
    for port in [4501, 4502] as [UInt16] {
      try host.perform("ipsec0", .tunnel(source, 4500, destination, port))
      #expect(try host.status("ipsec0").text().contains("\(source),4500 --> \(destination),\(port)\n"))
      let before = try ids()
      try host.perform("ipsec0", .tunnel(source, 4500, destination, port))
      #expect(try ids() == before && before.count == 4)
    }
  }

  @Test("T-052, T-053 as NetBSD was before: over IPv6 the second port is refused with EEXIST, over IPv4 it is taken")
  func oldKeys() throws {
    let old = try TunnelHost(Host()) { $0.hasOldEncapsulationKeys = true }
    try old.create("ipsec0")
    try old.perform("ipsec0", .link(0, true), .tunnel("fc00:1001::2", 4500, "fc00:1001::1", 4501))
    #expect(
      old.refusal { try old.perform("ipsec0", .tunnel("fc00:1001::2", 4500, "fc00:1001::1", 4502)) }
        == "SIOCSLIFPHYADDR: \(EEXIST)")
    #expect(try old.status("ipsec0").tunnel?.destination.port == 4501)
    try old.perform("ipsec0", .tunnel("10.0.0.1", 4500, "10.0.0.2", 4501), .tunnel("10.0.0.1", 4500, "10.0.0.2", 4502))
    #expect(try old.status("ipsec0").tunnel?.destination.port == 4502)
  }

  @Test(
    "T-056, T-057, T-058, T-060 one pair for two interfaces needs link0 on one; they share four policies, which stay until the last has gone, and are not made again"
  )
  func sharing() throws {
    try host.create("ipsec0")
    try host.create("ipsec1")
    let same = try InterfaceOperation.tunnel("10.0.0.1", 4500, "10.0.0.2", 4500)
    try host.perform("ipsec0", .tunnel("10.0.0.1", "10.0.0.2"))
    let first = try ids()
    #expect(refusal(same, on: "ipsec1") == "SIOCSLIFPHYADDR: \(EADDRNOTAVAIL)")
    try host.perform("ipsec1", .link(0, true), same)
    #expect(try ids() == first && host.policyText().components(of: "unique#") == 4)
    for operation in [InterfaceOperation.link(2, false), .link(0, false), .link(2, true), .link(0, true)] {
      try host.perform("ipsec1", operation)
      #expect(try ids() == first)
    }
    try host.destroy("ipsec0")
    #expect(try ids() == first)
    try host.perform("ipsec1", .deleteTunnel)
    #expect(try host.policies().isEmpty)
  }

  @Test("T-060 link0 and link2 make the policies of a tunnel again, link1 does not")
  func links() throws {
    try host.create("ipsec0")
    try host.perform("ipsec0", .tunnel("10.0.0.1", "10.0.0.2"))
    for (link, isMadeAgain) in [(0, true), (1, false), (2, true)] as [(UInt8, Bool)] {
      for isOn in [link != 2, link == 2] {
        let before = try ids()
        try host.perform("ipsec0", .link(link, isOn))
        #expect(try Set(ids()).isDisjoint(with: before) == isMadeAgain && ids().count == 4)
        let same = try ids()
        try host.perform("ipsec0", .link(link, isOn))
        #expect(try ids() == same)
      }
    }
  }

  @Test(
    "a UDP port that another program has: said in words, nothing is half made; when it is free it is taken, and given back"
  )
  func portTaken() throws {
    try host.create("ipsec0")
    try host.perform("ipsec0", .tunnel("10.0.0.1", 0, "10.0.0.2", 0))
    let before = try ids()
    var other: NATSocket? = try host.host.inside { try NATSocket(isIPv6: false, port: 4500) }
    let tunnel = try InterfaceOperation.tunnel("10.0.0.1", 4500, "10.0.0.2", 4500)
    try host.perform("ipsec0", tunnel)
    #expect(
      throws: InterfaceFailure(
        errno: EADDRINUSE, request: "SIOCSIFFLAGS", text: "UDP port 4500: Address already in use")
    ) { try host.perform("ipsec0", .link(0, true)) }
    #expect(try host.status("ipsec0").flags.contains(.link0) == false)
    #expect(try ids().count == before.count)
    _ = other?.port
    other = nil
    try host.perform("ipsec0", .link(0, true))
    #expect(throws: (any Error).self) { try host.host.inside { try NATSocket(isIPv6: false, port: 4500) } }
    try host.perform("ipsec0", .deleteTunnel)
    #expect(eventually { (try? host.host.inside { try NATSocket(isIPv6: false, port: 4500) }) != nil })
  }

  @Test("T-146 pmtu of an interface is -1, 0 or 1, that of all 0 or 1")
  func pmtu() throws {
    try host.create("ipsec0")
    #expect(host.engine.pathMTUs.map(\.value) == [-1])
    for (value, isAllowed) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
      let result = host.refusal { try host.engine.setPathMTU(value, of: "ipsec0") }
      #expect(result == (isAllowed ? nil : "sysctl: \(EINVAL)"))
      let all = host.refusal { try host.engine.set("net.inet6.ip6.ipsecifpmtu", to: value) }
      #expect(all == (value == 0 || value == 1 ? nil : "sysctl: \(EINVAL)"))
    }
    #expect(host.refusal { try host.engine.setPathMTU(1, of: "gif0") } == "sysctl: \(ENOENT)")
  }
}

extension String {
  /// How often a text is in it.
  func components(of text: String) -> Int {
    var count = 0
    var rest = self[...]
    while let place = rest.firstRange(of: text) {
      count += 1
      rest = rest[place.upperBound...]
    }
    return count
  }
}
