import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite("The language of setkey(8): what it says")
struct SetkeyParserTests {
  /// The examples of the manual.
  static let examples = """
    # AES-128-GCM, bound to SP unique#16386 / #16388
    add 10.0.0.2 10.0.0.1 esp 10000 -u 16386 -m transport -E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213 ;
    add 10.0.0.1 10.0.0.2 esp 10001 -u 16388 -m transport -E aes-gcm-16 0x101112131415161718191a1b1c1d1e1f20212223 ;
    # AES-256-CBC + HMAC-SHA2-256, replay window 4 bytes = 32 packets
    add 10.0.0.1 10.0.0.2 esp 0x2711 -u 16388 -m transport -r 4
      -E rijndael-cbc 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
      -A hmac-sha256 0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f ;
    # NAT-T
    add 192.168.0.2 [4500] 10.0.0.2 [4500] esp-udp 10000 -m transport -E rijndael-cbc 0x000102030405060708090a0b0c0d0e0f ;

    """

  private func action(_ text: String, noIntegrity: Bool = false) throws -> SetkeyStatement.Action {
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: noIntegrity))
    try #require(file.errors.isEmpty && file.statements.count == 1, "\(file.errors)")
    return file.statements[0].action
  }

  private func added(_ options: String, noIntegrity: Bool = false) throws -> SecurityAssociation {
    guard case .add(let sa) = try action("add ::1 ::2 \(options) ;", noIntegrity: noIntegrity) else {
      throw Unexpected()
    }
    return sa
  }

  private func policy(_ text: String) throws -> SecurityPolicy {
    guard case .policyAdd(let policy) = try action("spdadd \(text) ;") else { throw Unexpected() }
    return policy
  }

  private struct Unexpected: Error {}

  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  @Test("the examples of the manual are taken (T-160)")
  func examplesAreTaken() throws {
    let file = SetkeyParser.parse(Self.examples, rules: SetkeyRules(allowsNoIntegrity: true))
    #expect(file.errors.isEmpty && file.statements.count == 4)
    #expect(file.statements.map(\.position.line) == [2, 3, 5, 9])
    var gcm = SecurityAssociation(.esp, spi: 10000, from: try address("10.0.0.2"), to: try address("10.0.0.1"))
    gcm.reqid = 16386
    gcm.mode = .transport
    gcm.flags = .cyclicSequence
    gcm.encryption = .aesGCM16
    gcm.encryptionKey = Array(0...0x13)
    #expect(file.statements[0].action == .add(gcm))
    var cbc = SecurityAssociation(.esp, spi: 10001, from: try address("10.0.0.1"), to: try address("10.0.0.2"))
    cbc.reqid = 16388
    cbc.mode = .transport
    cbc.flags = .cyclicSequence
    cbc.replay = 4
    cbc.encryption = .aesCBC
    cbc.encryptionKey = Array(0...0x1f)
    cbc.authentication = .hmacSHA256
    cbc.authenticationKey = Array(0x20...0x3f)
    #expect(file.statements[2].action == .add(cbc))
    var nat = SecurityAssociation(.esp, spi: 10000, from: try address("192.168.0.2"), to: try address("10.0.0.2"))
    nat.natTraversal = NATTraversal(sourcePort: 4500, destinationPort: 4500)
    nat.mode = .transport
    nat.flags = .cyclicSequence
    nat.encryption = .aesCBC
    nat.encryptionKey = Array(0...0x0f)
    #expect(file.statements[3].action == .add(nat))
  }

  @Test("SPI 255 passes: it is refused where it is added (T-160)")
  func reservedSPI() throws {
    #expect(try added("esp 255 -E null", noIntegrity: true).spi == 255)
    #expect(try added("esp 0xffffffff -E null", noIntegrity: true).spi == .max)
    #expect(try added("esp 0 -E null", noIntegrity: true).spi == 0)
  }

  @Test("options of add")
  func options() throws {
    let sa = try added(
      "esp 4096 -m tunnel -r 255 -u 65535 -f zero-pad -f nocyclic-seq -f esn -lh 3600 -ls 3000 -bh 1000000 -bs 900000"
        + " -E null -A hmac-sha2-512 \"\(String(repeating: "k", count: 64))\"")
    #expect(sa.mode == .tunnel && sa.replay == 255 && sa.reqid == 65535)
    #expect(sa.flags == [.zeroPadding, .extendedSequence])
    #expect(sa.hard == Lifetime(bytes: 1_000_000, addTime: 3600))
    #expect(sa.soft == Lifetime(bytes: 900_000, addTime: 3000))
    #expect(sa.encryption == .null && sa.encryptionKey.isEmpty)
    #expect(sa.authentication == .hmacSHA512 && sa.authenticationKey == [UInt8](repeating: 0x6b, count: 64))
    let plain = try added("esp 4096 -E null", noIntegrity: true)
    #expect(plain.mode == .any && plain.flags == .cyclicSequence && plain.hard == nil && plain.soft == nil)
    // A limit of 0 is none.
    #expect(try added("esp 4096 -lh 0 -E null", noIntegrity: true).hard == nil)
    // The other order of options, too.
    #expect(try added("esp 4096 -E null -m any -u 7", noIntegrity: true).reqid == 7)
    let random = try added("esp 4096 -f random-pad -E null", noIntegrity: true)
    #expect(random.flags == [.cyclicSequence, .randomPadding])
  }

  @Test("AH takes -A, IPComp takes -C")
  func otherProtocols() throws {
    let ah = try added("ah 4096 -A hmac-sha384 0x\(String(repeating: "ab", count: 48))")
    #expect(ah.proto == .ah && ah.encryption == .none && ah.authentication == .hmacSHA384)
    let ipcomp = try added("ipcomp 4096 -C deflate")
    #expect(ipcomp.proto == .ipcomp && ipcomp.compression == .deflate)
  }

  @Test("esp-udp has ports, 4500 where none is given, and fragments")
  func natTraversal() throws {
    let text = "add 10.0.0.1[4501] 10.0.0.2 [any] esp-udp 4096 -esp_frag 552 -E null ;"
    guard case .add(let sa) = try action(text, noIntegrity: true) else { throw Unexpected() }
    #expect(sa.natTraversal == NATTraversal(sourcePort: 4501, destinationPort: 4500, fragment: 552))
    #expect(try added("esp-udp 4096 -E null", noIntegrity: true).natTraversal?.sourcePort == 4500)
  }

  @Test(
    "every algorithm takes its lengths of keys, and none 8 bits away from them (T-157)",
    arguments: EncryptionAlgorithm.allCases.filter { $0.isOffered && $0 != .null })
  func encryptionKeys(_ algorithm: EncryptionAlgorithm) {
    for name in algorithm.names {
      for bits in stride(from: 8, through: 320, by: 8) {
        let text = "add ::1 ::2 esp 1000 -E \(name) 0x\(String(repeating: "5a", count: bits / 8)) ;"
        let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true))
        #expect(file.errors.isEmpty == algorithm.keyBits.contains(bits), "\(name) \(bits)")
      }
    }
  }

  @Test(
    "every algorithm of integrity takes its length of keys (T-157)",
    arguments: [("hmac-sha1", 160), ("hmac-sha256", 256), ("hmac-sha2-384", 384), ("hmac-sha512", 512)])
  func authenticationKeys(_ name: String, _ right: Int) {
    for bits in [right - 8, right, right + 8] {
      let text = "add ::1 ::2 esp 1000 -E null -A \(name) 0x\(String(repeating: "5a", count: bits / 8)) ;"
      #expect(SetkeyParser.parse(text).errors.isEmpty == (bits == right))
    }
  }

  @Test("get, delete, deleteall, flush and dump")
  func names() throws {
    let name = AssociationName(
      .esp, spi: 0x2711, from: Endpoint(try address("10.0.0.1")), to: Endpoint(try address("10.0.0.2")))
    #expect(try action("get -4n 10.0.0.1 10.0.0.2 esp 0x2711 ;") == .get(name))
    #expect(try action("delete 10.0.0.1 10.0.0.2 esp 10001;") == .delete(name))
    let udp = AssociationName(
      .espUDP, spi: 256, from: Endpoint(try address("10.0.0.1"), port: 4500),
      to: Endpoint(try address("10.0.0.2"), port: 4501))
    #expect(try action("delete 10.0.0.1 10.0.0.2[4501] esp-udp 256 ;") == .delete(udp))
    #expect(
      try action("deleteall ::1 ::2 ah ;") == .deleteAll(.ah, from: try address("::1"), to: try address("::2")))
    #expect(try action("flush;") == .flush(nil))
    #expect(try action("flush esp;") == .flush(.esp))
    #expect(try action("dump ipcomp ;") == .dump(.ipcomp))
    #expect(try action("dump ;") == .dump(nil))
  }

  @Test("ranges, ports and upper protocols of policies")
  func selectors() throws {
    let one = try policy("10.0.0.0/24[any] 10.1.0.2[80] tcp -P out none")
    #expect(
      one
        == SecurityPolicy(
          Selector(
            .outbound, from: AddressRange(try address("10.0.0.0"), prefix: 24),
            to: AddressRange(try address("10.1.0.2"), port: 80), upper: 6), .none))
    for (word, number) in [("any", 255), ("icmp6", 58), ("ip4", 4), ("4", 4), ("41", 41), ("udp", 17), ("255", 255)] {
      #expect(try policy("::/0 ::/0 \(word) -P in discard").selector.upper == UInt8(number))
    }
    let solicitation = try policy("::/0 ::/0 icmp6 135,0 -P in none").selector
    #expect(solicitation.source.port == 135 && solicitation.destination.port == 0)
    let direction = Selector(
      .inbound, from: AddressRange(try address("10.0.0.1")), to: AddressRange(try address("10.0.0.2")), upper: 4)
    #expect(try action("spddelete 10.0.0.1 10.0.0.2 ip4 -P in ;") == .policyDelete(direction))
    #expect(
      try action("spddelete 10.0.0.1 10.0.0.2 ip4 -P in ipsec esp/transport//require ;") == .policyDelete(direction))
    #expect(try action("spdflush ;") == .policyFlush && action("spddump;") == .policyDump)
  }

  @Test("rules of a policy, one after the other")
  func requests() throws {
    let one = try policy(
      """
      10.0.0.1 10.0.0.2 any -P out ipsec
        esp/tunnel/192.0.2.1[4500]-192.0.2.2[4501]/unique:16383 # bound to its SA
        ah/transport//require
        ipcomp/transport//use esp/tunnel/2001:db8::1-2001:db8::2/default
      """)
    #expect(one.type == .ipsec)
    let ends = PolicyRequest.Ends(
      from: Endpoint(try address("192.0.2.1"), port: 4500), to: Endpoint(try address("192.0.2.2"), port: 4501))
    let other = PolicyRequest.Ends(
      from: Endpoint(try address("2001:db8::1")), to: Endpoint(try address("2001:db8::2")))
    #expect(
      one.requests == [
        PolicyRequest(.esp, .tunnel, .unique, reqid: 16383, ends: ends), PolicyRequest(.ah, .transport, .require),
        PolicyRequest(.ipcomp, .transport, .use), PolicyRequest(.esp, .tunnel, .default, ends: other),
      ])
  }

  @Test("statements stand in one line or in many, between comments")
  func layout() {
    let text = "flush;spdflush ; # all of it\n\n\tdump\r\n  esp # this one\n;# the end"
    let file = SetkeyParser.parse(text)
    #expect(file.remarks.isEmpty)
    #expect(file.statements.map(\.action) == [.flush(nil), .policyFlush, .dump(.esp)])
    #expect(
      file.statements.map(\.position) == [
        SetkeyPosition(line: 1, column: 1), SetkeyPosition(line: 1, column: 7), SetkeyPosition(line: 3, column: 2),
      ])
    #expect(SetkeyParser.parse("").statements.isEmpty && SetkeyParser.parse("# nothing").remarks.isEmpty)
  }
}
