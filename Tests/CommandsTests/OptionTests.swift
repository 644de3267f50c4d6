import Glibc
import Testing

@testable import TestSupport

@Suite("Options of the command", .needsNamespaces)
struct OptionTests {
  let wire: Wire
  let scratch: Scratch
  let receiver: UDPReceiver
  let sender: UDPSender

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    receiver = try UDPReceiver(in: wire.far, port: 9)
    sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9, sourcePort: 40000)
  }

  var line: String { "IP 10.1.0.1.40000 > 10.1.0.2.9: UDP, length 64" }

  @Test("-c stops by itself; -s cuts; lines and the end are as tcpdump's", .timeLimit(.minutes(1)))
  func countAndSnap() throws {
    let child = try wire.far.capture(["-i", "vb", "-s96", "-c", "3", "-w", scratch.file("a.pcap"), "--print"])
    try sender.send(5)
    let output = try child.finish()
    #expect(output.status == .exited(0))
    #expect(output.lines.count == 3 && output.lines.allSatisfy { $0.hasSuffix(line) }, "\(output.out)")
    let seen = try packets(in: scratch.file("a.pcap"))
    #expect(seen.map(\.bytes.count) == [96, 96, 96] && seen.map(\.length) == [106, 106, 106])
    #expect(
      output.errorLines.first == "swbpf: listening on vb, link-type EN10MB (Ethernet), snapshot length 96 bytes")
    #expect(output.err.contains("\n3 packets captured\n"))
    let one = try wire.far.capture(["-c1", "-ni", "vb"])
    try sender.send(1)
    #expect(
      try one.finish().err == """
        listening on vb, link-type EN10MB (Ethernet), snapshot length 262144 bytes
        1 packet captured
        1 packet received by filter
        0 packets dropped by kernel

        """)
  }

  @Test("-w - and -r - make a pipeline", .timeLimit(.minutes(1)))
  func pipeline() throws {
    let script = "exec '\(Tool.swbpf)' -i vb -U -w - -c 5 2>/dev/null | '\(Tool.swbpf)' -r - 'port 9'"
    let child = try wire.far.start(["sh", "-c", script])
    // Nothing says when the first of them listens.
    var sent = 0
    while child.isRunning && sent < 2000 {
      try sender.send(1)
      sent += 1
      pause(0.01)
    }
    let output = try child.finish()
    #expect(output.lines.count == 5 && output.lines.allSatisfy { $0.hasSuffix(line) }, "\(output.out) \(output.err)")
    #expect(output.err == "reading from file -, link-type EN10MB (Ethernet), snapshot length 262144\n")
  }

  @Test("-U and USR2 bring packets into the file at once, -l lines into the pipe", .timeLimit(.minutes(1)))
  func buffering() throws {
    let atOnce = try wire.far.capture(["-i", "vb", "-U", "-w", scratch.file("u.pcap")])
    let late = try wire.far.capture(["-i", "vb", "-w", scratch.file("w.pcap")])
    let lines = try wire.far.capture(["-i", "vb", "-l"])
    try sender.send(1)
    let start = monotonicSeconds()
    #expect(lines.out.nextLine()?.hasSuffix(line) == true)
    let file = scratch.file("u.pcap")
    #expect(eventually { size(of: file) == 24 + 16 + 106 })
    #expect(monotonicSeconds() - start < 0.8)
    // By now the kernel has handed the block over to the other capture too.
    pause(0.05)
    late.signal(SIGUSR2)
    let flushed = scratch.file("w.pcap")
    #expect(eventually(within: 0.5) { size(of: flushed) == 24 + 16 + 106 })
    for child in [atOnce, late, lines] { #expect(try child.stop().status == .exited(0)) }
  }

  @Test("-e shows the link header", .timeLimit(.minutes(1)))
  func linkHeader() throws {
    let child = try wire.far.capture(["-nei", "vb", "-c1"])
    try sender.send(1)
    let text = try child.finish().out
    #expect(
      text.contains(
        "02:00:00:00:01:01 > 02:00:00:00:01:02, ethertype IPv4 (0x0800), length 106: 10.1.0.1.40000 > 10.1.0.2.9"),
      "\(text)")
  }

  @Test("-D, -L and -y tell and take what there is", .timeLimit(.minutes(1)))
  func listings() throws {
    let list = try wire.far.swbpf(["-D"])
    #expect(list.status == .exited(0))
    // Behind them come libpcap's other devices, which are this machine's.
    #expect(
      list.out.hasPrefix(
        """
        1.vb [Up, Running, Connected]
        2.lo [Up, Running, Loopback]
        3.any (Pseudo-device that captures on all interfaces) [Up, Running]

        """))
    let types = try wire.far.swbpf(["-L", "-i", "vb"])
    #expect(types.out == "Data link types for vb (use option -y to set):\n  EN10MB (Ethernet)\n")
    let byNumber = try wire.far.capture(["-i", "1", "-y", "EN10MB", "-w", scratch.file("a.pcap"), "-c1"])
    try sender.send(1)
    #expect(try byNumber.finish().err.contains("listening on vb,"))
    let other = try wire.far.swbpf(["-i", "vb", "-y", "RAW"])
    #expect(
      other.status == .exited(1) && other.errorLines.count == 1 && other.err.contains("has only EN10MB (Ethernet)"))
  }

  @Test("-F takes the expression from a file, without its comments", .timeLimit(.minutes(1)))
  func expressionFile() throws {
    let file = try scratch.file("filter", holding: Array("# datagrams\nudp and # only\nport 9\n".utf8))
    let child = try wire.far.capture(["-i", "vb", "-F", file, "-w", scratch.file("a.pcap")])
    try sender.send(2)
    try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 10).send(3)
    try child.stop()
    #expect(try packets(in: scratch.file("a.pcap")).count == 2)
  }

  @Test(
    "-Q and --see-sent choose the direction", .timeLimit(.minutes(1)),
    arguments: [
      (["-Qin"], 2, 0), (["-Q", "out"], 0, 3), (["--direction=inout"], 2, 3), (["--see-sent", "off"], 2, 0), ([], 2, 3),
    ])
  func direction(words: [String], received: Int, sent: Int) throws {
    let listener = try UDPReceiver(in: wire.near, port: 9)
    let child = try wire.far.capture(words + ["-i", "vb", "-w", scratch.file("a.pcap"), "udp"])
    try sender.send(2)
    try UDPSender(in: wire.far, to: wire.nearEnd.ipv4, port: 9).send(3)
    withExtendedLifetime(listener) {}
    #expect(try child.stop().err.hasSuffix(counts(received + sent)))
    let seen = try packets(in: scratch.file("a.pcap"))
    #expect(seen.filter { $0.bytes[5] == 2 }.count == received && seen.filter { $0.bytes[5] == 1 }.count == sent)
  }

  @Test(
    "-Z makes the file that user's and captures as that user", .timeLimit(.minutes(1)),
    .enabled(if: isTrueRoot, "needs root in the first user namespace"))
  func user() throws {
    chmod(scratch.path, 0o777)
    let child = try wire.far.capture(["-i", "vb", "-Z", "nobody", "-w", scratch.file("a.pcap")])
    let status = try wire.far.run(["cat", "/proc/\(child.pid)/status"]).out
    try sender.send(2)
    #expect(try child.stop().status == .exited(0))
    #expect(try numbers(in: scratch.file("a.pcap")) == [0, 1])
    let nobody = getpwnam("nobody")!.pointee.pw_uid
    var about = stat()
    stat(scratch.file("a.pcap"), &about)
    #expect(about.st_uid == nobody)
    #expect(status.contains("Uid:\t\(nobody)\t\(nobody)\t\(nobody)\t\(nobody)\n"))
    let wrong = try wire.far.swbpf(["-i", "vb", "-Z", "no-such-user", "-w", scratch.file("b.pcap")])
    #expect(wrong.status == .exited(1) && wrong.err == "swbpf: -Z no-such-user: no such user\n")
  }

  @Test("-Z of oneself works in a user namespace, where nobody may set groups", .timeLimit(.minutes(1)))
  func userInNamespace() throws {
    let child = try wire.far.capture(
      ["-i", "lo", "-Z", "root", "-w", scratch.file("a.pcap")], through: ["unshare", "-Urn"])
    #expect(try child.stop().status == .exited(0))
    #expect(size(of: scratch.file("a.pcap")) == 24)
  }

  @Test("promiscuous mode is on during a capture, not with -p", .timeLimit(.minutes(1)))
  func promiscuous() throws {
    for (words, promiscuity) in [([], "promiscuity 1 "), (["-p"], "promiscuity 0 ")] as [([String], String)] {
      let child = try wire.far.capture(words + ["-i", "vb", "-w", scratch.file("a.pcap")])
      #expect(try wire.far.ip("-d link show dev vb").contains(promiscuity))
      try child.stop()
      #expect(try wire.far.ip("-d link show dev vb").contains("promiscuity 0 "))
    }
  }

  @Test("several -i, merged in the order of stamps", .timeLimit(.minutes(1)))
  func several() throws {
    try Host.link(wire.near, "va2", wire.far, "vb2", net: 2)
    let other = try UDPSender(in: wire.near, to: "10.2.0.2", port: 9)
    let child = try wire.far.capture(["-i", "vb", "-i", "vb2", "-w", scratch.file("a.pcap"), "udp"])
    for _ in 0..<20 {
      try sender.send(1)
      try other.send(1)
    }
    #expect(try child.stop().err.hasSuffix(counts(40)))
    let seen = try packets(in: scratch.file("a.pcap"))
    #expect(seen.count == 40)
    #expect(
      seen.map { ($0.seconds, $0.nanoseconds) }.elementsEqual(
        seen.map { ($0.seconds, $0.nanoseconds) }.sorted { $0 < $1 }, by: ==))
    #expect(seen.filter { $0.bytes[4] == 2 }.count == 20)
    // The lines of a merge say where each packet was.
    let lines = try wire.far.capture(["-ni", "vb", "-i", "vb2", "-c2", "udp"])
    try sender.send(1)
    try other.send(1)
    let text = try lines.finish()
    #expect(text.lines.contains { $0.contains(" vb ") } && text.lines.contains { $0.contains(" vb2 ") }, "\(text.out)")
  }

  @Test("-i any, and more than eight interfaces on one ring", .timeLimit(.minutes(1)))
  func any() throws {
    for net in 2...9 as ClosedRange<UInt8> { try Host.link(wire.near, "va\(net)", wire.far, "vb\(net)", net: net) }
    let named = ["vb"] + (2...9).map { "vb\($0)" }
    let any = try wire.far.capture(["-i", "any", "-w", scratch.file("any.pcap"), "udp"])
    let nine = try wire.far.capture(named.flatMap { ["-i", $0] } + ["-w", scratch.file("nine.pcap"), "udp"])
    let eight = try wire.far.capture(
      named.dropLast().flatMap { ["-i", $0] } + ["-w", scratch.file("eight.pcap"), "udp"])
    #expect(any.err.text.contains("LINUX_SLL2") && nine.err.text.contains("LINUX_SLL2"))
    let rings = try wire.far.run([
      "sh", "-c", "for p in \(nine.pid) \(eight.pid); do grep -c socket: /proc/$p/maps; done",
    ])
    #expect(rings.out == "1\n8\n")
    for net in 1...9 { try UDPSender(in: wire.near, to: "10.\(net).0.2", port: 9).send(2) }
    try UDPSender(in: wire.far, to: "127.0.0.1", port: 9).send(2)
    #expect(try any.stop().err.hasSuffix(counts(20)))
    #expect(try nine.stop().err.hasSuffix(counts(18)))
    #expect(try eight.stop().err.hasSuffix(counts(16)))
    let indexes = Set(try packets(in: scratch.file("nine.pcap")).map { Array($0.bytes[4..<8]) })
    #expect(indexes.count == 9)
    #expect(try packets(in: scratch.file("any.pcap")).count == 20)
    let text = try wire.far.swbpf(["-r", scratch.file("any.pcap")])
    #expect(text.status == .exited(0) && text.lines.count == 20)
  }

  @Test("-h and --version answer on standard output", .timeLimit(.minutes(1)))
  func help() throws {
    let help = try wire.far.swbpf(["-h"])
    #expect(help.status == .exited(0) && help.err.isEmpty && help.out.contains("-w FILE"))
    // A terminal of 24 lines and 80 columns, the prompt included.
    #expect(help.lines.count <= 23 && help.lines.allSatisfy { $0.count <= 80 })
    #expect(help.lines.prefix(3).allSatisfy { $0.hasPrefix("swbpf -") })
    let version = try wire.far.swbpf(["--version"])
    #expect(version.status == .exited(0) && version.out.hasPrefix("swbpf ") && version.out.contains("libpcap version"))
  }
}

/// Whether other users exist for this process.
let isTrueRoot: Bool = {
  guard geteuid() == 0, let map = try? Child(["cat", "/proc/self/uid_map"]).finish().out else { return false }
  return map.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) } ?? 0 > 65534
}()

func size(of path: String) -> Int {
  var about = stat()
  return stat(path, &about) == 0 ? Int(about.st_size) : -1
}
