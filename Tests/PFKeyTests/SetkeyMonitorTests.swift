import Testing

@testable import SwBPFPFKey

@Suite("What setkey -x prints: one block for each message")
struct SetkeyMonitorTests {
  private let dump = SetkeyDump(now: 1000) { _ in "Nov 21 18:56:35 2026" }

  private func shown(_ bytes: [UInt8]?) throws -> String {
    dump.monitored(try Message(try #require(bytes)))
  }

  @Test("an association without its keys")
  func association() throws {
    let text = try shown(SecurityAssociation.cbc(10000, reqid: 7).message(.add, sequence: 3, pid: 4711, withKeys: true))
    #expect(
      text.hasPrefix(
        """
        Nov 21 18:56:35 2026 ADD esp seq=3 pid=4711
        10.0.0.1 10.0.0.2\u{20}
        \tesp mode=transport spi=10000(0x00002710) reqid=7(0x00000007)
        \tE: aes-cbc\u{20}
        \tA: hmac-sha256\u{20}
        \tseq=0x00000000 replay=0 flags=0x00000000 state=mature\u{20}

        """), "\(text)")
    #expect(!text.contains("5e5e") && !text.contains("a5a5"))
    #expect(text.hasSuffix("\trefcnt=0\n\n") || text.hasSuffix(" refcnt=0\n\n"))
  }

  @Test("a policy, an error, a flush")
  func others() throws {
    #expect(
      try shown(GoldenBytes.a).hasPrefix(
        """
        Nov 21 18:56:35 2026 SPDADD seq=0 pid=0
        10.0.0.1[any] 10.0.0.2[any] 4(ipv4)
        \tout ipsec
        \tesp/transport//unique#16385

        """))
    #expect(try shown(MessageHeader(.flush, .ah).complete) == "Nov 21 18:56:35 2026 FLUSH ah seq=0 pid=0\n\n")
    var failed = MessageHeader(.spdDump, pid: 9).complete
    failed[2] = 2
    #expect(
      try shown(failed) == "Nov 21 18:56:35 2026 SPDDUMP seq=0 pid=9 errno=2(No such file or directory)\n\n")
    #expect(
      try shown(SecurityPolicy.message(.spdDelete2, id: 17))
        == "Nov 21 18:56:35 2026 SPDDELETE2 seq=0 pid=0\n\tspid=17\n\n")
    var unknown = MessageHeader(.flush).complete
    (unknown[1], unknown[3]) = (99, 77)
    #expect(try shown(unknown) == "Nov 21 18:56:35 2026 type=99 satype=77 seq=0 pid=0\n\n")
  }

  @Test("what an engine says to all is shown, one block after the other")
  func engine() throws {
    let asker = Asker()
    #expect(try asker.add(.cbc(10000)) == 0)
    #expect(try asker.errno(GoldenBytes.c) == 0)
    let blocks = try asker.heard().map { dump.monitored($0) }
    #expect(blocks.count == 2)
    #expect(blocks[0].hasPrefix("Nov 21 18:56:35 2026 ADD esp ") && blocks[1].contains(" SPDADD "))
    #expect(blocks.allSatisfy { $0.hasSuffix("\n\n") && !$0.dropLast(2).contains("\n\n") })
  }
}
