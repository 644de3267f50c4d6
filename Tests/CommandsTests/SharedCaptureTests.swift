// swbpf -i eth0 where a daemon runs: captures of many processes, one ring.
import Glibc
import SwBPF
import SwBPFDaemonClient
import Testing

@testable import SwBPFCommands
@testable import TestSupport

/// A cable with a daemon at its near end.
struct SharedWire: Sendable {
  let wire: Wire
  let scratch: Scratch
  let daemon: RunningDaemon
  let frames: NumberedFrames

  /// - Parameter isOpen: at the namespace's own socket, where other users may go.
  init(config: String? = nil, isOpen: Bool = false) throws {
    let folder = try Scratch()
    (wire, scratch) = (try Wire(), folder)
    frames = try NumberedFrames(wire)
    daemon = try RunningDaemon(
      in: wire.near, folder, config: config, socket: isOpen ? nil : folder.file("d.sock"))
  }

  func capture(_ words: [String], environment more: [String: String] = [:]) throws -> Child {
    let environment = more.merging(["SWBPF_SOCKET": daemon.socket]) { own, _ in own }
    let child = try wire.near.start([Tool.swbpf, "-i", "va"] + words, environment: environment)
    guard child.err.waitFor("listening on") != nil else {
      child.signal(SIGKILL)
      throw SupportError.command(child.command, try child.finish())
    }
    return child
  }

  func file(_ name: String) -> String { scratch.file(name + ".pcap") }
  func numbers(_ name: String) throws -> [UInt64] { try NumberedFrames.numbers(in: file(name)) }

  /// Packet sockets that hear the cable's near end.
  func rings() throws -> Int {
    let index = try wire.near.ip("-o link show dev va").prefix { $0 != ":" }
    let table = try wire.near.run(["cat", "/proc/net/packet"]).out
    return table.split(separator: "\n").dropFirst().count { line in
      let fields = line.split(separator: " ")
      return fields.count > 5 && fields[4] == index && fields[5] == "1" && fields[3] != "0000"
    }
  }
}

extension Child {
  /// Whether the first line says that it reads from the daemon.
  var isShared: Bool { err.text.contains("va (through the daemon, process ") }
}

@Suite("Captures of many processes, one ring", .needsNamespaces)
struct SharedCaptureTests {
  @Test("captures of a user who has all his memory of the daemon take less, then rings of their own, and say so")
  func memory() throws {
    let shared = try SharedWire()
    var children: [Child] = []
    defer { for child in children { child.signal(SIGINT) } }
    while children.count < 24, children.last?.isShared != false { children.append(try shared.capture(["-c", "1"])) }
    // 15 of 16 MiB each, then those that take what is left.
    #expect((17...20).contains(children.count) && children.last?.isShared == false)
    let last = try #require(children.last)
    let reason = "the daemon has no more memory for the captures of this user (ask for less, -B)"
    #expect(last.err.text.contains("swbpf: va: \(reason); this one has a ring of its own"))
    #expect(try shared.rings() == 2)
    try shared.frames.send(1)
    for child in children { #expect(try child.finish().err.contains("1 packet captured")) }
  }

  @Test("three captures through the daemon: one ring, each with its filter and direction", .timeLimit(.minutes(1)))
  func shared() throws {
    let shared = try SharedWire()
    let all = try shared.capture(["-U", "-w", shared.file("all")])
    let received = try shared.capture(["-Q", "in", "-w", shared.file("in")])
    let some = try shared.capture(["-w", shared.file("some"), "ether src \(shared.wire.nearEnd.macText)"])
    #expect(all.isShared && received.isShared && some.isShared)
    #expect(try eventually { try shared.rings() == 1 })
    let endpoints = try [all, received, some].map { try $0.endpoint() }
    for number in 0..<100 as Range<UInt64> {
      try shared.frames.send(number)
      try shared.frames.sendBack(number)
    }
    for (endpoint, count) in zip(endpoints, [200, 100, 100] as [UInt64]) {
      #expect(eventually { endpoint.status?.number("captured") == count })
    }
    #expect(try shared.daemon.swbpf("see-sent", "off", "--pid", "\(all.pid)").status == .exited(0))
    try shared.frames.send(200)
    try shared.frames.sendBack(200)
    #expect(eventually { endpoints[0].status?.number("captured") == 201 })
    // Each is listed once, with what the kernel counted.
    let peers = try shared.daemon.swbpf("peers", "--json").out
    for child in [all, received, some] { #expect(peers.ranges(of: "\"pid\":\(child.pid),").count == 1) }
    #expect(peers.ranges(of: "\"kernel_drops\":0").count == 3)
    for child in [all, received, some] { #expect(try child.stop().status == .exited(0)) }
    let (gone, come) = (Array(0..<100 as Range<UInt64>), (0..<100 as Range<UInt64>).map { $0 | back })
    #expect(Set(try shared.numbers("all")) == Set(gone + come + [200 | back]))
    #expect(try shared.numbers("in") == come + [200 | back])
    #expect(try shared.numbers("some") == gone + [200])
  }

  @Test(
    "--private, and what the daemon cannot give, take a ring of the process", .timeLimit(.minutes(1)),
    arguments: ["--private", "--ring 1024", "-B 32768", "SWBPF_DAEMON=0"])
  func ownRing(words: String) throws {
    let shared = try SharedWire()
    let first = try shared.capture(["-w", "/dev/null"])
    let isSetting = words.hasPrefix("SWBPF")
    let own = try shared.capture(
      ["-w", shared.file("own")] + (isSetting ? [] : words.split(separator: " ").map(String.init)),
      environment: isSetting ? ["SWBPF_DAEMON": "0"] : [:])
    #expect(first.isShared && !own.isShared)
    #expect(try eventually { try shared.rings() == 2 })
    for number in 0..<5 as Range<UInt64> { try shared.frames.sendBack(number) }
    #expect(try own.stop().err.hasSuffix(counts(5)))
    #expect(try shared.numbers("own") == (0..<5).map { $0 | back })
    #expect(try first.stop().status == .exited(0))
  }

  @Test(
    "a user without capabilities captures where the configuration gives him, or his group, the interface",
    .timeLimit(.minutes(1)), .needsOtherUsers)
  func plainUser() throws {
    let shared = try SharedWire(config: "allow user 4711 capture va\nallow group 4712 capture va\n", isOpen: true)
    for id in [4711, 4712] as [uid_t] {
      let user = try OtherUser(id, in: shared.scratch)
      let child = try user.capture(in: shared.wire.near, ["-i", "va", "-c", "3", "-w", "-"], isPlain: true)
      #expect(child.isShared)
      let pid = child.pid
      for number in 0..<3 as Range<UInt64> { try shared.frames.sendBack(number) }
      let output = try child.finish()
      #expect(output.status == .exited(0) && output.err.hasSuffix(counts(3)), "\(output.err) \(pid)")
      // Another interface, and one that is not there, are refused alike.
      for name in ["lo", "nothere"] {
        let refused = try user.swbpf(in: shared.wire.near, ["-i", name, "-c", "1"], isPlain: true)
        #expect(refused.status == .exited(1), "\(refused.err)")
      }
      let refused = try user.swbpf(in: shared.wire.near, ["-i", "lo"], isPlain: true).err
      #expect(
        refused.contains("no permission to capture") && refused.contains("the daemon gives no right"), "\(refused)")
    }
    let stranger = try OtherUser(4713, in: shared.scratch)
    #expect(try stranger.swbpf(in: shared.wire.near, ["-i", "va", "-c", "1"], isPlain: true).status == .exited(1))
    // With the capability and without the right he has a ring of his own.
    let own = try stranger.capture(in: shared.wire.near, ["-i", "va", "-w", "/dev/null"])
    #expect(!own.isShared)
    #expect(try own.stop().status == .exited(0))
  }

  @Test(
    "a daemon that ends ends the capture: counts, status 1", .timeLimit(.minutes(1)), arguments: [SIGTERM, SIGKILL])
  func daemonEnds(signal: CInt) throws {
    let shared = try SharedWire()
    let child = try shared.capture(["-w", shared.file("a")])
    let endpoint = try child.endpoint()
    for number in 0..<5 as Range<UInt64> { try shared.frames.sendBack(number) }
    #expect(eventually { endpoint.status?.number("captured") == 5 })
    shared.daemon.child.signal(signal)
    let output = try child.finish()
    #expect(output.status == .exited(1))
    #expect(output.err.contains("swbpf: va: the daemon ended\n"), "\(output.err)")
    #expect(output.err.hasSuffix(counts(5)), "\(output.err)")
    #expect(try shared.numbers("a") == (0..<5).map { $0 | back })
  }

  @Test(
    "with --persist it goes on with a ring of its own, as it was set, and says how long the gap was",
    .timeLimit(.minutes(1)), arguments: [SIGTERM, SIGKILL])
  func persists(signal: CInt) throws {
    let shared = try SharedWire()
    let child = try shared.capture(["--persist", "-w", shared.file("a"), "ether proto 0x88b5"])
    #expect(child.isShared)
    let endpoint = try child.endpoint()
    func round(_ number: UInt64, captured: UInt64) throws {
      try shared.frames.send(number)
      try shared.frames.sendBack(number)
      #expect(eventually { endpoint.status?.number("captured") == captured })
    }
    try round(0, captured: 2)
    #expect(try shared.wire.near.swbpf(["see-sent", "off", "--pid", "\(child.pid)"]).status == .exited(0))
    try round(1, captured: 3)
    #expect(try eventually { try shared.rings() == 1 })
    shared.daemon.child.signal(signal)
    let line = child.err.waitFor("the daemon ended; the capture goes on with a ring of its own, after a gap of ")
    #expect(line?.hasSuffix(" ms") == true, "\(child.err.text)")
    #expect(try eventually { try shared.rings() == 1 })
    // Settings of before hold, and change as before.
    try round(2, captured: 4)
    #expect(try shared.wire.near.swbpf(["see-sent", "on", "--pid", "\(child.pid)"]).status == .exited(0))
    try round(3, captured: 6)
    let output = try child.stop()
    #expect(output.status == .exited(0) && output.err.hasSuffix(counts(6)), "\(output.err)")
    let numbers = try shared.numbers("a")
    #expect(Set(numbers) == [0, 0 | back, 1 | back, 2 | back, 3, 3 | back] && numbers.count == 6)
  }

  @Test("who may open no socket cannot persist", .timeLimit(.minutes(1)), .needsOtherUsers)
  func cannotPersist() throws {
    let shared = try SharedWire(config: "allow user 4711 capture va\n", isOpen: true)
    let user = try OtherUser(4711, in: shared.scratch)
    let child = try user.capture(
      in: shared.wire.near, ["-i", "va", "--persist", "-w", "/dev/null"], isPlain: true)
    #expect(child.isShared)
    shared.daemon.child.signal(SIGTERM)
    let output = try child.finish()
    #expect(output.status == .exited(1) && output.err.contains("the daemon ended"), "\(output.err)")
  }

  @Test("an interface that goes away and comes back: --persist waits for it", .timeLimit(.minutes(1)))
  func comesBack() throws {
    let shared = try SharedWire()
    let child = try shared.capture(["--persist", "-w", shared.file("a")])
    try shared.frames.sendBack(0)
    #expect(try eventually { try child.endpoint().status?.number("captured") == 1 })
    try shared.wire.near.ip("link del va")
    #expect(child.err.waitFor("va: the interface went away, waiting for it") != nil)
    let ends = try Host.link(shared.wire.near, "va", shared.wire.far, "vb")
    #expect(child.err.waitFor("va: the interface is there again; the capture goes on with a ring of its own") != nil)
    let payload = [UInt8](repeating: 0, count: 7) + [9] + [UInt8](repeating: 0, count: 38)
    let frame = Frame.ethernet(from: ends.1.mac, to: ends.0.mac, type: 0x88b5, payload)
    try FrameSender(in: shared.wire.far, interface: "vb").send(frame)
    let output = try child.stop()
    #expect(output.status == .exited(0), "\(output.err)")
    #expect(try shared.numbers("a") == [0 | back, 9])
  }

  @Test("the library reads through the daemon, or with a ring of its own", .timeLimit(.minutes(1)))
  func library() throws {
    let shared = try SharedWire()
    var options = InterfaceReader.Options()
    options.socket = shared.daemon.socket
    options.filter = FilterExpression("ether proto 0x88b5")
    options.direction = .in
    options.isImmediate = true
    func read(_ options: InterfaceReader.Options) throws -> (InterfaceReader, [UInt64]) {
      let reader = try shared.wire.near.inside { try InterfaceReader("va", options: options) }
      for number in 0..<10 as Range<UInt64> {
        try shared.frames.send(number)
        try shared.frames.sendBack(number)
      }
      var numbers: [UInt64] = []
      while numbers.count < 10, let slot = try reader.nextSlot(timeout: .seconds(5)) {
        // A slot is no sequence.
        // swift-format-ignore: ReplaceForEachWithForLoop
        slot.eachRecord { record in
          numbers.append(UDPSender.number(in: record.frame.withUnsafeBytes { Array($0.dropFirst(14)) }) ?? .max)
        }
      }
      return (reader, numbers)
    }
    let (reader, numbers) = try read(options)
    #expect(reader.source == .daemon(process: shared.daemon.child.pid) && reader.linkType == 1)
    #expect(numbers == (0..<10).map { $0 | back })
    #expect(reader.statistics.delivered == 10 && reader.statistics.captured == 10)
    try reader.setDirection(.out)
    try shared.frames.sendBack(20)
    try shared.frames.send(21)
    var count = 0
    if let slot = try reader.nextSlot(timeout: .seconds(5)) { count = slot.count }
    #expect(count == 1)
    // In immediate mode the daemon's ring is exchanged: for a moment there are two.
    #expect(try eventually { try shared.rings() == 1 })
    options.daemon = .never
    let (own, same) = try read(options)
    #expect(own.source == .ownRing && same == numbers)
    _ = try shared.daemon.end()
    #expect(throws: BPF.Failure.self) {
      while true { _ = try reader.nextSlot(timeout: .seconds(5)) == nil }
    }
    options.daemon = .only
    #expect(throws: InterfaceReader.DaemonError.self) { _ = try read(options) }
    options.daemon = .preferred
    #expect(try read(options).0.source == .ownRing)
  }
}
