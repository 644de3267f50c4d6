// Captures that stay while others of the same daemon come, go and die, on an interface of the machine.
import Glibc
import SwBPFDaemonClient
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("A storm of clients", .needsNamespaces, .needsTool("cc"))
struct DaemonStormTests {
  /// What a process has: descriptors, shared mappings, resident KiB, threads.
  private func held(_ pid: pid_t) throws -> [Int] {
    let script = """
      ls /proc/\(pid)/fd | wc -l; grep -c swbpf- /proc/\(pid)/maps
      grep -E '^(VmRSS|Threads)' /proc/\(pid)/status | grep -o '[0-9]*'
      """
    return try Child(["sh", "-c", script]).finish().lines.compactMap { Int($0) }
  }

  @Test(
    "who stays has every frame of either direction once while clients attach, detach and are killed; nothing is kept",
    .timeLimit(.minutes(5)))
  func storm() throws {
    let isLong = Tool.environment("SWBPF_LONG") == "1"
    let shared = try SharedWire()
    let all = try shared.capture(["-w", shared.file("all")])
    let received = try shared.capture(["-Q", "in", "-w", shared.file("in")])
    let some = try shared.capture([
      "--immediate-mode", "-w", shared.file("some"), "ether src \(shared.wire.nearEnd.macText)",
    ])
    let captures = [all, received, some]
    #expect(all.isShared && received.isShared && some.isShared)
    let endpoints = try captures.map { try $0.endpoint() }
    let daemon = shared.daemon.child.pid
    var sent: UInt64 = 0
    /// Frames go both ways while the storm lasts. - Returns: what it said.
    func storm(seconds: Double) throws -> String {
      let program = try CClient.compile("storm", in: shared.scratch)
      let clients = try shared.wire.near.start([program, "0", shared.daemon.socket, "va", "6"], input: .pipe)
      let start = monotonicSeconds()
      let first = sent
      var killed = 0
      while monotonicSeconds() - start < seconds || sent - first < 300 {
        for _ in 0..<20 {
          try shared.frames.send(sent)
          try shared.frames.sendBack(sent)
          sent += 1
        }
        let total = sent
        guard eventually(within: 30, { endpoints[0].status?.number("captured") == 2 * total }) else { break }
        if killed < 2 {
          // And a whole capture now and then.
          let other = try shared.capture(["-w", "/dev/null"])
          #expect(other.isShared)
          other.signal(SIGKILL)
          _ = try other.finish()
          killed += 1
        }
      }
      #expect(clients.isRunning)
      clients.closeInput()
      return try clients.finish(timeout: 60).out
    }
    // The first one warms caches.
    _ = try storm(seconds: 0.5)
    #expect(eventually { (try? shared.daemon.asking { try $0.peerLines() })?.count == 3 })
    let before = try held(daemon)
    let said = try storm(seconds: isLong ? 120 : 2)
    func figure(_ name: String) -> Int {
      said.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix(name + "=") }
        .flatMap { Int($0.dropFirst(name.count + 1)) } ?? -1
    }
    #expect(figure("failed") == 0 && figure("attached") > 50 && figure("killed") > 5, "\(said)")
    // A killed process is noticed a moment later; rings that were exchanged for readers in a hurry are exchanged back.
    var after: [Int] = []
    let isGivenBack = try eventually(within: 20) {
      after = try held(daemon)
      return before.count == 4 && after.prefix(2) == before.prefix(2) && after[3] <= before[3] + 2
    }
    #expect(isGivenBack, "\(before) \(after)")
    // Sanitizers keep what was freed.
    if Requirement.sanitizer == nil { #expect(after[2] - before[2] < 4096, "\(before) \(after)") }
    #expect(eventually { (try? shared.daemon.asking { try $0.peerLines() })?.count == 3 })
    // That of the captures, which is one.
    #expect(try eventually { try shared.wire.near.ip("-d -o link show dev va").contains("promiscuity 1 ") })
    let peers = try shared.daemon.swbpf("peers", "--json").out
    #expect(peers.ranges(of: "\"kernel_drops\":0").count == 3, "\(peers)")
    let counted = [2 * sent, sent, sent].map { Int($0) }
    for (child, count) in zip(captures, counted) {
      let output = try child.stop()
      #expect(output.status == .exited(0) && output.err.hasSuffix(counts(count)), "\(sent): \(output.err)")
    }
    #expect(try eventually { try shared.wire.near.ip("-d -o link show dev va").contains("promiscuity 0 ") })
    let (gone, come) = (Array(0..<sent), (0..<sent).map { $0 | back })
    #expect(try shared.numbers("all").filter { $0 & back == 0 } == gone)
    #expect(try shared.numbers("all").filter { $0 & back != 0 } == come)
    #expect(try shared.numbers("in") == come)
    #expect(try shared.numbers("some") == gone)
    let end = try shared.daemon.end()
    #expect(end.status == .exited(0), "\(end.err.suffix(500))")
  }
}
