import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("swbpf completion SHELL prints a script that completes")
struct CompletionTests {
  let scratch: Scratch
  /// The three scripts, by shell.
  let scripts: [String: String]

  init() throws {
    scratch = try Scratch()
    var scripts: [String: String] = [:]
    for shell in CompletionScript.allCases {
      let output = try Child([Tool.swbpf, "completion", shell.rawValue]).finish()
      #expect(output.status == .exited(0) && output.err.isEmpty && output.out == shell.text)
      scripts[shell.rawValue] = try scratch.file(shell.rawValue, holding: Array(output.out.utf8))
    }
    self.scripts = scripts
  }

  /// What bash offers for the last of the words.
  private func bash(_ words: [String]) throws -> [String] {
    let script = """
      source "$1"; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      _swbpf
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let output = try Child(["bash", "-c", script, "bash", try #require(scripts["bash"])] + words).finish()
    #expect(output.status == .exited(0) && output.err.isEmpty, "\(output.err)")
    return output.lines.map(String.init)
  }

  @Test(
    "the words that bash offers", .timeLimit(.minutes(1)), .needsTool("bash"),
    arguments: [
      (["see-"], ["see-sent"]), (["see-sent", ""], ["on", "off", "toggle", "--pid"]),
      (["see-sent", "--pid", "4", "t"], ["toggle"]), (["direction", "i"], ["in", "inout"]),
      (["peers", ""], ["--json"]), (["stress", "--se"], ["--self", "--seconds", "--seed"]),
      (["filter", "port"], ["port", "portrange"]),
      (["completion", ""], ["bash", "zsh", "fish"]), (["--dir"], ["--direction"]),
      (["-Q", ""], ["in", "out", "inout"]), (["--direction", "=", "o"], ["out"]),
      (["--direction", "="], ["in", "out", "inout"]),
      (["-neQ", ""], ["in", "out", "inout"]), (["-neQin"], ["-neQin", "-neQinout"]), (["-c", ""], []),
      (["--color", "a"], ["auto", "always"]), (["-n", "port"], ["port", "portrange"]), (["-n", "see-"], []),
      (["--json", "peer"], []), (["setkey", "--"], ["--noauth", "--socket"]), (["setk"], ["setkey"]),
      (["ifconfig", "gif0", "up", "dele"], ["delete", "deletetunnel", "deletesession", "deletecookie"]),
      (["ifconfig", "gif0", "-li"], ["-link0", "-link1", "-link2"]), (["sysctl", "--"], ["--socket"]),
    ])
  func words(_ words: [String], _ expected: [String]) throws {
    #expect(try bash([Tool.swbpf] + words) == expected)
  }

  @Test("every option of the table is offered by bash, and known to zsh and fish", .timeLimit(.minutes(1)))
  func options() throws {
    let offered = try bash([Tool.swbpf, "-"])
    for option in OptionTable.all {
      if let short = option.short {
        #expect(offered.contains("-\(short)"))
        #expect(CompletionScript.zsh.text.contains("'*-\(short)" + (option.value == nil ? "'" : "+:")))
        #expect(CompletionScript.fish.text.contains(" -s '\(short)'"))
      }
      if let long = option.long {
        #expect(offered.contains("--\(long)"))
        #expect(CompletionScript.zsh.text.contains("'*--\(long)" + (option.value == nil ? "'" : "=:")))
        #expect(CompletionScript.fish.text.contains(" -l \(long)"))
      }
    }
    // Two values that the table names alike are completed alike.
    #expect(CompletionScript.values(of: OptionTable.interface) == .interfaces)
    #expect(CompletionScript.values(of: OptionTable.read) == .files)
    #expect(CompletionScript.values(of: OptionTable.count) == CompletionScript.Values.none)
    #expect(CompletionScript.values(of: OptionTable.print) == nil)
  }

  @Test("-i is followed by interfaces, whose names are not run", .timeLimit(.minutes(1)), .needsNamespaces)
  func interfaces() throws {
    let host = try Host()
    let name = "$(id>x).;`id`"
    try host.ip("link add v0 type veth peer name v1")
    #expect(try host.run(["ip", "link", "set", "v1", "name", name]).status == .exited(0))
    for words in [["-i", ""], ["-ni", ""], ["--interface", ""], ["--interface", "="]] {
      let offered = try host.inside { try bash([Tool.swbpf] + words) }
      #expect(Set(offered).isSuperset(of: ["any", "lo", "v0", #"\$\(id\>x\).\;\`id\`"#]), "\(offered)")
    }
    #expect(try host.inside { try bash([Tool.swbpf, "-iv"]) } == ["-iv0"])
    #expect(access("x", F_OK) != 0)
  }

  @Test("-r and -w are followed by files", .timeLimit(.minutes(1)), .needsTool("bash"))
  func files() throws {
    let path = try scratch.file("a b.pcap", holding: [])
    for option in ["-r", "-w", "--read", "-nw"] {
      #expect(try bash([Tool.swbpf, option, scratch.file("a")]) == [path])
    }
    for option in ["-f", "-nf"] { #expect(try bash([Tool.swbpf, "setkey", option, scratch.file("a")]) == [path]) }
  }

  @Test("zsh takes the script, and asks for what fits", .timeLimit(.minutes(1)), .needsTool("zsh"))
  func zsh() throws {
    let file = try #require(scripts["zsh"])
    #expect(try Child(["zsh", "-f", "-n", file]).finish().status == .exited(0))
    // The script ends by calling its function, as the completion system wants it; here that prints what it asks for.
    let script = "_arguments() { print -rl -- $@ }; words=(\"${(@)@[2,-1]}\") CURRENT=$#words; source $1"
    func asked(_ words: String...) throws -> [String] {
      let output = try Child(["zsh", "-f", "-c", script, "zsh", file, "swbpf"] + words).finish()
      #expect(output.status == .exited(0) && output.err.isEmpty, "\(output.err)")
      return output.lines.map(String.init)
    }
    #expect(try asked("see-sent", "") == ["--pid=:PID:_swbpf_pids", "1: : ", "2:value:(on off toggle)"])
    #expect(try asked("setkey", "-").contains("-f+:FILE:_files"))
    #expect(try asked("ifconfig", "gif0", "").contains { $0.hasPrefix("*:word:(create destroy inet ") })
    #expect(try asked("-n", "").contains("*-i+:IF:_swbpf_interfaces"))
    #expect(try asked("see-").contains("1:expression:_swbpf_first"))
  }

  @Test(
    "the words that fish offers", .timeLimit(.minutes(1)), .needsTool("fish"),
    arguments: [
      ("see-", ["see-sent"]), ("see-sent ", ["off", "on", "toggle"]), ("direction --p", ["--pid"]),
      ("peers --", ["--json"]), ("stress --mi", ["--mix"]), ("--dir", ["--direction"]),
      ("-Q ", ["in", "inout", "out"]), ("setkey --", ["--noauth", "--socket"]),
      ("ifconfig gif0 dest", ["destroy"]),
      ("-n portr", ["portrange"]), ("filter portr", ["portrange"]), ("peers portr", []), ("-n see-", []),
    ])
  func fish(_ words: String, _ expected: [String]) throws {
    let script = "source $argv[1]; complete -C \"swbpf $argv[2]\""
    let file = try #require(scripts["fish"])
    let home = ["HOME": scratch.path, "XDG_CONFIG_HOME": scratch.path, "XDG_DATA_HOME": scratch.path]
    let output = try Child(["fish", "--no-config", "-c", script, file, words], environment: home).finish()
    #expect(output.status == .exited(0) && output.err.isEmpty, "\(output.err)")
    #expect(output.lines.map { String($0.prefix { $0 != "\t" }) } == expected)
  }

  @Test("other shells are a mistake", .timeLimit(.minutes(1)))
  func mistake() throws {
    for words in [["completion"], ["completion", "csh"], ["completion", "bash", "zsh"]] {
      let output = try Child([Tool.swbpf] + words).finish()
      #expect(output.status == .exited(1) && output.out.isEmpty)
      #expect(output.err.hasPrefix("swbpf: completion takes bash, zsh or fish\n"))
    }
  }

  @Test("make install puts the scripts where the shells look, make uninstall takes them away", .timeLimit(.minutes(1)))
  func install() throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    let settings = ["BINARY=\(Tool.swbpf)", "DESTDIR=\(scratch.path)", "PREFIX=/usr", "CAPTURE_GROUP="]
    func make(_ goal: String) throws -> [String] {
      let output = try Child(["make", "-s", "-C", root, goal] + settings).finish()
      #expect(output.status == .exited(0), "\(output.err)")
      return try Child(["find", scratch.path + "/usr", "-type", "f"]).finish().lines.map {
        String($0.dropFirst(scratch.path.count))
      }.sorted()
    }
    #expect(
      try make("install-command") == [
        "/usr/bin/swbpf", "/usr/lib/systemd/system/swbpf@.service", "/usr/lib/sysusers.d/swbpf.conf",
        "/usr/share/bash-completion/completions/swbpf",
        "/usr/share/fish/vendor_completions.d/swbpf.fish", "/usr/share/man/man1/swbpf.1",
        "/usr/share/zsh/site-functions/_swbpf",
      ])
    let installed = try scratch.bytes("usr/share/bash-completion/completions/swbpf")
    #expect(installed == Array(CompletionScript.bash.text.utf8))
    #expect(try make("uninstall").isEmpty)
  }
}
