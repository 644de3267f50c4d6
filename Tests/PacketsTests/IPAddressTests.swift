import Testing

@testable import SwBPFPackets

@Suite("IP addresses")
struct IPAddressTests {
  @Test(
    "addresses are printed as inet_ntop prints them",
    arguments: [
      ("10.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("FC00:1001::0:2", "fc00:1001::2"),
      ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("fe80::1%3", "fe80::1%3"),
      ("::ffff:1.2.3.4", "::ffff:1.2.3.4"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
      ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
  func prints(text: String, expected: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == expected)
    #expect(IPAddress(bytes: address.bytes, scope: address.scope) == address)
  }

  @Test(
    "what is no numeric address is refused",
    arguments: [
      "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "::g",
      "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "::1%", "::1%x", "1.2.3.4::", "::1.2.3.4:5", "host",
      "1.2.3.4%1",
    ])
  func refuses(text: String) { #expect(IPAddress(text) == nil) }

  @Test("prefixes compare their bits only")
  func prefixes() throws {
    let one = try #require(IPAddress("10.0.0.1"))
    #expect(one.matches(try #require(IPAddress("10.0.0.3")), prefix: 30))
    #expect(!one.matches(try #require(IPAddress("10.0.0.3")), prefix: 31))
    #expect(one.matches(try #require(IPAddress("200.0.0.3")), prefix: 0))
    #expect(!one.matches(try #require(IPAddress("::1")), prefix: 0))
    let long = try #require(IPAddress("fc00::1:0:0:1"))
    #expect(long.matches(try #require(IPAddress("fc00::1:0:0:3")), prefix: 126))
    #expect(!long.matches(try #require(IPAddress("fc00::1:0:0:3")), prefix: 127))
    #expect(!long.matches(try #require(IPAddress("fc00::2:0:0:1")), prefix: 64 + 15))
    #expect(!long.matches(try #require(IPAddress("fc01::1:0:0:1")), prefix: 64))
    #expect(long.matches(try #require(IPAddress("fc01::1:0:0:1")), prefix: 15))
  }

  @Test("an IPv4 address is its number, and no IPv6 address; packets hold both")
  func numbers() throws {
    #expect(IPAddress("10.1.2.3") == IPAddress(v4: 0x0a01_0203) && IPAddress("10.1.2.3")?.v4 == 0x0a01_0203)
    #expect(IPAddress("fd00:1::2") == IPAddress(v6: 0xfd00_0001_0000_0000, 2))
    #expect(IPAddress("0.0.0.1") != IPAddress("::1"))
    let packet: [UInt8] = [9, 10, 1, 2, 3] + [0xfd, 0, 0, 1] + [UInt8](repeating: 0, count: 11) + [2]
    #expect(IPAddress(v4At: 1, of: packet.span.bytes) == IPAddress("10.1.2.3"))
    #expect(IPAddress(v6At: 5, of: packet.span.bytes) == IPAddress("fd00:1::2"))
  }

  @Test("multicast, unspecified and link-local addresses are known")
  func kinds() throws {
    let multicast = ["224.0.0.1", "239.255.255.255", "ff02::1"].compactMap { IPAddress($0) }
    #expect(multicast.count == 3 && !multicast.contains { !$0.isMulticast })
    let others = ["223.255.255.255", "240.0.0.1", "fe80::1"].compactMap { IPAddress($0) }
    #expect(others.count == 3 && !others.contains(where: \.isMulticast))
    #expect(IPAddress("0.0.0.0")?.isUnspecified == true && IPAddress("::")?.isUnspecified == true)
    #expect(IPAddress("::1")?.isUnspecified == false)
    #expect(IPAddress("fe80::1")?.isLinkLocal == true && IPAddress("febf::1")?.isLinkLocal == true)
    #expect(IPAddress("fec0::1")?.isLinkLocal == false && IPAddress("169.254.0.1")?.isLinkLocal == false)
  }
}
