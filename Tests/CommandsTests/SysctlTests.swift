import Glibc
import SwBPFInterfaces
import Testing

@testable import SwBPFCommands
@testable import TestSupport

/// A keeper of settings that keeps them in an array.
private final class Keeper: SettingControl {
  var all = [
    Setting("net.bpf.bufsize", "bytes of a buffer", allowed: .numbers(32...1 << 24), initial: .number(32768)),
    Setting("net.inet.ip.gifttl", "TTL of gif", allowed: .numbers(1...255), initial: .number(30), value: .number(64)),
    Setting("net.ipsec.ike", "who gets IKE", allowed: .text(longest: 64), initial: .text("")),
    Setting("net.peers", "how many there are", allowed: .nothing, initial: .number(0), value: .number(3)),
  ]
  var refusal: InterfaceFailure?

  func settings(_ name: String) throws -> [Setting] {
    all.filter { name.isEmpty || $0.name == name || $0.name.hasPrefix(name + ".") }
  }

  func set(_ name: String, to value: Setting.Value) throws {
    if let refusal { throw refusal }
    all[all.firstIndex { $0.name == name }!].value = value
  }
}

@Suite("swbpf sysctl")
struct SysctlTests {
  private let keeper = Keeper()

  private func sysctl(_ words: String...) -> (status: CInt, out: String, err: String) {
    var (out, err) = ("", "")
    let status = SysctlCommand.run(
      words, output: { out += $0 }, complain: { err += $0 + "\n" }, connect: { _ in keeper })
    return (status, out, err)
  }

  @Test("settings are shown by name, by node, and all")
  func show() {
    #expect(sysctl("net.inet.ip.gifttl") == (0, "net.inet.ip.gifttl = 64\n", ""))
    #expect(sysctl("net.inet") == (0, "net.inet.ip.gifttl = 64\n", ""))
    #expect(sysctl("-n", "net.bpf.bufsize", "net.inet.ip.gifttl") == (0, "32768\n64\n", ""))
    let all = "net.bpf.bufsize = 32768\nnet.inet.ip.gifttl = 64\nnet.ipsec.ike = \nnet.peers = 3\n"
    for words in ["-a", "net"] { #expect(sysctl(words) == (0, all, "")) }
    #expect(sysctl() == (0, all, ""))
    #expect(
      sysctl("-d", "net.inet.ip.gifttl")
        == (0, "net.inet.ip.gifttl: TTL of gif; a number from 1 to 255; at first 30\n", ""))
    #expect(sysctl("-dn", "net.ipsec.ike") == (0, "who gets IKE; a text of at most 64 bytes; at first empty\n", ""))
  }

  @Test("a setting is set, and what it was is told")
  func set() {
    #expect(sysctl("net.inet.ip.gifttl=5") == (0, "net.inet.ip.gifttl: 64 -> 5\n", ""))
    #expect(sysctl("-w", "net.inet.ip.gifttl=6") == (0, "net.inet.ip.gifttl: 5 -> 6\n", ""))
    #expect(sysctl("-qw", "net.ipsec.ike=10.0.0.1:4500") == (0, "", ""))
    #expect(sysctl("-n", "net.ipsec.ike=a=b", "net.ipsec.ike") == (0, "a=b\na=b\n", ""))
  }

  @Test("one that fails is told, and the others are done")
  func refused() {
    let refused = sysctl(
      "net.none", "net.inet.ip.gifttl=256", "net.inet.ip.gifttl=x", "net.peers=1", "net.bpf.bufsize=64")
    #expect(refused.status == 1 && refused.out == "net.bpf.bufsize: 32768 -> 64\n")
    #expect(
      refused.err == """
        sysctl: net.none: no such setting (swbpf sysctl -a lists all)
        sysctl: net.inet.ip.gifttl=256: Invalid argument (it takes a number from 1 to 255)
        sysctl: net.inet.ip.gifttl=x: Invalid argument (it takes a number from 1 to 255)
        sysctl: net.peers=1: Operation not permitted (it can be read only)

        """)
    #expect(sysctl("net.inet=1").err == "sysctl: net.inet=1: Is a directory (a node has no value)\n")
    keeper.refusal = InterfaceFailure(errno: EBUSY, request: "", text: "\u{1b}c")
    #expect(sysctl("net.bpf.bufsize=65").err == "sysctl: net.bpf.bufsize=65: Device or resource busy (\\x1bc)\n")
  }

  @Test(
    "a command line that cannot be: a line, then the usage",
    arguments: [
      (["-z"], "sysctl: unknown option '-z'"), (["-w"], "sysctl: -w needs NAME=VALUE"),
      (["-w", "net.bpf"], "sysctl: -w needs net.bpf=VALUE"), (["-a", "net"], "sysctl: -a takes no name"),
      (["-dw", "a=1"], "sysctl: -d and -w do not go together"), (["-d", "a=1"], "sysctl: -d sets nothing"),
      (["=1"], "sysctl: '' is no name of a setting"), (["a..b"], "sysctl: 'a..b' is no name of a setting"),
      (["--socket"], "sysctl: --socket needs a path"),
    ])
  func usage(_ words: [String], _ text: String) {
    var err = ""
    let status = SysctlCommand.run(words, output: { _ in }, complain: { err += $0 + "\n" }, connect: { _ in keeper })
    #expect(status == 1 && err == "\(text)\n\(SysctlCommand.usage)\n")
  }

  @Test("without a daemon: a line, exit status 1", .timeLimit(.minutes(1)))
  func noDaemon() throws {
    let output = try Child([Tool.swbpf, "sysctl", "--socket=/nowhere/swbpf.sock", "-a"]).finish()
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(
      output.err == "sysctl: no daemon listens at /nowhere/swbpf.sock (one is started with swbpf daemon, as root)\n")
  }

  @Test("-h lists every option; completions and the manual know them", .timeLimit(.minutes(1)))
  func help() throws {
    let output = try Child([Tool.swbpf, "sysctl", "-h"]).finish()
    #expect(output.status == .exited(0) && output.err.isEmpty && output.out == SysctlCommand.help)
    let section = try manual("SYSCTL")
    let known = try #require(CompletionScript.subcommands.first { $0.name == "sysctl" })
    for option in SysctlOption.all {
      #expect(output.out.contains("\n  -\(option.letter)"))
      #expect(known.words.contains("-\(option.letter)") && section.contains("Fl \(option.letter)"), "-\(option.letter)")
    }
  }
}
