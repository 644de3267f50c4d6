import Testing

@testable import SwBPFTunnels

struct IPAddressTests {
  @Test(
    "an address is read and written as it stands",
    arguments: ["0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "fd00:1::2", "ff02::1"])
  func text(_ text: String) throws {
    #expect(try #require(IPAddress(text)).description == text)
  }

  @Test(
    "what is no numeric address is none", arguments: ["", "10.1.2", "10.1.2.3/24", "localhost", "fe80::1%lo", ":::"])
  func noAddress(_ text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test("an IPv4 address is its number, and no IPv6 address")
  func numbers() throws {
    #expect(IPAddress("10.1.2.3") == IPAddress(ipv4: 0x0a01_0203))
    #expect(IPAddress("fd00:1::2") == IPAddress(ipv6: 0xfd00_0001_0000_0000, 2))
    #expect(IPAddress("0.0.0.1") != IPAddress("::1"))
    let packet: [UInt8] = [9, 10, 1, 2, 3] + [0xfd, 0, 0, 1] + [UInt8](repeating: 0, count: 11) + [2]
    #expect(IPAddress(ipv4At: 1, of: packet.span.bytes) == IPAddress("10.1.2.3"))
    #expect(IPAddress(ipv6At: 5, of: packet.span.bytes) == IPAddress("fd00:1::2"))
  }

  @Test("multicast and unspecified addresses are known")
  func kinds() throws {
    let multicast = ["224.0.0.1", "239.255.255.255", "ff02::1"].compactMap { IPAddress($0) }
    #expect(multicast.count == 3 && !multicast.contains { !$0.isMulticast })
    let others = ["223.255.255.255", "240.0.0.1", "fe80::1"].compactMap { IPAddress($0) }
    #expect(others.count == 3 && !others.contains(where: \.isMulticast))
    #expect(IPAddress("0.0.0.0")?.isUnspecified == true && IPAddress("::")?.isUnspecified == true)
    #expect(IPAddress("::1")?.isUnspecified == false)
  }
}
