import Glibc
import Testing

@testable import TestSupport

@Suite("--color", .needsNamespaces)
struct ColorTests {
  let wire: Wire
  let scratch: Scratch

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    let child = try wire.far.capture(["-i", "vb", "-c9", "-w", scratch.file("a.pcap"), "udp"])
    try UDPSender(in: wire.near, to: "10.1.0.2", port: 9).send(9)
    try child.finish()
  }

  private func stripped(_ text: String) -> String { text.replacing(/\u{1b}\[[0-9]+m/, with: "") }

  @Test("always paints, never and auto into a pipe do not; the text is the same", .timeLimit(.minutes(1)))
  func pipe() throws {
    let file = scratch.file("a.pcap")
    let plain = try wire.far.swbpf(["-r", file, "--color", "never"]).out
    let painted = try wire.far.swbpf(["-r", file, "--color=always"]).out
    #expect(plain.contains("IP 10.1.0.1.") && !plain.contains("\u{1b}"))
    #expect(painted.contains("\u{1b}[36m10.1.0.2.9\u{1b}[0m") && stripped(painted) == plain)
    #expect(try wire.far.swbpf(["-r", file, "--color=auto"]).out == plain)
    #expect(try wire.far.swbpf(["-r", file]).out == plain)
    #expect(!(try wire.far.swbpf(["-r", file, "--color=always", "--json"]).out.contains("\u{1b}")))
  }

  @Test(
    "on a terminal auto paints, unless the environment says no", .timeLimit(.minutes(1)), .needsTool("python3"),
    arguments: [
      ("TERM=xterm", true), ("TERM=xterm NO_COLOR=", true), ("TERM=xterm NO_COLOR=0", false), ("TERM=dumb", false),
      ("TERM=", false), ("TERM=dumb NO_COLOR=1 --color=always", true), ("TERM=xterm --color=never", false),
    ])
  func terminal(_ words: String, _ isPainted: Bool) throws {
    let script = """
      import os, pty, sys
      pid, terminal = pty.fork()
      if pid == 0: os.execvp("env", ["env", "-u", "NO_COLOR"] + sys.argv[1:])
      while True:
          try: data = os.read(terminal, 65536)
          except OSError: break
          if not data: break
          os.write(1, data)
      os.waitpid(pid, 0)
      """
    let parts = words.split(separator: " ").map(String.init)
    let flags = parts.filter { $0.hasPrefix("--") }
    let settings = parts.filter { $0.contains("=") && !$0.hasPrefix("--") }
    let output = try wire.far.run(
      ["python3", "-c", script] + settings + [Tool.swbpf, "-r", scratch.file("a.pcap")] + flags)
    #expect(output.out.contains("\u{1b}[2m") == isPainted, "\(output.out)")
    let plain = try wire.far.swbpf(["-r", scratch.file("a.pcap")]).out
    #expect(stripped(output.out).replacing("\r\n", with: "\n").hasSuffix(plain))
  }

  @Test("other words are a mistake", .timeLimit(.minutes(1)))
  func mistake() throws {
    let output = try wire.far.swbpf(["-r", scratch.file("a.pcap"), "--color=red"])
    #expect(output.status == .exited(1))
    #expect(output.err.hasPrefix("swbpf: --color takes auto, always or never, not red\n"))
  }
}
