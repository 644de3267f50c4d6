// A hundred clients of the daemon that break its rules, of a user who may do nothing.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Hostile clients of the daemon", .needsNamespaces, .needsOtherUsers, .needsTool("cc"))
struct HostileDaemonClientTests {
  @Test("a hundred at half a core: limits hold, no right is gained, nothing is kept", .timeLimit(.minutes(1)))
  func hundred() throws {
    let tunnel = try TunnelWire(socket: nil)
    let daemon = tunnel.daemon
    func held() throws -> String {
      try Child(["sh", "-c", "ls /proc/\(daemon.child.pid)/fd | wc -l; grep -c swbpf- /proc/\(daemon.child.pid)/maps"])
        .finish().out
    }
    func state() throws -> [String] {
      try [["ifconfig", "-a"], ["sysctl", "net.inet.ip.gifttl"], ["setkey", "-DP"]].map {
        try tunnel.near.swbpf($0).out
      }
    }
    let good = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("good.pcap")])
    let endpoint = try good.endpoint()
    let (before, stateBefore) = (try held(), try state())
    let program = try CClient.compile("hostile", in: tunnel.scratch)
    let hostile = try tunnel.near.start([program, "4711", daemon.socket, "gif0"], input: .pipe)
    // Beside them the tunnel carries everything, and root is served.
    let start = monotonicSeconds()
    var number: UInt64 = 0
    while monotonicSeconds() - start < 2.5 || number < 500 {
      for _ in 0..<25 {
        try tunnel.sendBack(number)
        number += 1
      }
      let count = number
      guard eventually(within: 20, { endpoint.status?.number("captured") == count }) else { break }
    }
    #expect(eventually { (try? daemon.asking { try $0.interfaceNames() }) == ["gif0"] })
    // What one user may have at most, whatever he does.
    let lines = try daemon.asking { try $0.peerLines() }
    #expect(lines.count { $0.contains("\tuser=4711\t") } <= 64)
    #expect(hostile.isRunning)
    hostile.closeInput()
    let said = try hostile.finish().out
    func figure(_ name: String) -> Int {
      said.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix(name + "=") }
        .flatMap { Int($0.dropFirst(name.count + 1)) } ?? -1
    }
    #expect(figure("gained") == 0, "\(said)")
    #expect(figure("peers") > 0 && figure("peers") <= 64 && figure("bytes") <= 256 << 20, "\(said)")
    #expect(figure("connections") > 60 && figure("refused") > 0 && figure("answers") > 100, "\(said)")
    var after = ""
    let isGivenBack = try eventually(within: 10) {
      after = try held()
      return after == before
    }
    #expect(isGivenBack, "\(before) \(after)")
    #expect(try daemon.asking { try $0.peerLines() }.count == 1)
    #expect(try state().map { Self.withoutCounters($0) } == stateBefore.map { Self.withoutCounters($0) })
    let end = try good.stop()
    #expect(end.err.hasSuffix(counts(Int(number))), "\(number) sent: \(end.err)")
    #expect(try tunnel.numbers("good.pcap") == (0..<number).map { $0 | back })
    let output = try daemon.end()
    #expect(output.status == .exited(0), "\(output.err.suffix(500))")
  }

  private static func withoutCounters(_ text: String) -> [Substring] {
    text.split(separator: "\n").filter { !$0.contains("packets") }
  }
}
