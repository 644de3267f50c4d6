import SwBPFPackets
import Testing

@testable import SwBPFInterfaces

@Suite("The words of ifconfig(8)")
struct IfconfigLineTests {
  private static let links = LinkNames(
    index: { $0 == "eth0" ? 3 : nil }, name: { $0 == 3 ? "eth0" : nil })

  private func line(_ text: String) throws(IfconfigError) -> IfconfigLine {
    try IfconfigLine(words: text.split(separator: " ").map(String.init), links: Self.links)
  }

  private func steps(_ text: String) throws(IfconfigError) -> [IfconfigLine.Step] { try line("gif0 " + text).steps }

  private func operations(_ text: String) throws(IfconfigError) -> [InterfaceOperation] {
    try steps(text).compactMap { step in if case .change(let operation) = step { operation } else { nil } }
  }

  private func error(_ text: String) -> String? {
    do throws(IfconfigError) {
      _ = try line(text)
      return nil
    } catch {
      return error.text
    }
  }

  private func ends(_ source: String, _ a: UInt16, _ destination: String, _ b: UInt16) throws -> InterfaceOperation {
    .tunnel(try tunnelEnds(source, a, destination, b))
  }

  @Test("keywords are steps from left to right (T-164)")
  func order() throws {
    #expect(try line("ipsec0 create link0").steps == [.create, .change(.link(0, true))])
    #expect(
      try operations("up down mtu 1400 -link2 link1 up") == [
        .up, .down, .mtu(1400), .link(2, false), .link(1, true), .up,
      ])
    #expect(
      try operations("mtu 1500 tunnel 10.0.0.1 10.0.0.2 -unnumbered deletetunnel unnumbered") == [
        .mtu(1500), try ends("10.0.0.1", 0, "10.0.0.2", 0), .unnumbered(false), .deleteTunnel, .unnumbered(true),
      ])
    #expect(try steps("destroy") == [.destroy])
    #expect(try line("gif0").steps.isEmpty && line("gif0").family == nil)
    #expect(try line("gif0 inet6").steps.isEmpty && line("gif0 inet6").family == .v6)
  }

  @Test("an address is set last, because its mask may follow it")
  func addressLast() throws {
    #expect(
      try steps("create inet 172.16.1.1 172.16.2.1 mtu 1400 netmask 255.255.255.0 tunnel 10.0.0.1 10.0.0.2 up") == [
        .create, .change(.mtu(1400)), .change(try ends("10.0.0.1", 0, "10.0.0.2", 0)), .change(.up),
        .change(.addAddress(try innerAddress("172.16.1.1", 24, "172.16.2.1"), replaces: true)),
      ])
  }

  @Test("addresses with their prefixes and masks")
  func addresses() throws {
    func one(_ text: String) throws -> InterfaceOperation? { try operations(text).first }
    let pair = try innerAddress("172.16.1.1", 32, "172.16.2.1")
    #expect(try one("inet 172.16.1.1/32 172.16.2.1") == .addAddress(pair, replaces: true))
    #expect(try one("172.16.1.1 172.16.2.1") == .addAddress(pair, replaces: true))
    #expect(try one("172.16.1.1 172.16.2.1 netmask 0xffffffff alias") == .addAddress(pair, replaces: false))
    #expect(try one("inet 10.0.0.1/8") == .addAddress(try innerAddress("10.0.0.1", 8), replaces: true))
    #expect(try one("inet 10.0.0.1 prefixlen 8") == .addAddress(try innerAddress("10.0.0.1", 8), replaces: true))
    #expect(try one("netmask 0x0 10.0.0.1") == .addAddress(try innerAddress("10.0.0.1", 0), replaces: true))
    #expect(try one("inet6 fc00::1") == .addAddress(try innerAddress("fc00::1", 64), replaces: false))
    #expect(
      try one("inet6 fc00::1 fc00::2") == .addAddress(try innerAddress("fc00::1", 128, "fc00::2"), replaces: false))
    #expect(try one("fe80::1%eth0/64") == .addAddress(try innerAddress("fe80::1%3", 64), replaces: false))
    for word in ["delete", "-alias"] {
      #expect(try one("inet 10.0.0.1 \(word)") == .deleteAddress(try ip("10.0.0.1")))
    }
    #expect(
      try operations("inet 10.0.0.1/8 10.0.0.2 inet6 fc00::1/128 fc00::2 alias") == [
        .addAddress(try innerAddress("10.0.0.1", 8, "10.0.0.2"), replaces: true),
        .addAddress(try innerAddress("fc00::1", 128, "fc00::2"), replaces: false),
      ])
  }

  @Test("a tunnel has addresses of one family, with ports or without")
  func tunnels() throws {
    #expect(try operations("tunnel 10.0.0.1 10.0.0.2") == [try ends("10.0.0.1", 0, "10.0.0.2", 0)])
    #expect(
      try operations("tunnel fc00:1001::2,4500 fc00:1001::1,4502") == [
        try ends("fc00:1001::2", 4500, "fc00:1001::1", 4502)
      ])
    #expect(try operations("inet6 tunnel fe80::1%eth0 fe80::2%3") == [try ends("fe80::1%3", 0, "fe80::2%3", 0)])
    #expect(try operations("tunnel 0.0.0.0 224.0.0.1") == [try ends("0.0.0.0", 0, "224.0.0.1", 0)])
  }

  @Test("families that differ, multicast of IPv6 and scopes that differ are refused (T-101, T-102)")
  func refusedTunnels() throws {
    #expect(error("gif0 tunnel 10.0.0.1 fc00::1") == "source and destination address families do not match")
    #expect(error("gif0 tunnel ff02::1 fc00::1") == "tunnel src/dst is multicast")
    #expect(error("gif0 tunnel fc00::1 ff02::1") == "tunnel src/dst is multicast")
    #expect(error("gif0 tunnel fe80::1%eth0 fe80::2%4") == "scope mismatch")
  }

  @Test("l2tp's numbers")
  func l2tp() throws {
    #expect(try operations("session 1234 4321") == [.session(L2TPSession(local: 1234, remote: 4321))])
    #expect(try operations("session 0 4294967295") == [.session(L2TPSession(local: 0, remote: .max))])
    #expect(
      try operations("cookie 4 -1 8 9223372036854775807 deletecookie deletesession") == [
        .cookie(L2TPCookies(localLength: 4, local: .max, remoteLength: 8, remote: UInt64(Int64.max))), .deleteCookie,
        .deleteSession,
      ])
    #expect(error("l2tp0 session 1") == "the remote id of session needs a number from 0 to 4294967295")
    #expect(
      error("l2tp0 session 4294967296 1")
        == "the local id of session needs a number from 0 to 4294967295, not '4294967296'")
    #expect(
      error("l2tp0 cookie 65536 1 4 1") == "the local length of cookie needs a number from 0 to 65535, not '65536'")
    #expect(error("l2tp0 cookie 4 9223372036854775808 4 1") != nil)
  }

  @Test(
    "calls that cannot be",
    arguments: [
      ("", "no interface is named"), ("gif0/1 up", "'gif0/1' is no name of an interface"),
      ("abcdefghijklmnop up", "'abcdefghijklmnop' is no name of an interface"),
      ("gif0 up create", "create comes first, after the interface"), ("gif0 destroy up", "'up' after destroy"),
      ("gif0 create create", "create comes first, after the interface"),
      ("gif0 mtu", "mtu needs a number from 0 to 2147483647"),
      ("gif0 mtu 12a", "mtu needs a number from 0 to 2147483647, not '12a'"),
      ("gif0 mtu -1", "mtu needs a number from 0 to 2147483647, not '-1'"),
      ("gif0 mtu 99999999999999999999", "mtu needs a number from 0 to 2147483647, not '99999999999999999999'"),
      ("gif0 link3", "'link3' is neither a keyword nor a numeric address"),
      ("gif0 tunnel 10.0.0.1", "tunnel needs two addresses"),
      ("gif0 tunnel 10.0.0.1 host", "'host' is no numeric address"),
      ("gif0 tunnel 10.0.0.1,65536 10.0.0.2", "'10.0.0.1,65536': a port is a number from 0 to 65535"),
      ("gif0 tunnel 10.0.0.1, 10.0.0.2", "'10.0.0.1,': a port is a number from 0 to 65535"),
      ("gif0 inet fc00::1", "'fc00::1' is no inet address"), ("gif0 inet6 10.0.0.1", "'10.0.0.1' is no inet6 address"),
      ("gif0 10.0.0.1 fc00::1", "'fc00::1' is no inet address"),
      ("gif0 10.0.0.1/33", "'10.0.0.1/33': a prefix has 0 to 32 bits"),
      ("gif0 10.0.0.1/", "'10.0.0.1/': a prefix has 0 to 32 bits"),
      ("gif0 10.0.0.1 prefixlen 33", "a prefix has 0 to 32 bits"),
      ("gif0 10.0.0.1/8 netmask 255.0.0.0", "the prefix is given twice"),
      ("gif0 10.0.0.1 netmask 255.0.255.0", "'255.0.255.0' is no netmask"),
      ("gif0 10.0.0.1 netmask", "netmask needs a mask"),
      ("gif0 fc00::1 netmask 255.0.0.0", "an inet6 address has a prefix, not a netmask"),
      ("gif0 10.0.0.1 10.0.0.2/8", "'10.0.0.2/8': only the first address has a prefix"),
      ("gif0 10.0.0.1 10.0.0.2 10.0.0.3", "not a broadcast interface"),
      ("gif0 inet delete", "delete and -alias need the address"),
      ("gif0 netmask 255.0.0.0", "netmask, prefixlen and alias need an address"),
      ("gif0 \u{1b}[2J", "'\\u{1b}[2J' is neither a keyword nor a numeric address"),
    ])
  func refused(_ text: String, _ expected: String) { #expect(error(text) == expected) }

  @Test("every keyword is taken")
  func keywords() throws {
    let needs = [
      "mtu": "1280", "netmask": "255.0.0.0 10.0.0.1", "prefixlen": "8 10.0.0.1", "alias": "10.0.0.1",
      "-alias": "10.0.0.1",
      "delete": "10.0.0.1", "tunnel": "10.0.0.1 10.0.0.2", "session": "1 2", "cookie": "4 1 4 1",
    ]
    for word in IfconfigLine.keywords {
      #expect(error("gif0 \(word) \(needs[word] ?? "")") == nil, "\(word)")
    }
  }

  @Test("names of interfaces belong to kinds")
  func kinds() {
    #expect(InterfaceKind(name: "gif0") == .gif && InterfaceKind(name: "l2tp12") == .l2tp)
    #expect(InterfaceKind(name: "ipsec65535") == .ipsec)
    for name in ["gif", "gif00", "gif01", "gif0a", "0", "", "Gif0", "gif2147483648", "gif1234567890123", "eth0"] {
      #expect(InterfaceKind(name: name) == nil, "\(name)")
    }
  }
}
