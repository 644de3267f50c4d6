import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("A running capture is changed and shown by another process", .needsNamespaces)
struct ControlTests {
  let wire: Wire
  let scratch: Scratch
  let frames: NumberedFrames

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    frames = try NumberedFrames(wire)
  }

  @Test("see-sent, direction and filter take effect before the command returns", .timeLimit(.minutes(1)))
  func changes() throws {
    let file = scratch.file("a.pcap")
    let child = try wire.near.capture(["-i", "va", "-U", "-w", file])
    let endpoint = try child.endpoint()
    var captured: UInt64 = 0
    func round(_ number: UInt64, shows count: UInt64) throws {
      try frames.send(number)
      try frames.sendBack(number)
      captured += count
      // What is still in the ring at a change may be judged by the new setting.
      #expect(eventually { endpoint.status?.number("captured") == captured })
      pause(0.1)
    }
    func run(_ words: String, says text: String) throws {
      let output = try wire.near.swbpf(words.split(separator: " ").map(String.init))
      #expect(output.status == .exited(0), "\(output.err)")
      #expect(output.out == "\(child.pid): \(text)\n")
    }
    try round(0, shows: 2)
    try run("see-sent off", says: "see-sent off (direction in)")
    try round(1, shows: 1)
    try run("see-sent toggle --pid \(child.pid)", says: "see-sent on (direction inout)")
    try round(2, shows: 2)
    try run("direction out", says: "see-sent on (direction out)")
    try round(3, shows: 1)
    try run("direction --pid=\(child.pid) INOUT", says: "see-sent on (direction inout)")
    try run("filter ether src \(wire.farEnd.macText)", says: "filter ether src \(wire.farEnd.macText)")
    try round(4, shows: 1)
    let wrong = try wire.near.swbpf(["filter", "tcp", "prot", "80"])
    #expect(wrong.status == .exited(1) && wrong.out.isEmpty)
    #expect(wrong.err.contains("cannot compile the filter expression \u{201c}tcp prot 80\u{201d}: "), "\(wrong.err)")
    try round(5, shows: 1)
    try run("filter", says: "no filter")
    try round(6, shows: 2)
    let output = try child.stop()
    #expect(output.status == .exited(0))
    // What others changed is said, with their number.
    #expect(
      output.errorLines.contains { $0.hasPrefix("swbpf: process ") && $0.hasSuffix(": see-sent off (direction in)") },
      "\(output.err)")
    #expect(output.err.hasSuffix(counts(10)))
    #expect(
      try NumberedFrames.numbers(in: file) == [0, back, back | 1, 2, back | 2, 3, back | 4, back | 5, 6, back | 6])
  }

  @Test(
    "a filter is compiled for the capture's own link type, and changes lose nothing stored", .timeLimit(.minutes(1)))
  func anyInterface() throws {
    let file = scratch.file("a.pcap")
    let child = try wire.near.capture(["-i", "va", "-i", "lo", "-w", file])
    try frames.send(1)
    let endpoint = try child.endpoint()
    #expect(eventually { endpoint.status?.number("captured") == 1 })
    let output = try wire.near.swbpf(["filter", "ether proto 0x88b5 and outbound"])
    #expect(output.status == .exited(0), "\(output.err)")
    try frames.sendBack(2)
    try frames.send(3)
    let changed = ControlClient.ask(endpoint, .direction(.out))
    #expect(changed == .answer(.done(["see-sent on (direction out)"])))
    if case .answer(.done(let peers)) = ControlClient.ask(endpoint, .status) {
      #expect(peers.map { PeerStatus(line: $0).text("direction") } == ["out", "out"])
    } else {
      Issue.record("no status")
    }
    #expect(try child.stop().err.hasSuffix(counts(2)))
    #expect(try NumberedFrames.numbers(in: file) == [1, 3])
  }

  @Test(
    "peers lists every peer with its settings and counters, as a table and as JSON", .timeLimit(.minutes(1)),
    .needsTool("python3"))
  func peers() throws {
    // What the kernel refuses is not counted: statements about counts are made without its filter.
    let first = try wire.near.capture(
      ["-i", "va", "-Q", "in", "-w", "/dev/null", "tcp or\tudp"], through: ["env", "SWBPF_PUSHDOWN=0"])
    let second = try wire.near.capture(["-i", "va", "-i", "lo", "-B", "1024", "-w", "/dev/null"])
    try frames.send(1)
    try frames.sendBack(1)
    let endpoints = [try first.endpoint(), try second.endpoint()]
    #expect(eventually { endpoints[0].status?.number("offered") == 1 && endpoints[1].status?.number("offered") == 2 })
    let table = try wire.near.swbpf(["peers"])
    #expect(table.status == .exited(0) && table.err.isEmpty, "\(table.err)")
    #expect(table.lines.count == 4 && table.lines.first?.contains("PID  USER") == true, "\(table.out)")
    #expect(table.lines.dropFirst().filter { $0.contains(" va ") }.count == 2)

    let script = """
      import json, sys
      peers = {(p["pid"], p["interface"]): p for p in json.load(sys.stdin)}
      assert len(peers) == 3, peers
      one = peers[(\(first.pid), "va")]
      two = peers[(\(second.pid), "va")]
      assert one["direction"] == "in" and one["see_sent"] is False and one["link_type"] == "EN10MB", one
      assert one["filter"] == "tcp or\\tudp" and one["kernel_filter"] is True and one["captured"] == 0, one
      assert one["offered"] == one["refused"] == 1, one
      assert two["direction"] == "inout" and two["see_sent"] is True and two["kernel_filter"] is False, two
      assert two["offered"] == two["captured"] == 2, two
      assert two["captured"] == two["delivered"] + two["dropped"] + two["waiting"], two
      assert two["slots"] * two["slot_size"] <= 1 << 20 and two["filter"] == "" and two["uid"] == \(getuid()), two
      assert two["kernel_drops"] == two["freezes"] == 0 and 0 < two["age_ms"] < 60000, two
      """
    let json = try wire.near.swbpf(["peers", "--json"])
    let judge = try wire.near.run(["python3", "-c", script], input: json.out)
    #expect(judge.status == .exited(0), "\(judge.err)\n\(json.out)")

    try wire.near.ip("link set va down")
    try wire.near.ip("link set va name vnew")
    #expect(eventually { try! wire.near.swbpf(["peers"]).out.contains(" vnew ") })
    try first.stop()
    try second.stop()
    #expect(try wire.near.swbpf(["peers", "--json"]).out == "[]\n")
  }

  @Test("with several captures one must be named, and they are listed; with none that is said", .timeLimit(.minutes(1)))
  func several() throws {
    let none = try wire.near.swbpf(["see-sent", "on"])
    #expect(none.status == .exited(1) && none.err.hasPrefix("swbpf: no capture runs"), "\(none.err)")
    let children = try [wire.near.capture(["-i", "va"]), wire.near.capture(["-i", "lo", "udp"])]
    let output = try wire.near.swbpf(["direction", "in"])
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.errorLines.first == "swbpf: 2 captures run:")
    #expect(output.errorLines.last == "swbpf: say which one: --pid PID")
    for child in children { #expect(output.err.contains("\(child.pid) ")) }
    #expect(try wire.near.swbpf(["direction", "in", "--pid", "\(children[1].pid)"]).status == .exited(0))
    #expect(try children[0].endpoint().status?.text("direction") == "inout")
    #expect(try children[1].endpoint().status?.text("direction") == "in")
    for child in children { try child.stop() }
  }

  @Test(
    "usage errors add the usage line; other processes are named for what they are", .timeLimit(.minutes(1)),
    arguments: [
      (["see-sent"], "see-sent takes on, off or toggle"), (["see-sent", "maybe"], "see-sent takes on, off or toggle"),
      (["direction", "up"], "direction takes in, out or inout"), (["peers", "--jsn"], "--jsn"),
      (["filter", "--pid", "x", "tcp"], "x"),
    ])
  func usage(words: [String], text: String) throws {
    let output = try wire.near.swbpf(words)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.errorLines.first?.contains(text) == true, "\(output.err)")
    #expect(output.errorLines.last?.hasPrefix("Usage: swbpf \(words[0])") == true, "\(output.err)")
  }

  @Test("a process that is no capture, or has no socket, is not asked", .timeLimit(.minutes(1)))
  func notAsked() throws {
    let child = try wire.near.capture(["-i", "va", "--no-control"])
    for (pid, text) in [
      (child.pid, "no control socket (--no-control)"), (getpid(), "is no capture"), (4_000_000, "no such process"),
    ] {
      let output = try wire.near.swbpf(["see-sent", "on", "--pid", "\(pid)"])
      #expect(output.status == .exited(1) && output.err.contains(text), "\(output.err)")
    }
    #expect(try wire.near.swbpf(["peers", "--json"]).out == "[]\n")
    try child.stop()
  }

  @Test("only the first word is a subcommand", .timeLimit(.minutes(1)))
  func firstWord() throws {
    let output = try wire.near.swbpf(["-i", "peers"])
    #expect(output.status == .exited(1) && output.err.hasPrefix("swbpf: peers: no such interface"), "\(output.err)")
    let help = try wire.near.swbpf(["direction", "-h"])
    #expect(help.status == .exited(0) && help.out.hasPrefix("Usage: swbpf direction"))
  }

  @Test(
    "a stopped capture is said not to answer; a killed one leaves a name that the next list removes",
    .timeLimit(.minutes(1)))
  func stoppedAndKilled() throws {
    let child = try wire.near.capture(["-i", "va"])
    let endpoint = try child.endpoint()
    child.signal(SIGSTOP)
    let start = monotonicSeconds()
    let output = try wire.near.swbpf(["see-sent", "off"])
    #expect(monotonicSeconds() - start < 5)
    #expect(output.status == .exited(1) && output.err.contains("no answer within a second"), "\(output.err)")
    child.signal(SIGKILL)
    _ = child.wait(timeout: 10)
    #expect(endpoint.directory.names.contains(endpoint.name.file))
    #expect(try wire.near.swbpf(["peers", "--json"]).out == "[]\n")
    #expect(!endpoint.directory.names.contains(endpoint.name.file))
    // One that ends, by signal too, takes its name along.
    let other = try wire.near.capture(["-i", "va"])
    let name = try other.endpoint().name.file
    try other.stop(SIGTERM)
    #expect(!endpoint.directory.names.contains(name))
  }

  @Test(
    "without a place for the control socket the capture runs, with a warning", .timeLimit(.minutes(1)), .needsOtherUsers
  )
  func noPlace() throws {
    let user = try OtherUser(4713, in: scratch)
    let child = try user.capture(in: wire.near, ["-i", "va"], runtime: "/nonexistent", saying: "no control socket")
    #expect(child.err.waitFor("listening on") != nil)
    #expect(try child.stop().status == .exited(0))
  }

  @Test("without a runtime folder the place is the home's cache", .timeLimit(.minutes(1)), .needsOtherUsers)
  func cache() throws {
    let user = try OtherUser(4713, in: scratch)
    let home = scratch.file("home")
    #expect(try wire.near.run(["sh", "-c", "mkdir \(home) && chown 4713:4713 \(home)"]).status == .exited(0))
    let place = ["env", "-u", "XDG_RUNTIME_DIR", "HOME=\(home)"]
    let child = try wire.near.start(user.prefix() + place + [scratch.file("swbpf"), "-i", "va", "-w", "/dev/null"])
    #expect(child.err.waitFor("listening on") != nil)
    let peers = try wire.near.run(user.prefix() + place + [scratch.file("swbpf"), "peers", "--json"])
    #expect(peers.out.contains("\"pid\":\(child.pid),\"uid\":4713,"), "\(peers.out)\(peers.err)")
    let mode = try wire.near.run(["stat", "-c", "%a %u", home + "/.cache/swbpf", home + "/.cache"])
    #expect(mode.out == "700 4713\n700 4713\n")
    // It is his alone.
    #expect(try wire.near.swbpf(["peers", "--json"]).out == "[]\n")
    try child.stop()
  }

  @Test("root of a user namespace, who has no /run, uses his user's place", .timeLimit(.minutes(1)), .needsOtherUsers)
  func userNamespace() throws {
    let user = try OtherUser(4713, in: scratch)
    let script = """
      ip link set lo up
      '\(scratch.file("swbpf"))' -i lo -w /dev/null & pid=$!
      for i in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.2
        '\(scratch.file("swbpf"))' direction in && break
      done
      ls "$XDG_RUNTIME_DIR/swbpf"
      kill $pid; wait
      """
    let output = try user.run(in: wire.near, ["unshare", "-Urn", "bash", "-c", script])
    #expect(output.out.contains("see-sent off (direction in)\n"), "\(output.err)")
    #expect(output.out.hasSuffix(".sock\n") && !output.err.contains("no control socket"), "\(output.out)\(output.err)")
  }
}
