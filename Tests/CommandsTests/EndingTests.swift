import Glibc
import Testing

@testable import TestSupport

@Suite("Signals, interfaces that go, outputs that end", .needsNamespaces)
struct EndingTests {
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

  @Test(
    "INT, TERM and HUP end a capture with counts and status 0", .timeLimit(.minutes(1)),
    arguments: [SIGINT, SIGTERM, SIGHUP])
  func ends(signal: CInt) throws {
    let child = try wire.far.capture(["-i", "vb", "-w", scratch.file("a.pcap")])
    try sender.send(1)
    let output = try child.stop(signal)
    #expect(output.status == .exited(0))
    #expect(output.err.hasSuffix(counts(1)))
    #expect(try numbers(in: scratch.file("a.pcap")) == [0])
  }

  @Test("HUP is ignored under nohup; USR1 says the counts and goes on", .timeLimit(.minutes(1)))
  func goesOn() throws {
    let child = try wire.far.capture(["-i", "vb", "-U", "-w", scratch.file("a.pcap")], through: ["nohup"])
    child.signal(SIGHUP)
    try sender.send(2)
    let file = scratch.file("a.pcap")
    #expect(eventually { size(of: file) == 24 + 2 * (16 + 106) })
    child.signal(SIGUSR1)
    #expect(child.err.waitFor("packets captured") == "2 packets captured")
    #expect(child.err.nextLine() == "2 packets received by filter")
    #expect(child.err.nextLine() == "0 packets dropped by kernel")
    try sender.send(1)
    #expect(child.isRunning)
    #expect(try child.stop().err.hasSuffix(counts(3)))
  }

  @Test(
    "a reader of standard output that goes away ends the capture", .timeLimit(.minutes(1)),
    arguments: ["-l", "-U -w -"])
  func brokenPipe(words: String) throws {
    let script = "'\(Tool.swbpf)' -i vb \(words) | head -c 10 >/dev/null; exit ${PIPESTATUS[0]}"
    let child = try wire.far.start(["bash", "-c", script])
    try #require(child.err.waitFor("listening on") != nil)
    while child.isRunning && sender.next < 300 {
      try sender.send(1)
      pause(0.02)
    }
    let output = try child.finish(timeout: 10)
    #expect(output.status == .exited(0))
    #expect(output.err.contains("received by filter"))
  }

  @Test("signals that come together, as timeout(1) sends them, are one: nothing is lost", .timeLimit(.minutes(1)))
  func signalsTogether() throws {
    // The pipe is full when the signals come, so the end takes until somebody reads.
    let ends = try openPipe()
    let child = try wire.far.capture(["-i", "vb", "-U", "-w", "-"], output: .descriptor(ends.writing))
    close(ends.writing)
    try sender.send(200, size: 1000)
    pause(0.2)
    child.signal(SIGINT)
    pause(0.2)
    child.signal(SIGTERM)
    pause(0.2)
    var (total, buffer) = (0, [UInt8](repeating: 0, count: 65536))
    while true {
      let count = read(ends.reading, &buffer, buffer.count)
      if count <= 0 { break }
      total += count
    }
    close(ends.reading)
    let output = try child.finish()
    #expect(output.status == .exited(0) && output.err.hasSuffix(counts(200)), "\(output.err)")
    #expect(total > 200 * (1000 + 16), "\(total)")
  }

  @Test("an output that takes nothing does not keep Ctrl-C from ending it", .timeLimit(.minutes(1)))
  func blockedPipe() throws {
    let ends = try openPipe()
    let child = try wire.far.capture(["-i", "vb", "-U", "-w", "-"], output: .descriptor(ends.writing))
    close(ends.writing)
    try sender.send(200, size: 1000)
    pause(0.2)
    let start = monotonicSeconds()
    let output = try child.stop(timeout: 10)
    #expect(monotonicSeconds() - start < 6)
    #expect(output.status == .exited(1))
    #expect(output.err.contains("200 packets received by filter"), "\(output.err)")
    close(ends.reading)
  }

  @Test("a deleted interface ends the capture: a message, the packets of before, status 1", .timeLimit(.minutes(1)))
  func deleted() throws {
    let child = try wire.far.capture(["-i", "vb", "-w", scratch.file("a.pcap")])
    try sender.send(5)
    try wire.near.ip("link del va")
    let output = try child.finish()
    #expect(output.status == .exited(1))
    #expect(output.err.contains("swbpf: vb: the interface went away\n"))
    #expect(output.err.hasSuffix(counts(5)))
    #expect(try numbers(in: scratch.file("a.pcap")) == Array(0..<5))
  }

  @Test("a renamed interface is followed; down and up are said", .timeLimit(.minutes(1)))
  func renamed() throws {
    let child = try wire.far.capture(["-i", "vb", "-w", scratch.file("a.pcap")])
    try sender.send(1)
    try wire.far.ip("link set vb down")
    #expect(child.err.waitFor("vb: the interface is down") != nil)
    try wire.far.ip("link set vb name vnew")
    #expect(child.err.waitFor("vb: renamed to vnew") != nil)
    try wire.far.ip("link set vnew up")
    #expect(child.err.waitFor("vnew: the interface is up") != nil)
    _ = try eventually { try wire.near.ip("link show dev va").contains("LOWER_UP") }
    try sender.send(2)
    #expect(try child.stop().status == .exited(0))
    #expect(try numbers(in: scratch.file("a.pcap")) == [0, 1, 2])
  }

  @Test("--persist waits for the interface, at the start and when it goes away", .timeLimit(.minutes(1)))
  func persist() throws {
    try wire.near.ip("link del va")
    let child = try wire.far.capture(["-i", "vb", "--persist", "-w", scratch.file("a.pcap")], saying: "waiting for it")
    for round in 0..<3 as Range<UInt64> {
      try Host.link(wire.near, "va", wire.far, "vb")
      #expect(child.err.waitFor(round == 0 ? "listening on" : "is there again") != nil)
      let sender = try UDPSender(in: wire.near, to: "10.1.0.2", port: 9)
      try sender.send(3)
      if round < 2 {
        try wire.near.ip("link del va")
        #expect(child.err.waitFor("went away, waiting for it") != nil)
      }
    }
    let output = try child.stop()
    #expect(output.status == .exited(0), "\(output.err)")
    #expect(try numbers(in: scratch.file("a.pcap")) == [0, 1, 2, 0, 1, 2, 0, 1, 2])
    // Ctrl-C while it waits.
    let waiting = try wire.far.capture(["-i", "never", "--persist"], saying: "waiting for it")
    #expect(try waiting.stop(timeout: 5).status == .exited(0))
  }

  @Test("a capture holds no capability on any thread", .timeLimit(.minutes(1)))
  func capabilities() throws {
    let child = try wire.far.capture(["-i", "vb", "-w", scratch.file("a.pcap")])
    let status = try wire.far.run(["sh", "-c", "cat /proc/\(child.pid)/task/*/status"]).out.split(separator: "\n")
    let held = status.filter { $0.hasPrefix("CapEff:") || $0.hasPrefix("CapPrm:") || $0.hasPrefix("CapAmb:") }
    #expect(held.count >= 9)
    #expect(held.allSatisfy { $0.hasSuffix("\t0000000000000000") }, "\(held)")
    try sender.send(3)
    try child.stop()
    #expect(try numbers(in: scratch.file("a.pcap")) == [0, 1, 2])
  }

  @Test("a capture works in a user namespace of its own", .timeLimit(.minutes(1)), .needsTool("unshare"))
  func userNamespace() throws {
    let script = """
      ip link set lo up
      '\(Tool.swbpf)' -i lo -c 2 -w '\(scratch.file("a.pcap"))' udp & 
      for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; echo x > /dev/udp/127.0.0.1/9; done
      wait $!
      """
    let output = try wire.far.run(["unshare", "-Urn", "bash", "-c", script])
    #expect(output.status == .exited(0), "\(output.err)")
    #expect(output.err.contains("2 packets captured"))
    #expect(try packets(in: scratch.file("a.pcap")).count == 2)
  }
}
