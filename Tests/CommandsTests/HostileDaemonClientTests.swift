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
    func held() throws -> String { try Self.held(by: daemon) }
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
    Self.judge(said)
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

  /// Descriptors and shared mappings.
  private static func held(by daemon: RunningDaemon) throws -> String {
    try Child(["sh", "-c", "ls /proc/\(daemon.child.pid)/fd | wc -l; grep -c swbpf- /proc/\(daemon.child.pid)/maps"])
      .finish().out
  }

  /// What the clients say of themselves.
  private static func judge(_ said: String) {
    func figure(_ name: String) -> Int {
      said.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix(name + "=") }
        .flatMap { Int($0.dropFirst(name.count + 1)) } ?? -1
    }
    #expect(figure("gained") == 0, "\(said)")
    #expect(figure("peers") > 0 && figure("peers") <= 64 && figure("bytes") <= 256 << 20, "\(said)")
    #expect(figure("connections") > 60 && figure("refused") > 0 && figure("answers") > 100, "\(said)")
  }

  @Test(
    "a hundred that may capture from an interface of the machine: whoever else does loses nothing, and one that is stopped only what is his",
    .timeLimit(.minutes(1)))
  func onAnInterface() throws {
    let shared = try SharedWire(config: "allow user 4711 capture va\nallow user 4712 capture va\n", isOpen: true)
    let good = try shared.capture(["-w", shared.file("good")])
    let user = try OtherUser(4712, in: shared.scratch)
    func another(_ words: [String]) throws -> Child {
      try user.capture(in: shared.wire.near, ["-i", "va"] + words, isPlain: true)
    }
    let (plain, stopped) = (
      try another(["-w", "/dev/null"]), try another(["-Q", "in", "-B", "64", "-w", "/dev/null"])
    )
    #expect(good.isShared && plain.isShared && stopped.isShared)
    let endpoint = try good.endpoint()
    let before = try Self.held(by: shared.daemon)
    let program = try CClient.compile("hostile", in: shared.scratch)
    let hostile = try shared.wire.near.start([program, "4711", shared.daemon.socket, "va", "capture"], input: .pipe)
    stopped.signal(SIGSTOP)
    let start = monotonicSeconds()
    var number: UInt64 = 0
    while monotonicSeconds() - start < 2.5 || number < 1500 {
      for _ in 0..<25 {
        try shared.frames.send(number)
        try shared.frames.sendBack(number)
        number += 1
      }
      let count = 2 * number
      guard eventually(within: 20, { endpoint.status?.number("captured") == count }) else { break }
    }
    let lines = try shared.daemon.asking { try $0.peerLines() }
    let own = lines.count { $0.contains("\tuser=4711\t") }
    #expect(own > 0 && own <= 64, "\(lines.count)")
    #expect(hostile.isRunning)
    hostile.closeInput()
    Self.judge(try hostile.finish().out)
    stopped.signal(SIGCONT)
    // Every frame of his is counted: as captured, or as dropped for want of room.
    let said = try stopped.stop().err
    let counted = said.split(separator: "\n").suffix(4).map { Int($0.prefix { $0 != " " }) ?? -1 }
    #expect(counted.count == 4 && counted[0] + counted[3] == Int(number) && counted[3] > 0, "\(number): \(said)")
    #expect(counted.dropFirst().prefix(2) == [Int(number), 0], "\(said)")
    #expect(try plain.stop().err.hasSuffix(counts(2 * Int(number))))
    #expect(try good.stop().err.hasSuffix(counts(2 * Int(number))))
    let numbers = try shared.numbers("good")
    #expect(numbers.filter { $0 & back == 0 } == Array(0..<number))
    #expect(numbers.filter { $0 & back != 0 } == (0..<number).map { $0 | back })
    var after = ""
    // The three captures have gone as well.
    let isGivenBack = try eventually(within: 10) {
      after = try Self.held(by: shared.daemon)
      return try shared.daemon.asking { try $0.peerLines() }.isEmpty && after <= before
    }
    #expect(isGivenBack, "\(before) \(after)")
    let output = try shared.daemon.end()
    #expect(output.status == .exited(0), "\(output.err.suffix(500))")
  }

  private static func withoutCounters(_ text: String) -> [Substring] {
    text.split(separator: "\n").filter { !$0.contains("packets") }
  }
}
