import Glibc
import Testing

@testable import SwBPFCommands
@testable import SwBPFStress
@testable import TestSupport

@Suite("swbpf stress", .needsNamespaces)
struct StressCommandTests {
  let host: Host

  init() throws { host = try Host("user") }

  private let short = ["stress", "--self", "--seconds", "0.5", "--rate", "5000"]

  @Test("--self: every check held, in plain lines, exit 0", .timeLimit(.minutes(1)))
  func held() throws {
    let output = try host.swbpf(["stress", "--seconds", "1.6", "--rate", "5000", "--seed", "3"])
    #expect(output.status == .exited(0) && output.err.isEmpty, "\(output)")
    let lines = output.lines
    #expect(lines.first == "stress on cables of its own, seed 3; Ctrl-C ends it")
    #expect(lines.dropFirst().first?.contains(" frames/s  ") == true && lines.last == "every check held")
    #expect(lines.filter { $0.hasPrefix("held  ") }.count == StressCheck.allCases.count - 1)
    #expect(!output.out.contains("\u{1b}"))
    // Its interfaces were in a namespace of its own.
    #expect(try !host.ip("link show").contains("stress0"))
  }

  @Test("--json prints one object and nothing else", .timeLimit(.minutes(1)), .needsTool("python3"))
  func json() throws {
    let output = try host.swbpf(short + ["--json"])
    #expect(output.status == .exited(0) && output.lines.count == 1, "\(output)")
    let script = """
      import json, sys
      o = json.load(sys.stdin)
      for name in ('held', 'ended', 'interrupted'): assert isinstance(o[name], bool), name
      for name in ('seconds', 'seed', 'peers', 'threads', 'sent', 'ring', 'cycles', 'pauses', 'longest_pass_ns'): o[name] + 0
      assert len(o['seen']) == 3 and set(o['lost']) == {'ring', 'slots', 'cable', 'down', 'unsure'}
      for name in ('attach_ns', 'detach_ns'): assert set(o[name]) == {'count', 'p50', 'p99', 'p99.9', 'max'}
      assert all(check == {'held': True} for check in o['checks'].values()) and len(o['checks']) == 9
      """
    let judge = try host.run(["python3", "-c", script], input: output.out)
    #expect(judge.status == .exited(0), "\(judge.err)")
  }

  @Test("--model 2006 counts what the old design would have done and exits 1", .timeLimit(.minutes(1)))
  func model() throws {
    let output = try host.swbpf(short + ["--model", "2006", "--mix", "delete"])
    #expect(output.status == .exited(1))
    let line = output.lines.first { $0.hasPrefix("model 2006 ") }
    #expect(line?.contains("would have used a nil pointer") == true, "\(output)")
    #expect(output.lines.last == "every check of swbpf held; the exit status is that of the model: 1")
  }

  @Test("Ctrl-C ends it with the summary", .timeLimit(.minutes(1)))
  func interrupt() throws {
    let child = try host.start([Tool.swbpf, "stress", "--seconds", "60", "--rate", "5000"])
    #expect(child.out.waitFor("frames/s") != nil)
    let output = try child.stop()
    #expect(output.status == .exited(0), "\(output)")
    #expect(output.out.contains(", interrupted\n") && output.lines.last == "every check held until it was interrupted")
  }

  @Test("at a terminal: a panel with a chart, then the summary in its place", .timeLimit(.minutes(1)))
  func panel() throws {
    let terminal = try Pty(
      in: host, [Tool.swbpf, "stress", "--seconds", "60", "--rate", "5000"], environment: ["TERM": "xterm"])
    for text in ["cycles   ", "█", "detach   p50 ", "lost     ring ", "checks   all hold so far", "\u{1b}[9A\u{1b}[J"] {
      #expect(terminal.screen.waitForText(text), "\(text) in \(terminal.screen.text)")
    }
    try terminal.type("\u{3}")
    #expect(terminal.screen.waitForText("\u{1b}[?25h"))
    #expect(terminal.screen.waitForText("every check held until it was interrupted"))
    #expect(try terminal.child.finish().status == .exited(0))
  }

  @Test(
    "what cannot be is one line and the usage", .timeLimit(.minutes(1)),
    arguments: [
      (["-i", "lo", "--self"], "stress takes -i or --self, not both"),
      (["-i", "lo", "--rate", "max"], "with -i nothing is sent: --rate needs --self"),
      (["-i", "lo", "--model", "2006"], "the model needs frames of its own: --model needs --self"),
      (["-i", "lo", "--mix", "read,down"], "--mix down needs --self: it disturbs others"),
      (["-i", "any"], "stress takes one interface, not any"),
      (["--seconds", "1", "--cycles", "1"], "stress ends after --seconds or after --cycles, not both"),
      (["--seconds", "0"], "--seconds takes a number from above 0 to 1000000"),
      (["--cycles", "0"], "--cycles takes a number above 0"),
      (["--peers", "0"], "--peers takes a number from 1 to 4096"),
      (["--peers", "2", "--threads", "3"], "--threads 3 needs at least as many --peers"),
      (["--rate", "fast"], "--rate takes packets per second from 100 to 10000000, or max"),
      (["--mix", "read,,poll"], "--mix does not know ; it takes a list of attach,move"),
      (["--model", "2007"], "there is one model: --model 2006"),
    ])
  func usage(_ words: [String], _ text: String) throws {
    let output = try host.swbpf(["stress"] + words)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.err.hasPrefix("swbpf: \(text)"), "\(output.err)")
    #expect(output.err.contains("\nUsage: swbpf stress [-i IF | --self] "))
  }

  @Test("an interface that is not there, one that goes, and one without traffic", .timeLimit(.minutes(1)))
  func interfaces() throws {
    let none = try host.swbpf(["stress", "-i", "nope"])
    #expect(none.status == .exited(1) && none.err == "swbpf: nope: no such interface (try swbpf -D)\n")
    let silent = try host.swbpf(["stress", "-i", "lo", "--seconds", "0.3"])
    #expect(silent.status == .exited(1) && silent.out.contains("no frame came"), "\(silent)")
    try host.ip("link add va type veth peer name vb")
    try host.ip("link set va up")
    try host.ip("link set vb up")
    let child = try host.start([Tool.swbpf, "stress", "-i", "va", "--seconds", "30"])
    #expect(child.out.waitFor("frames/s") != nil)
    try host.ip("link del va")
    let output = try child.finish()
    #expect(output.status == .exited(1) && output.out.contains("went away"), "\(output)")
    #expect(output.lines.last == "the run did not reach its end: nothing is claimed beyond the above")
  }

  @Test("without rights: one line with the way out", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func rights() throws {
    let output = try host.run([
      "setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", Tool.swbpf, "stress", "-i", "lo",
    ])
    #expect(output.status == .exited(1) && output.errorLines.count == 1)
    #expect(output.err.hasPrefix("swbpf: lo: no permission to capture"), "\(output.err)")
    #expect(output.err.contains("stress -i lo"))
    // No user namespaces, and no right to make another one.
    let script =
      "echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "
    let refused = try host.run(["unshare", "-Ur", "sh", "-c", script + "'\(Tool.swbpf)' stress --seconds 1"])
    #expect(refused.status == .exited(1) && refused.errorLines.count == 1, "\(refused)")
    #expect(
      refused.err.hasPrefix("swbpf: stress: this machine lets you make no namespace of your own ("), "\(refused.err)")
  }

  @Test("-i: no thread has a capability while it runs", .timeLimit(.minutes(1)))
  func capabilities() throws {
    let child = try host.start([Tool.swbpf, "stress", "-i", "lo", "--seconds", "30"])
    #expect(child.out.waitFor("frames/s") != nil)
    let status = try host.run(["sh", "-c", "cat /proc/\(child.pid)/task/*/status; ping -q -c 3 -i 0.01 127.0.0.1"]).out
    let held = status.split(separator: "\n").filter { $0.hasPrefix("CapEff:") || $0.hasPrefix("CapPrm:") }
    #expect(held.count >= 12 && held.allSatisfy { $0.hasSuffix("\t0000000000000000") }, "\(held)")
    let output = try child.stop()
    #expect(output.lines.contains { $0.hasPrefix("held  ") } && !output.out.contains("socket:"), "\(output)")
  }

  @Test(
    "no memory for the stack of a thread: one line, and a clear end", .timeLimit(.minutes(1)), .needsTool("prlimit"))
  func threads() throws {
    // A thread's stack is as large as the limit of the first one's: more than there are addresses.
    let output = try host.run(["prlimit", "--stack=\(200 << 40)", Tool.swbpf, "stress", "--seconds", "2"])
    #expect(output.status == .exited(1) && output.out.isEmpty && output.errorLines.count == 1, "\(output)")
    #expect(output.err.hasPrefix("swbpf: stress: pthread_create: "), "\(output)")
  }

  @Test(
    "no memory for rings, slots or threads: it ends and says so, and never that everything held",
    .timeLimit(.minutes(1)),
    .needsTool("prlimit"))
  func memory() throws {
    // The shadow memory of a sanitizer alone is more than any such limit: nothing starts.
    let limits = Requirement.sanitizer == nil ? [120, 160, 200, 300] : [120]
    var said = 0
    for megabytes in limits {
      let child = try host.start([
        "prlimit", "--as=\(megabytes << 20)", Tool.swbpf, "stress", "--peers", "64", "--seconds", "1",
      ])
      let output = try child.finish(timeout: 20)
      #expect(output.status != .exited(0) || output.lines.last == "every check held", "\(megabytes): \(output)")
      let words = ["not enough memory", "starting a thread", "did not reach its end"]
      if words.contains(where: (output.err + output.out).contains) { said += 1 }
    }
    #expect(said > 0 || Requirement.sanitizer != nil)
  }

  @Test("-h explains the options")
  func help() throws {
    let output = try Child([Tool.swbpf, "stress", "-h"]).finish()
    #expect(output.status == .exited(0) && output.err.isEmpty)
    for word in CompletionScript.subcommands.first(where: { $0.name == "stress" })?.words ?? [] {
      #expect(output.out.contains(word))
    }
    #expect(output.out.split(separator: "\n").allSatisfy { $0.count <= 110 })
  }
}

@Suite("What swbpf stress shows")
struct StressDisplayTests {
  @Test("the chart is as high as the largest value")
  func chart() {
    #expect(StressDisplay.chart([0, 1, 4, 8]) == "▁▂▅█")
    #expect(StressDisplay.chart([0, 0]).isEmpty && StressDisplay.chart([]).isEmpty)
  }

  @Test("a broken check is in the panel, in the summary, in JSON, and in the exit status")
  func broken() {
    var reading = StressReading()
    reading.broken[.frames] = .init(count: 3, example: "a witness saw frame 7 after 9")
    let report = StressReport(plan: StressPlan(), reading: reading, isInterrupted: false)
    #expect(report.exitStatus == 1)
    #expect(
      StressDisplay.panel(reading, frames: 1, cycles: 1, history: []).last
        == "checks   BROKEN: a witness saw frame 7 after 9")
    let text = StressSummary.text(report)
    #expect(text.contains("BROKEN      \(StressCheck.frames.rawValue): a witness saw frame 7 after 9 (3 times)\n"))
    #expect(text.hasSuffix("NOT HELD: 1 checks are broken\n"))
    #expect(
      StressSummary.json(report).contains(
        #""frames":{"held":false,"count":3,"example":"a witness saw frame 7 after 9"}"#))
  }

  @Test("numbers and times as people read them")
  func words() {
    #expect(["0", "999", "1,000", "1,234,567"] == [0, 999, 1000, 1_234_567].map(StressSummary.grouped))
    #expect(
      ["1.0 us", "9.9 us", "12 us", "1.5 ms", "2.0 s"]
        == [1000, 9900, 12_000, 1_500_000, 2_000_000_000].map(StressSummary.time))
  }
}
