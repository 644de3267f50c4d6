import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("The kernel refuses what an expression does not match", .needsNamespaces)
struct PushdownTests {
  let wire: Wire
  let scratch: Scratch
  let frames: NumberedFrames

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    frames = try NumberedFrames(wire)
  }

  @Test(
    "SWBPF_PUSHDOWN=0 keeps the expression out of the kernel; what is captured is the same", .timeLimit(.minutes(1)))
  func environment() throws {
    var files: [String] = []
    for value in ["0", "1"] {
      let file = scratch.file(value)
      let child = try wire.near.capture(
        ["-i", "va", "-s", "40", "-w", file, "ether proto 0x88b5 and outbound"],
        through: ["env", "SWBPF_PUSHDOWN=\(value)"])
      for number in 0..<UInt64(5) {
        try frames.send(number)
        try frames.sendBack(number)
      }
      let endpoint = try child.endpoint()
      #expect(eventually { endpoint.status?.number("captured") == 5 })
      #expect(endpoint.status?.number("offered") == (value == "0" ? 10 : 5))
      #expect(endpoint.status?.flag("kernel_filter") == (value == "1"))
      #expect(try child.stop().err.hasSuffix(counts(5)))
      files.append(file)
    }
    #expect(try NumberedFrames.numbers(in: files[0]) == [0, 1, 2, 3, 4])
    #expect(try NumberedFrames.numbers(in: files[1]) == [0, 1, 2, 3, 4])
    let wrong = try wire.near.run(["env", "SWBPF_PUSHDOWN=x", Tool.swbpf, "-i", "va", "-w", "/dev/null"])
    #expect(wrong.status == .exited(1) && wrong.err.contains("SWBPF_PUSHDOWN=x"))
  }

  @Test("a change that the kernel covers already makes no system call", .timeLimit(.minutes(1)), .needsTool("strace"))
  func covered() throws {
    let trace = scratch.file("trace")
    let child = try wire.near.capture(
      ["-i", "va", "-w", "/dev/null", "udp port 53 or tcp port 80"],
      through: ["strace", "-D", "-f", "-e", "trace=setsockopt", "-o", trace])
    func calls() -> Int {
      let lines = String(decoding: (try? scratch.bytes("trace")) ?? [], as: UTF8.self).split(separator: "\n")
      return lines.filter { $0.contains("FILTER") || $0.contains("PACKET_IGNORE_OUTGOING") }.count
    }
    #expect(eventually { calls() > 0 })
    // Another program: one call to let it through beside the old one, later one to be rid of that.
    let before = calls()
    #expect(try wire.near.swbpf(["filter", "arp"]).status == .exited(0))
    #expect(eventually { calls() == before + 2 })
    for _ in 0..<10 { #expect(try wire.near.swbpf(["filter", "arp"]).status == .exited(0)) }
    pause(0.1)
    #expect(calls() == before + 2)
    _ = try child.stop()
  }
}
