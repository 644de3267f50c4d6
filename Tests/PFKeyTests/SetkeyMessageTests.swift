import Testing

@testable import SwBPFPFKey

@Suite("Statements of setkey(8) as messages, and what comes back")
struct SetkeyMessageTests {
  private func message(_ text: String, sequence: UInt32 = 0, pid: UInt32 = 0) throws -> [UInt8] {
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true))
    try #require(file.errors.isEmpty && file.statements.count == 1, "\(file.errors)")
    return try #require(file.statements[0].message(sequence: sequence, pid: pid))
  }

  @Test("add, byte by byte")
  func add() throws {
    let key = "0x" + (0..<16).map { "1" + String($0, radix: 16) }.joined()
    let bytes = try message(
      """
      add 192.168.0.2 [4500] 10.0.0.2 [4501] esp-udp 10000 -m transport -r 4 -u 7 -lh 60 -ls 50 -esp_frag 552
        -E rijndael-cbc \(key) -A hmac-sha1 "abcdefghijklmnopqrst" ;
      """, sequence: 5, pid: 0x1122_3344)
    let expected = GoldenBytes.bytes(
      """
      02 03 00 03 1f 00 00 00 05 00 00 00 44 33 22 11
      02 00 01 00 00 00 27 10 04 00 03 0c 40 00 00 00
      02 00 13 00 01 00 00 00 00 00 00 00 07 00 00 00
      04 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 3c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      04 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 32 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      03 00 05 00 ff 20 00 00 10 02 00 00 c0 a8 00 02 00 00 00 00 00 00 00 00
      03 00 06 00 ff 20 00 00 10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
      04 00 08 00 a0 00 00 00 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70 71 72 73 74 00 00 00 00
      03 00 09 00 80 00 00 00 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
      01 00 14 00 02 00 00 00 01 00 15 00 11 94 00 00
      01 00 16 00 11 95 00 00 01 00 19 00 28 02 00 00
      """)
    #expect(bytes == expected)
  }

  @Test("spdadd gives the bytes that ipsec interfaces send")
  func policies() throws {
    // The engine gives the number of level unique.
    #expect(
      try message("spdadd 10.0.0.1 10.0.0.2 ip4 -P out ipsec esp/transport//unique ;")
        == GoldenBytes.a.dropLast(2) + [0, 0])
    #expect(
      try message("spdadd fc00:1001::2 fc00:1001::1 4 -P out ipsec esp/transport//require ;") == GoldenBytes.b)
    #expect(try message("spdadd 10.0.0.1 10.0.0.2 41 -P out discard ;") == GoldenBytes.c)
    var update = GoldenBytes.c
    update[1] = 13
    #expect(try message("spdupdate 10.0.0.1 10.0.0.2 41 -P out discard ;") == update)
    var delete = GoldenBytes.c
    delete[1] = 15
    #expect(try message("spddelete 10.0.0.1 10.0.0.2 41 -P out ;") == delete)
  }

  @Test("the short ones")
  func short() throws {
    #expect(try message("flush ;", pid: 7) == GoldenBytes.bytes("02 09 00 00 02 00 00 00 00 00 00 00 07 00 00 00"))
    #expect(try message("flush esp ;") == GoldenBytes.bytes("02 09 00 03 02 00 00 00 00 00 00 00 00 00 00 00"))
    #expect(try message("dump ah ;") == GoldenBytes.bytes("02 0a 00 02 02 00 00 00 00 00 00 00 00 00 00 00"))
    #expect(try message("spdflush ;") == GoldenBytes.bytes("02 13 00 00 02 00 00 00 00 00 00 00 00 00 00 00"))
    #expect(try message("spddump ;") == GoldenBytes.bytes("02 12 00 00 02 00 00 00 00 00 00 00 00 00 00 00"))
    let addresses = """
      03 00 05 00 ff 20 00 00 10 02 00 00 0a 00 00 01 00 00 00 00 00 00 00 00
      03 00 06 00 ff 20 00 00 10 02 00 00 0a 00 00 02 00 00 00 00 00 00 00 00
      """
    let sa = "02 00 01 00 00 00 27 11 00 00 00 00 00 00 00 00"
    #expect(
      try message("get 10.0.0.1 10.0.0.2 esp 0x2711 ;")
        == GoldenBytes.bytes("02 05 00 03 0a 00 00 00 00 00 00 00 00 00 00 00 \(sa) \(addresses)"))
    #expect(
      try message("delete 10.0.0.1 10.0.0.2 ah 10001 ;")
        == GoldenBytes.bytes("02 04 00 02 0a 00 00 00 00 00 00 00 00 00 00 00 \(sa) \(addresses)"))
    #expect(
      try message("deleteall 10.0.0.1 10.0.0.2 esp-udp ;")
        == GoldenBytes.bytes("02 04 00 03 08 00 00 00 00 00 00 00 00 00 00 00 \(addresses)"))
  }

  @Test("every statement makes a message that says the same", arguments: 0..<20 as Range<UInt64>)
  func roundTrip(_ seed: UInt64) throws {
    var maker = StatementMaker(seed: seed)
    for _ in 0..<200 {
      let action = maker.action()
      let message = try Message(try #require(SetkeyStatement(action).message(sequence: 3, pid: 4)))
      #expect(message.header.sequence == 3 && message.header.pid == 4)
      switch action {
      case .add(var sa):
        (sa.messageSequence, sa.pid, sa.state) = (3, 4, .larval)
        #expect(try SecurityAssociation(message) == sa)
      case .policyAdd(var policy), .policyUpdate(var policy):
        (policy.messageSequence, policy.pid, policy.references) = (3, 4, 0)
        #expect(try SecurityPolicy(message) == policy)
      default: break
      }
    }
  }

  /// Plays statements to an engine. Returns the errno of each.
  private func play(_ text: String, to asker: Asker) throws -> [CInt] {
    let file = SetkeyParser.parse(text, rules: SetkeyRules(allowsNoIntegrity: true))
    try #require(file.errors.isEmpty, "\(file.errors)")
    return try file.statements.map { try asker.errno($0.message()) }
  }

  private let dump = SetkeyDump(now: 1000) { "\($0)" }

  @Test("what a file adds, -D and -DP show; flush takes it away, esp without ah (T-159)")
  func engine() throws {
    let asker = Asker()
    let key = "0x" + String(repeating: "5a", count: 32)
    let text = """
      spdadd 10.0.0.1 10.0.0.2 ip4 -P out ipsec esp/transport//unique ;
      spdadd 10.0.0.2 10.0.0.1 ip4 -P in ipsec esp/transport//unique:9 ;
      add 10.0.0.1 10.0.0.2 esp 10000 -u 16385 -m transport -E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213 ;
      add 10.0.0.1 10.0.0.2 ah 10000 -m transport -A hmac-sha256 \(key) ;
      """
    #expect(try play(text, to: asker) == [0, 0, 0, 0])
    let policies = dump.policies(try asker.policies()).split(separator: "\n").map(String.init)
    let first = try #require(policies.firstIndex(of: "10.0.0.1[any] 10.0.0.2[any] 4(ipv4)"))
    let line = try #require(policies[(first + 1)...(first + 2)].first { $0.contains("unique#") })
    #expect(UInt16(line.dropFirst("\tesp/transport//unique#".count)).map { $0 > RequestID.greatestManual } == true)
    #expect(policies.contains("\tesp/transport//unique:9") && policies.contains("\tin ipsec"))
    let shown = dump.associations(try asker.dump())
    #expect(shown.contains("\tesp mode=transport spi=10000(0x00002710) reqid=16385(0x00004001)\n"))
    #expect(shown.contains("\tE: aes-gcm-16  00010203 04050607 08090a0b 0c0d0e0f 10111213\n"))
    #expect(
      shown.contains("\tah mode=transport spi=10000(0x00002710) reqid=0(0x00000000)\n\tA: hmac-sha256  5a5a5a5a "))
    #expect(try play("flush esp ;", to: asker) == [0])
    let rest = dump.associations(try asker.dump())
    #expect(rest.contains("\tah mode=") && !rest.contains("\tesp mode="))
    #expect(try play("flush ; spdflush ;", to: asker) == [0, 0])
    #expect(dump.associations(try asker.dump()) == "No SAD entries.\n")
    #expect(dump.policies(try asker.policies()) == "No SPD entries.\n")
  }

  @Test("SPI 255 passes the parser and is EINVAL in the engine, 256 is taken (T-156, T-160)")
  func reservedSPI() throws {
    let asker = Asker()
    let key = "0x" + String(repeating: "5a", count: 20)
    let other = "0x" + String(repeating: "5b", count: 20)
    #expect(
      try play(
        "add ::1 ::2 esp 255 -E aes-gcm-16 \(other) ; add ::1 ::2 esp 256 -E aes-gcm-16 \(key) ;", to: asker)
        == [PFKeyError.invalid.errno, 0])
    #expect(try play("delete ::1 ::2 esp 256 ; delete ::1 ::2 esp 256 ;", to: asker) == [0, PFKeyError.notFound.errno])
  }

  @Test("what the parser refuses for its key, the engine refuses, too; what it takes is taken (T-157)")
  func agreement() throws {
    var maker = StatementMaker(seed: 1)
    let asker = Asker()
    // What the engine is asked for is none of the parser's business.
    asker.engine[.chacha20Poly1305] = true
    asker.engine[.extendedSequence] = true
    var (taken, refused) = (0, 0)
    for _ in 0..<2000 {
      guard case .add(let sa) = maker.action(), sa.spi > 255, sa.proto != .ipcomp else { continue }
      let statement = SetkeyStatement(.add(sa))
      let isRight = SetkeyParser.parse(statement.text).errors.isEmpty
      #expect(try asker.errno(statement.message()) == (isRight ? 0 : PFKeyError.invalid.errno), "\(statement.text)")
      if isRight { taken += 1 } else { refused += 1 }
    }
    #expect(taken > 50 && refused > 50)
  }
}
