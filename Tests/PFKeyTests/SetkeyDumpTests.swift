import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite("What setkey -D and -DP print")
struct SetkeyDumpTests {
  let dump = SetkeyDump(now: 1_000_090) { $0 == 1_000_090 ? "Jan 12 13:48:10 1970" : "Jan 12 13:4\($0 % 10):00 1970" }

  private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

  private func association() throws -> SecurityAssociation {
    var sa = SecurityAssociation(.esp, spi: 10000, from: try address("10.0.0.2"), to: try address("10.0.0.1"))
    sa.mode = .transport
    sa.reqid = 16386
    sa.flags = .cyclicSequence
    sa.encryption = .aesCBC
    sa.encryptionKey = Array(0..<16)
    sa.authentication = .hmacSHA256
    sa.authenticationKey = Array(0x20..<0x40)
    sa.current = Lifetime(allocations: 3, bytes: 252, addTime: 1_000_000, useTime: 1_000_005)
    sa.replay = 4
    sa.sequence = 3
    sa.messageSequence = 1
    sa.pid = 4711
    sa.references = 1
    return sa
  }

  @Test("an association")
  func one() throws {
    #expect(
      dump.association(try association()) == """
        10.0.0.2 10.0.0.1\u{20}
        \tesp mode=transport spi=10000(0x00002710) reqid=16386(0x00004002)
        \tE: aes-cbc  00010203 04050607 08090a0b 0c0d0e0f
        \tA: hmac-sha256  20212223 24252627 28292a2b 2c2d2e2f 30313233 34353637 38393a3b 3c3d3e3f
        \tseq=0x00000003 replay=4 flags=0x00000040 state=mature\u{20}
        \tcreated: Jan 12 13:40:00 1970\tcurrent: Jan 12 13:48:10 1970
        \tdiff: 90(s)\thard: 0(s)\tsoft: 0(s)
        \tlast: Jan 12 13:45:00 1970\thard: 0(s)\tsoft: 0(s)
        \tcurrent: 252(bytes)\thard: 0(bytes)\tsoft: 0(bytes)
        \tallocated: 3\thard: 0\tsoft: 0
        \tsadb_seq=1 pid=4711 refcnt=1

        """)
  }

  @Test("NAT-T, limits, a salted key, an association that was not used yet")
  func other() throws {
    var sa = SecurityAssociation(.esp, spi: .max, from: try address("fc00::1"), to: try address("fc00::2"))
    sa.natTraversal = NATTraversal(sourcePort: 4500, destinationPort: 4501, fragment: 552)
    sa.encryption = .aesGCM16
    sa.encryptionKey = Array(0..<36)
    sa.state = .dying
    sa.current = Lifetime(addTime: 1_000_000)
    sa.hard = Lifetime(allocations: 9, bytes: 1000, addTime: 60, useTime: 30)
    sa.soft = Lifetime(bytes: 900, addTime: 50)
    #expect(
      dump.association(sa) == """
        fc00::1[4500] fc00::2[4501]\u{20}
        \tesp-udp mode=any spi=4294967295(0xffffffff) reqid=0(0x00000000)
        \tNAT-T esp_frag=552
        \tE: aes-gcm-16  00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f
         20212223
        \tseq=0x00000000 replay=0 flags=0x00000000 state=dying\u{20}
        \tcreated: Jan 12 13:40:00 1970\tcurrent: Jan 12 13:48:10 1970
        \tdiff: 90(s)\thard: 60(s)\tsoft: 50(s)
        \tlast:                     \thard: 30(s)\tsoft: 0(s)
        \tcurrent: 0(bytes)\thard: 1000(bytes)\tsoft: 900(bytes)
        \tallocated: 0\thard: 9\tsoft: 0
        \tsadb_seq=0 pid=0 refcnt=0

        """)
    var plain = SecurityAssociation(.ipcomp, spi: 256, from: try address("10.0.0.1"), to: try address("10.0.0.2"))
    plain.compression = .deflate
    #expect(
      dump.association(plain).hasPrefix(
        "10.0.0.1 10.0.0.2 \n\tipcomp mode=any spi=256(0x00000100) reqid=0(0x00000000)\n\tC: deflate \n\tseq="))
  }

  private func policy(
    _ upper: UInt8 = 4, _ type: PolicyType = .ipsec, _ requests: [PolicyRequest] = []
  ) throws -> SecurityPolicy {
    var policy = SecurityPolicy(
      Selector(
        .outbound, from: AddressRange(try address("10.0.0.1")), to: AddressRange(try address("10.0.0.2")), upper: upper),
      type, requests: requests)
    policy.id = 17
    policy.created = 1_000_000
    policy.pid = 4711
    return policy
  }

  @Test("a policy has the shape that scripts look for: ^SRC.*(ipv4)$, then unique#N")
  func policies() throws {
    let text = dump.policy(try policy(4, .ipsec, [PolicyRequest(.esp, .transport, .unique, reqid: 16386)]))
    #expect(
      text == """
        10.0.0.1[any] 10.0.0.2[any] 4(ipv4)
        \tout ipsec
        \tesp/transport//unique#16386
        \tcreated: Jan 12 13:40:00 1970  lastused:                    \u{20}
        \tlifetime: 0(s) validtime: 0(s)
        \tspid=17 seq=0 pid=4711
        \trefcnt=1

        """)
    let lines = text.split(separator: "\n")
    #expect(lines[0].hasPrefix("10.0.0.1") && lines[0].hasSuffix("(ipv4)"))
    #expect(lines[1...2].contains { $0.contains("unique#") })
  }

  @Test("ranges, ports, upper protocols")
  func selectors() throws {
    func shown(_ one: String, _ prefix: UInt8, _ port: UInt16, _ upper: UInt8, other: UInt16 = 0) throws -> String {
      SetkeyDump.selector(
        Selector(
          .inbound, from: AddressRange(try address(one), prefix: prefix, port: port),
          to: AddressRange(try address(one), port: other), upper: upper))
    }
    #expect(try shown("10.0.0.0", 24, 80, 6) == "10.0.0.0/24[80] 10.0.0.0[any] 6(tcp)")
    #expect(try shown("::", 0, 0, 255) == "::/0[any] ::[any] 255(reserved)")
    #expect(try shown("::1", 128, 0, 41) == "::1[any] ::1[any] 41(ipv6)")
    #expect(try shown("::1", 128, 135, 58) == "::1 ::1 58(ipv6-icmp) 135,0")
    #expect(try shown("::1", 128, 0, 58) == "::1 ::1 58(ipv6-icmp)")
    #expect(try shown("::1", 128, 0, 200) == "::1[any] ::1[any] 200")
    #expect(try shown("10.0.0.1", 32, 1, 47, other: 2) == "10.0.0.1 10.0.0.1 47(gre) 65538")
  }

  @Test("tunnels have their ends, with ports if these are asked for; numbers given by hand stand behind a colon")
  func requests() throws {
    let ends = PolicyRequest.Ends(
      from: Endpoint(try address("192.0.2.1"), port: 4500), to: Endpoint(try address("192.0.2.2"), port: 4501))
    let tunnel = PolicyRequest(.esp, .tunnel, .unique, reqid: 16383, ends: ends)
    let other = PolicyRequest(.ah, .transport, .require)
    let one = try policy(255, .ipsec, [tunnel, other])
    #expect(
      dump.policy(one).contains(
        "\n\tout ipsec\n\tesp/tunnel/192.0.2.1-192.0.2.2/unique:16383\n\tah/transport//require\n\tcreated: "))
    #expect(
      dump.policy(one, ports: true).contains("\n\tesp/tunnel/192.0.2.1[4500]-192.0.2.2[4501]/unique:16383\n"))
    #expect(dump.policy(try policy(4, .discard)).contains("\n\tout discard\n\tcreated: "))
  }

  @Test("nothing has words of its own (T-153)")
  func empty() throws {
    #expect(dump.associations([]) == "No SAD entries.\n")
    #expect(dump.policies([]) == "No SPD entries.\n")
    var dead = try association()
    dead.state = .dead
    #expect(dump.associations([dead]) == "No SAD entries.\n")
    #expect(dump.associations([dead], showsDead: true).contains("state=dead"))
    let one = try association()
    #expect(dump.associations([one, one]) == dump.association(one) + dump.association(one))
    #expect(dump.policies([try policy()]) == dump.policy(try policy()))
  }

  @Test("dates are local time, 20 characters, as ctime(3) has them")
  func dates() {
    for seconds in [1, 86_400 * 9, 951_782_400, 1_795_273_445] as [UInt64] {
      var time = time_t(seconds)
      var buffer = [CChar](repeating: 0, count: 26)
      let expected = String(cString: ctime_r(&time, &buffer)!).dropFirst(4).prefix(20)
      #expect(SetkeyDump.localDate(seconds) == String(expected))
    }
    #expect(SetkeyDump.localDate(.max) == String(repeating: "?", count: 20))
    #expect(SetkeyDump.localDate(UInt64(Int64.max)) == String(repeating: "?", count: 20))
  }
}
