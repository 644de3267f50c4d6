// swbpf setkey with a daemon that keeps what it says.
import Glibc
import Testing

@testable import TestSupport

@Suite("swbpf setkey with a daemon", .needsNamespaces)
struct SetkeyDaemonTests {
  let scratch: Scratch
  let daemon: RunningDaemon

  init() throws {
    scratch = try Scratch()
    daemon = try RunningDaemon(in: try Host("keys"), scratch)
  }

  private static let gcm = "-E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213"
  private static let add = "add 10.0.0.1 10.0.0.2 esp 10000 \(gcm) ;\n"
  private static let hmac = "-A hmac-sha256 0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
  private static let policy = "spdadd 10.0.0.1 10.0.0.2 any -P out ipsec esp/transport//unique ;\n"

  private func setkey(_ option: String, input: String = "") throws -> Child.Output {
    try daemon.swbpf("setkey", option, input: input)
  }

  @Test("empty lists are told in words, with exit status 0 (T-153)", .timeLimit(.minutes(1)))
  func empty() throws {
    for (option, text) in [("-D", "No SAD entries.\n"), ("-DP", "No SPD entries.\n"), ("-DPp", "No SPD entries.\n")] {
      let output = try setkey(option)
      #expect(output.status == .exited(0) && output.out == text && output.err.isEmpty, "\(option): \(output)")
    }
    let output = try setkey("-c", input: "dump ; spddump ;")
    #expect(output.status == .exited(0) && output.out == "No SAD entries.\nNo SPD entries.\n", "\(output)")
  }

  @Test("what is added is listed, -F empties one list and -FP the other (T-159)", .timeLimit(.minutes(1)))
  func flush() throws {
    let ah = "add 10.0.0.1 10.0.0.2 ah 10001 \(Self.hmac) ;\n"
    let added = try setkey("-c", input: Self.add + ah + Self.policy)
    #expect(added.status == .exited(0) && added.out.isEmpty, "\(added)")
    var list = try setkey("-D").out
    #expect(
      list.contains("spi=10000(0x00002710)") && list.contains("spi=10001") && list.contains("E: aes-gcm-16"), "\(list)")
    list = try setkey("-DP").out
    #expect(list.contains("10.0.0.1[any] 10.0.0.2[any]") && list.contains("unique#"), "\(list)")
    // ESP's go, AH's stay.
    #expect(try setkey("-c", input: "flush esp ;").status == .exited(0))
    list = try setkey("-D").out
    #expect(!list.contains("spi=10000") && list.contains("spi=10001"), "\(list)")
    #expect(try setkey("-F").status == .exited(0))
    #expect(try setkey("-D").out == "No SAD entries.\n")
    #expect(try setkey("-DP").out.contains("unique#"))
    #expect(try setkey("-FP").status == .exited(0))
    #expect(try setkey("-DP").out == "No SPD entries.\n")
  }

  @Test("-f obeys a file, -n changes nothing (T-161)", .timeLimit(.minutes(1)))
  func file() throws {
    let path = try scratch.file("ipsec.conf", holding: Array((Self.add + Self.policy).utf8))
    #expect(try daemon.swbpf("setkey", "-n", "-f", path).status == .exited(0))
    #expect(try setkey("-D").out == "No SAD entries.\n")
    #expect(try daemon.swbpf("setkey", "-f", path).status == .exited(0))
    #expect(try setkey("-D").out.contains("spi=10000"))
    #expect(try setkey("-DP").out.contains("unique#"))
    let got = try setkey("-c", input: "get 10.0.0.1 10.0.0.2 esp 10000 ;")
    #expect(got.status == .exited(0) && got.out.contains("spi=10000"), "\(got)")
  }

  @Test("a statement that is refused is told with its place, those behind it are done", .timeLimit(.minutes(1)))
  func refused() throws {
    let output = try setkey("-c", input: Self.policy + "  " + Self.policy + Self.add)
    #expect(output.status == .exited(1) && output.err.contains("<stdin>:2:3: File exists"), "\(output.err)")
    #expect(try setkey("-D").out.contains("spi=10000"))
    // A file with a mistake is not obeyed at all.
    let wrong = try setkey("-c", input: "spdflush ; nonsense ;")
    #expect(wrong.status == .exited(1))
    #expect(try setkey("-DP").out.contains("unique#"))
  }

  @Test("what associations may be is a setting of the daemon", .timeLimit(.minutes(1)))
  func settings() throws {
    let bare = "add 10.0.0.1 10.0.0.2 esp 10002 -E aes-cbc 0x000102030405060708090a0b0c0d0e0f ;"
    #expect(try setkey("-c", input: bare).status == .exited(1))
    try daemon.asking { try $0.set("net.ipsec.noauth", to: .number(1)) }
    let output = try setkey("-c", input: bare)
    #expect(output.status == .exited(0), "\(output.err)")
    let names = try daemon.asking { try $0.settings().map(\.name) }
    #expect(Set(names).isSuperset(of: ["net.ipsec.noauth", "net.ipsec.chacha", "net.ipsec.esn", "net.inet.ip.gifttl"]))
  }

  @Test("-x shows what others change as it happens, without keys", .timeLimit(.minutes(1)))
  func monitor() throws {
    let child = try daemon.host.start([Tool.swbpf, "setkey", "-x"], environment: ["SWBPF_SOCKET": daemon.socket])
    // It shows the next change, once it listens.
    var line: String?
    for _ in 0..<100 where line == nil {
      _ = try setkey("-c", input: "flush ;")
      line = child.out.waitFor("FLUSH", timeout: 0.2)
    }
    #expect(line != nil)
    #expect(try setkey("-c", input: Self.add).status == .exited(0))
    #expect(child.out.waitFor("ADD esp") != nil && child.out.waitFor("spi=10000") != nil)
    child.signal(SIGTERM)
    let output = try child.finish()
    #expect(!output.out.contains("00010203"), "\(output.out)")
  }

  @Test("without a daemon it says where it looked", .timeLimit(.minutes(1)))
  func noDaemon() throws {
    let output = try daemon.host.swbpf(["setkey", "--socket", scratch.file("none.sock"), "-D"])
    #expect(output.status == .exited(1) && output.err.contains("no daemon listens at"), "\(output.err)")
  }
}
