import Testing

@testable import SwBPFPFKey

@Suite struct AddressTests {
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

  @Test("setkey's two spellings of an algorithm are one")
  func spellings() {
    #expect(EncryptionAlgorithm(name: "rijndael-cbc") == EncryptionAlgorithm(name: "aes-cbc"))
    #expect(AuthenticationAlgorithm(name: "hmac-sha256") == AuthenticationAlgorithm(name: "hmac-sha2-256"))
    #expect(EncryptionAlgorithm(name: "rot13") == nil)
  }
}
