import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Keys at a terminal", .needsNamespaces, .needsTool("setsid"))
struct KeyTests {
  let wire: Wire
  let scratch: Scratch
  let frames: NumberedFrames

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    frames = try NumberedFrames(wire)
  }

  /// A shell with job control that leaves line editing to the terminal.
  private func shell() throws -> Pty {
    let pty = try Pty(
      in: wire.near, ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment: ["PS1": "ready> "])
    guard pty.screen.waitForText("ready> ") else { throw SupportError.timeout(["bash"], seconds: 10) }
    return pty
  }

  /// The process number that the shell gave its last background job.
  private func job(_ pty: Pty) throws -> pid_t {
    try pty.type("echo job=$!.\n")
    var found: pid_t?
    _ = eventually {
      let text = pty.screen.text
      guard let start = text.ranges(of: "job=").last(where: { text[$0.upperBound...].first?.isNumber == true }) else {
        return false
      }
      found = pid_t(text[start.upperBound...].prefix { $0.isNumber })
      return found != nil
    }
    return try #require(found)
  }

  private func state(of pid: pid_t) -> String {
    Processes.read("/proc/\(pid)/stat")?.split(separator: ")").last.map { String($0.dropFirst().prefix(1)) } ?? "gone"
  }

  @Test("a key's effect shows in the next line", .timeLimit(.minutes(1)))
  func effects() throws {
    let pty = try Pty(in: wire.near, [Tool.swbpf, "-i", "va", "-e"])
    #expect(pty.screen.waitFor("listening on") != nil)
    #expect(pty.screen.waitFor("keys: s see-sent, d direction, p statistics, f filter, q quit") != nil)
    #expect(eventually { !pty.isCooked })
    let (sent, received) = ("\(wire.nearEnd.macText) >", "\(wire.farEnd.macText) >")
    func next() -> String? { pty.screen.waitFor("ethertype") }
    func press(_ keys: String, says word: String) throws {
      try pty.type(keys)
      #expect(pty.screen.waitFor("swbpf: ")?.contains(word) == true)
    }
    try frames.send(1)
    #expect(next()?.contains(sent) == true)
    try press("s", says: "see-sent off (direction in)")
    try frames.send(2)
    try frames.sendBack(2)
    #expect(next()?.contains(received) == true)
    try press("d", says: "see-sent on (direction out)")
    try frames.sendBack(3)
    try frames.send(3)
    #expect(next()?.contains(sent) == true)
    try press("d", says: "see-sent on (direction inout)")
    try frames.sendBack(4)
    #expect(next()?.contains(received) == true)
    // An arrow key is no key of ours, though letters are in it.
    try pty.type("\u{1b}[D\u{1b}Os")
    pause(0.2)
    try frames.send(5)
    #expect(next()?.contains(sent) == true)

    // A filter: a wrong one, one, none; then given up.
    try pty.type("f")
    #expect(eventually { pty.isCooked })
    try pty.type("ether srrc 1\n")
    #expect(pty.screen.waitFor("cannot compile")?.contains("as before: no filter") == true)
    #expect(eventually { !pty.isCooked })
    // No line comes into what is typed; those that waited follow.
    try pty.type("f")
    #expect(eventually { pty.isCooked })
    try pty.type("ether ")
    try frames.send(6)
    pause(0.3)
    #expect(pty.screen.text.hasSuffix("filter: ether "), "\(pty.screen.text)")
    try pty.type("proto 0x88b5\n")
    #expect(pty.screen.waitFor("swbpf: filter ether proto 0x88b5") != nil)
    #expect(next()?.contains(sent) == true)
    // Typed ahead in one go; edited with the terminal's own erase key.
    try pty.type("fether src \(wire.farEnd.macText)\n")
    #expect(pty.screen.waitFor("swbpf: filter ether src \(wire.farEnd.macText)") != nil)
    try frames.send(7)
    try frames.sendBack(7)
    #expect(next()?.contains(received) == true)
    try pty.type("f")
    #expect(eventually { pty.isCooked })
    try pty.type("arpx\u{7f}\n")
    #expect(pty.screen.waitFor("swbpf: filter")?.hasSuffix("swbpf: filter arp\r") == true)
    try pty.type("f")
    #expect(eventually { pty.isCooked })
    try pty.type("\u{4}")
    #expect(pty.screen.waitFor("as before: filter arp") != nil)
    try pty.type("f")
    #expect(eventually { pty.isCooked })
    try pty.type("\n")
    #expect(pty.screen.waitFor("swbpf: no filter") != nil)
    try frames.send(8)
    #expect(next()?.contains(sent) == true)
    try pty.type("p")
    #expect(pty.screen.waitFor("packets captured")?.hasPrefix("8 packets captured") == true)
    #expect(pty.screen.nextLine()?.hasPrefix("8 packets received by filter") == true)
    try pty.type("q")
    let output = try pty.child.finish()
    #expect(output.status == .exited(0))
    #expect(pty.isCooked)
  }

  @Test(
    "the terminal is as it was after the end, whatever ends it", .timeLimit(.minutes(1)),
    arguments: ["q", "\u{3}", "\u{1c}"])
  func restored(key: String) throws {
    let pty = try Pty(in: wire.near, [Tool.swbpf, "-i", "va"])
    let before = pty.settings
    #expect(pty.screen.waitFor("keys:") != nil)
    #expect(eventually { !pty.isCooked })
    try pty.type(key)
    #expect(pty.child.wait(timeout: 10) == (key == "\u{1c}" ? .signaled(SIGQUIT) : .exited(0)))
    #expect(pty.settings == before)
  }

  @Test(
    "a crash gives the terminal back: a signal from outside, a fault in any thread", .timeLimit(.minutes(1)),
    .needsTool("python3"), arguments: [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS],
    ["swbpf", "swbpf-ring", "swbpf-consumer"])
  func crash(signal: CInt, thread: String) throws {
    // A sanitizer would take these signals for itself.
    let left = "handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigtrap=0:handle_abort=0"
    let pty = try Pty(
      in: wire.near, [Tool.swbpf, "-i", "va"], environment: ["SWIFT_BACKTRACE": "enable=no", "ASAN_OPTIONS": left])
    let before = pty.settings
    #expect(pty.screen.waitFor("keys:") != nil)
    #expect(eventually { !pty.isCooked })
    let script = """
      import ctypes, os, platform, time
      base = "/proc/\(pty.child.pid)/task/"
      tid = None
      while tid is None:
          for t in os.listdir(base):
              if open(base + t + "/comm").read().strip() == "\(thread)": tid = t
          time.sleep(0.01)
      tgkill = 234 if platform.machine() == "x86_64" else 131
      assert ctypes.CDLL(None).syscall(tgkill, \(pty.child.pid), int(tid), \(signal)) == 0
      """
    let output = try wire.near.run(["python3", "-c", script])
    #expect(output.status == .exited(0), "\(output.err)")
    #expect(pty.child.wait(timeout: 20) == .signaled(signal))
    #expect(pty.settings == before)
  }

  @Test(
    "in the background it reads no keys, changes nothing at the terminal and is never stopped", .timeLimit(.minutes(1)))
  func background() throws {
    let pty = try shell()
    let before = pty.settings
    try pty.type("stty tostop; '\(Tool.swbpf)' -i va -l &\n")
    #expect(pty.screen.waitForText("listening on"))
    let pid = try job(pty)
    try frames.send(1)
    #expect(pty.screen.waitForText("ethertype Unknown (0x88b5)"))
    try pty.type("ssss\n")
    pause(0.3)
    #expect(state(of: pid) == "S")
    #expect(!pty.screen.text.contains("keys:") && !pty.screen.text.contains("see-sent off"))
    // It ends while it is in the background: the terminal is the shell's.
    try pty.type("stty -tostop; kill %1; wait\n")
    #expect(pty.screen.waitForText("received by filter"))
    #expect(eventually { state(of: pid) == "gone" })
    #expect(pty.settings == before)
  }

  @Test(
    "before a pipe it leaves the terminal alone", .timeLimit(.minutes(1)), .needsTool("less"),
    arguments: ["less", "cat"])
  func pipe(pager: String) throws {
    let pty = try shell()
    let before = pty.settings
    try pty.type("'\(Tool.swbpf)' -i va -l | \(pager == "less" ? "TERM=vt100 less" : "cat")\n")
    #expect(pty.screen.waitForText("listening on"))
    if pager == "cat" {
      #expect(pty.settings == before)
      try pty.type("s")
      pause(0.2)
      try frames.send(1)
      #expect(pty.screen.waitForText("ethertype Unknown"))
      try pty.type("\u{3}")
    } else {
      try frames.send(1)
      #expect(eventually { !pty.isCooked })
      try pty.type("q")
      // It hears that nobody reads when it writes.
      _ = eventually {
        try? frames.send(2)
        return pty.settings == before
      }
    }
    #expect(pty.screen.waitForText("received by filter"))
    try pty.type("echo again\n")
    #expect(pty.screen.waitForText("again\r\nready> "))
    #expect(!pty.screen.text.contains("keys:") && !pty.screen.text.contains("see-sent"))
    #expect(pty.settings == before)
  }

  @Test("Ctrl-Z gives the terminal back and stops, fg takes it again, bg does not", .timeLimit(.minutes(1)))
  func stopping() throws {
    let pty = try shell()
    let before = pty.settings
    try pty.type("'\(Tool.swbpf)' -i va -l\n")
    #expect(pty.screen.waitForText("keys:"))
    #expect(eventually { !pty.isCooked })
    for _ in 0..<2 {
      try pty.type("\u{1a}")
      #expect(pty.screen.waitForText("Stopped"))
      #expect(pty.screen.waitForText("ready> "))
      #expect(pty.settings == before)
      try pty.type("fg\n")
      #expect(eventually { !pty.isCooked })
      try pty.type("s")
      #expect(pty.screen.waitForText("swbpf: see-sent"))
    }
    // While it asks for a filter.
    try pty.type("f")
    #expect(pty.screen.waitForText("filter: "))
    try pty.type("tcp\u{1a}")
    #expect(pty.screen.waitForText("Stopped"))
    #expect(pty.screen.waitForText("ready> "))
    #expect(pty.settings == before)
    try pty.type("bg\n")
    try frames.send(1)
    #expect(pty.screen.waitForText("ethertype Unknown"))
    #expect(pty.settings == before)
    try pty.type("kill %1; wait; echo over\n")
    #expect(pty.screen.waitForText("received by filter"))
    #expect(pty.screen.waitForText("over\r\n"))
    #expect(pty.settings == before)
  }

  @Test("--no-keys leaves the terminal alone", .timeLimit(.minutes(1)))
  func noKeys() throws {
    let pty = try Pty(in: wire.near, [Tool.swbpf, "-i", "va", "--no-keys"])
    #expect(pty.screen.waitFor("listening on") != nil)
    pause(0.2)
    #expect(pty.isCooked)
    try pty.type("s\n")
    pause(0.2)
    try pty.type("\u{3}")
    #expect(try pty.child.finish().status == .exited(0))
    #expect(!pty.screen.text.contains("keys:") && !pty.screen.text.contains("see-sent"))
  }
}
