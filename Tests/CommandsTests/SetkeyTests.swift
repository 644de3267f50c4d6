import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("swbpf setkey")
struct SetkeyTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let gcm = "-E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213"

  private func setkey(_ words: [String], input: String = "") throws -> Child.Output {
    let path = try scratch.file("input", holding: Array(input.utf8))
    return try Child([Tool.swbpf, "setkey"] + words, input: .file(path)).finish()
  }

  private func setkey(_ words: String..., input: String = "") throws -> Child.Output { try setkey(words, input: input) }

  private func file(_ text: String) throws -> String { try scratch.file("ipsec.conf", holding: Array(text.utf8)) }

  @Test("-n checks a file without a word, and changes nothing (T-161)", .timeLimit(.minutes(1)))
  func right() throws {
    let text = """
      flush ; spdflush ;
      spdadd 10.0.0.1 10.0.0.2 any -P out ipsec esp/transport//require ;
      add 10.0.0.1 10.0.0.2 esp 0x2711 -r 4 -E rijndael-cbc 0x000102030405060708090a0b0c0d0e0f
        -A hmac-sha256 0x202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f ;

      """
    let path = try file(text)
    for words in [["-n", "-f", path], ["-nf", path], ["-f", path, "-n"], ["-nf\(path)"]] {
      let output = try setkey(words)
      #expect(output.status == .exited(0) && output.out.isEmpty && output.err.isEmpty, "\(output.err)")
    }
    for words in [["-n", "-c"], ["-cn"], ["-n", "-f", "-"]] {
      let output = try setkey(words, input: text)
      #expect(output.status == .exited(0) && output.out.isEmpty && output.err.isEmpty, "\(output.err)")
    }
    #expect(try scratch.bytes("ipsec.conf") == Array(text.utf8))
  }

  @Test(
    "-n opens no socket, through which it could change something (T-161)", .timeLimit(.minutes(1)), .needsTool("strace")
  )
  func noSocket() throws {
    let path = try file("flush ; spdflush ;\n")
    let log = scratch.file("strace")
    // LeakSanitizer does not work in a process that is traced.
    let strace = ["strace", "-f", "-E", "ASAN_OPTIONS=detect_leaks=0", "-e", "trace=%net,openat", "-o", log]
    let traced = try Child(strace + [Tool.swbpf, "setkey", "-nf", path]).finish()
    #expect(traced.status == .exited(0))
    let calls = String(decoding: try scratch.bytes("strace"), as: UTF8.self)
    #expect(calls.contains(path) && !calls.contains("socket("), "\(calls)")
  }

  @Test("the examples of the manual pass (T-160)", .timeLimit(.minutes(1)))
  func examples() throws {
    let path = try file(
      """
      # AES-128-GCM, bound to SP unique#16386
      add 10.0.0.2 10.0.0.1 esp 10000 -u 16386 -m transport \(Self.gcm) ;
      # NAT-T
      add 192.168.0.2 [4500] 10.0.0.2 [4500] esp-udp 10000 -m transport -E rijndael-cbc 0x000102030405060708090a0b0c0d0e0f ;
      """)
    let output = try setkey("-n", "--noauth", "-f", path)
    #expect(output.status == .exited(0) && output.out.isEmpty)
    #expect(
      output.err == "setkey: \(path):2:1: warning: a manual key of aes-gcm-16 must never have served before\n")
    let strict = try setkey("-n", "-f", path)
    #expect(strict.status == .exited(1))
    #expect(
      strict.errorLines.last?.hasPrefix("setkey: \(path):4:1: aes-cbc without -A protects no integrity") == true)
  }

  @Test("every mistake is told with its place, and nothing is printed (T-160)", .timeLimit(.minutes(1)))
  func wrong() throws {
    let path = try file(
      """
      flush
      add 10.0.0.1 10.0.0.2 esp 255 -E aes-gcm-17 0x00 ;
      spdflush ;
      add 10.0.0.1 10.0.0.2 esp 1000 -E aes-gcm-16 0x00g0 ;
      """)
    let output = try setkey("-n", "-v", "-f", path)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(
      output.err == """
        setkey: \(path):1:6: ';' is missing before 'add'
        setkey: \(path):2:34: unknown algorithm 'aes-gcm-17' (try aes-gcm-16)
        setkey: \(path):4:50: 'g' is no hexadecimal digit

        """)
    #expect(try setkey("-nc", input: "dump").err == "setkey: <stdin>:1:5: ';' is missing before the end of the file\n")
  }

  @Test("-v prints the statements as they were understood", .timeLimit(.minutes(1)))
  func verbose() throws {
    let output = try setkey("-nvc", input: "flush;spdadd 10.0.0.1[any] ::ffff:0:0/96 4 -P in none;dump esp;")
    #expect(output.status == .exited(1))
    let right = try setkey("-nvc", input: "flush;spdadd 10.0.0.1[any] 10.1.0.0/16 4 -P in none;dump esp;")
    #expect(right.status == .exited(0) && right.err.isEmpty)
    #expect(right.out == "flush ;\nspdadd 10.0.0.1/32 10.1.0.0/16 ipv4 -P in none ;\ndump esp ;\n")
    // What was printed is read again.
    #expect(try setkey("-nvc", input: right.out).out == right.out)
  }

  @Test("without -n a daemon is needed", .timeLimit(.minutes(1)))
  func daemon() throws {
    for words in [["-D"], ["-DP"], ["-DPp"], ["-F"], ["-FP"], ["-x"], ["-c"], ["-f", "/nowhere"]] {
      let output = try setkey(words + ["--socket", scratch.file("none.sock")])
      #expect(output.status == .exited(1) && output.out.isEmpty)
      #expect(
        output.err
          == "swbpf: setkey: no daemon listens at \(scratch.file("none.sock")) (one is started with swbpf daemon, as root)\n"
      )
    }
  }

  @Test(
    "a command line that cannot be: a line, then the usage line", .timeLimit(.minutes(1)),
    arguments: [
      ([], "setkey takes -f FILE, -c, -D, -F or -x"), (["-n"], "setkey takes -f FILE, -c, -D, -F or -x"),
      (["-z"], "setkey: unknown option -z"), (["-nzf"], "setkey: unknown option -z"),
      (["-\u{1b}"], "setkey: unknown option -\\x1b"),
      (["-nf"], "setkey: option -f needs a value"), (["-c", "-D"], "setkey: -c and -D cannot be used together"),
      (["-nD"], "setkey: -n is for -f and -c"),
      (["ipsec.conf"], "setkey takes no word ipsec.conf (a file is named with -f)"),
      (["--nothing"], "setkey takes no word --nothing (a file is named with -f)"),
    ])
  func usage(_ words: [String], _ text: String) throws {
    let output = try setkey(words)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.err == "swbpf: \(text)\n\(SetkeyCommand.usage)\n")
  }

  @Test("files that cannot be read, or are too large, are one line", .timeLimit(.minutes(1)))
  func files() throws {
    let missing = try setkey("-n", "-f", "/nowhere/ipsec.conf")
    #expect(missing.status == .exited(1))
    #expect(missing.err == "swbpf: setkey: /nowhere/ipsec.conf: No such file or directory\n")
    let folder = try setkey("-n", "-f", scratch.path)
    #expect(folder.status == .exited(1) && folder.err == "swbpf: setkey: \(scratch.path): Is a directory\n")
    let endless = try setkey("-n", "-f", "/dev/zero")
    #expect(endless.status == .exited(1))
    #expect(endless.err == "swbpf: setkey: /dev/zero: more than 16 MiB of statements (make several files)\n")
    let noise = try setkey("-nc", input: String(repeating: "\u{1};", count: 100_000))
    #expect(noise.status == .exited(1) && noise.errorLines.count == 101)
    #expect(noise.errorLines[0] == "setkey: <stdin>:1:1: unexpected control character 0x01")
  }

  @Test("-h lists every option; completions and the manual know them", .timeLimit(.minutes(1)))
  func help() throws {
    let output = try setkey("-h")
    #expect(output.status == .exited(0) && output.err.isEmpty && output.out == SetkeyCommand.help)
    #expect(output.lines.allSatisfy { $0.count <= 100 })
    let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    let manual = try Child(["cat", root + "/man/swbpf.1"]).finish().out
    let section = try #require(manual.split(separator: ".Sh SETKEY\n").last?.split(separator: "\n.Sh ").first)
    let known = try #require(CompletionScript.subcommands.first { $0.name == "setkey" })
    for option in SetkeyOption.all {
      #expect(output.out.contains("\n  -\(option.letter)"))
      #expect(known.words.contains("-\(option.letter)"))
      #expect(section.contains("Fl \(option.letter)"), "-\(option.letter)")
    }
    #expect(known.words.contains("--noauth") && section.contains("Fl -noauth"))
  }
}
