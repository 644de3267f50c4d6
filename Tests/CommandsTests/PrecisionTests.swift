import Glibc
import Testing

@testable import TestSupport

@Suite("Stamps, counting and skipping", .needsNamespaces)
struct PrecisionTests {
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

  /// Digits of the fraction of a line's second.
  private func digits(_ line: Substring) -> Int {
    line.prefix { $0 != " " }.split(separator: ".").last?.count ?? 0
  }

  private func captured(_ name: String, _ count: Int, _ words: [String] = []) throws -> String {
    let child = try wire.far.capture(["-i", "vb", "-c", "\(count)", "-w", scratch.file(name)] + words)
    try sender.send(count)
    let output = try child.finish()
    #expect(output.status == .exited(0), "\(output.err)")
    return scratch.file(name)
  }

  @Test(
    "--nano: nanoseconds in the savefile and in lines, live and from files", .timeLimit(.minutes(1)),
    arguments: [["--nano"], ["--time-stamp-precision=nano"], ["--time-stamp-precision", "nano"]])
  func nano(words: [String]) throws {
    let live = try wire.far.capture(["-i", "vb", "-c8", "--print", "-w", scratch.file("n.pcap")] + words)
    try sender.send(8)
    let lines = try live.finish().lines
    #expect(lines.count == 8 && lines.allSatisfy { digits($0) == 9 }, "\(lines)")
    let bytes = try scratch.bytes("n.pcap")
    #expect(Array(bytes[..<4]) == [0x4d, 0x3c, 0xb2, 0xa1])
    let stamps = try packets(in: scratch.file("n.pcap")).map(\.nanoseconds)
    #expect(stamps.contains { $0 % 1000 != 0 })
    // The same stamps stand in the lines.
    for (line, stamp) in zip(lines, stamps) {
      #expect(
        line.prefix { $0 != " " }.hasSuffix("." + String(repeating: "0", count: 9 - "\(stamp)".count) + "\(stamp)"))
    }
    // From file to line and to file.
    let again = try wire.far.swbpf(["-r", scratch.file("n.pcap")] + words)
    #expect(again.lines == lines)
    let short = try wire.far.swbpf(["-r", scratch.file("n.pcap")])
    #expect(short.lines.allSatisfy { digits($0) == 6 })
    _ = try wire.far.swbpf(["-r", scratch.file("n.pcap"), "-w", scratch.file("copy.pcap")] + words)
    #expect(try scratch.bytes("copy.pcap") == bytes)
  }

  @Test("--micro is the default", .timeLimit(.minutes(1)))
  func micro() throws {
    for words in [[], ["--micro"], ["--time-stamp-precision=micro"]] {
      _ = try captured("m.pcap", 2, words)
      #expect(try Array(scratch.bytes("m.pcap")[..<4]) == [0xd4, 0xc3, 0xb2, 0xa1])
      #expect(try packets(in: scratch.file("m.pcap")).allSatisfy { $0.nanoseconds % 1000 == 0 })
    }
  }

  @Test("--nano of several interfaces keeps the order of stamps", .timeLimit(.minutes(1)))
  func merged() throws {
    try Host.link(wire.near, "va2", wire.far, "vb2", net: 2)
    let other = try UDPSender(in: wire.near, to: "10.2.0.2", port: 9)
    let child = try wire.far.capture(["--nano", "-i", "vb", "-i", "vb2", "-w", scratch.file("a.pcap"), "udp"])
    for _ in 0..<10 {
      try sender.send(1)
      try other.send(1)
    }
    #expect(try child.stop().err.hasSuffix(counts(20)))
    let stamps = try packets(in: scratch.file("a.pcap")).map { $0.seconds * 1_000_000_000 + Int64($0.nanoseconds) }
    #expect(stamps == stamps.sorted() && stamps.contains { $0 % 1000 != 0 })
  }

  @Test(
    "frames of two interfaces that alternate over the borders of blocks stay in the order of stamps",
    .timeLimit(.minutes(1)))
  func mergedOverBlocks() throws {
    try Host.link(wire.near, "va2", wire.far, "vb2", net: 2)
    let senders = [try FrameSender(in: wire.near, interface: "va"), try FrameSender(in: wire.near, interface: "va2")]
    let child = try wire.far.capture(
      ["--nano", "-i", "vb", "-i", "vb2", "-w", scratch.file("a.pcap"), "ether proto 0x88b5"])
    // A block holds about 170 of these, or what comes in 10 ms.
    let count = 2000
    for number in 0..<count {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
      let frame = Frame.ethernet(
        from: wire.nearEnd.mac, to: wire.farEnd.mac, type: 0x88b5, bytes + [UInt8](repeating: 0, count: 1400))
      try senders[number % 2].send(frame)
      if number % 97 == 0 { usleep(UInt32(number % 5) * 4000) }
    }
    #expect(try child.stop().err.hasSuffix(counts(count)))
    let packets = try packets(in: scratch.file("a.pcap"))
    let stamps = packets.map { $0.seconds * 1_000_000_000 + Int64($0.nanoseconds) }
    #expect(stamps == stamps.sorted())
    let numbers = packets.compactMap { UDPSender.number(in: $0.bytes[14...]) }
    for part in 0..<2 {
      #expect(numbers.filter { Int($0) % 2 == part } == stride(from: part, to: count, by: 2).map { UInt64($0) })
    }
  }

  @Test("--immediate-mode brings each packet into the file and the pipe at once", .timeLimit(.minutes(1)))
  func immediate() throws {
    let file = try wire.far.capture(["-i", "vb", "--immediate-mode", "-w", scratch.file("i.pcap")])
    let lines = try wire.far.capture(["-i", "vb", "--immediate-mode"])
    let start = monotonicSeconds()
    try sender.send(1)
    #expect(lines.out.nextLine() != nil)
    let path = scratch.file("i.pcap")
    #expect(eventually { size(of: path) == 24 + 16 + 106 })
    // Without it a savefile waits for a second.
    #expect(monotonicSeconds() - start < 0.8)
    for child in [file, lines] { #expect(try child.stop().status == .exited(0)) }
  }

  @Test("--count prints how many packets match, nothing else", .timeLimit(.minutes(1)))
  func count() throws {
    let file = try captured("c.pcap", 5)
    for (words, wanted) in [
      ([], "5 packets\n"), (["-c1"], "1 packet\n"), (["tcp"], "0 packets\n"), (["--skip", "2"], "3 packets\n"),
    ] as [([String], String)] {
      let output = try wire.far.swbpf(["--count", "-r", file] + words)
      #expect(output.status == .exited(0) && output.out == wanted, "\(words)")
    }
    let both = try wire.far.swbpf(["--count", "-r", file, "-w", scratch.file("d.pcap")])
    #expect(both.out == "5 packets\n")
    #expect(try packets(in: scratch.file("d.pcap")).count == 5)
  }

  @Test("--skip leaves the first packets out, and -c counts behind them", .timeLimit(.minutes(1)))
  func skip() throws {
    let child = try wire.far.capture(["-i", "vb", "--skip", "3", "-c4", "--print", "-w", scratch.file("s.pcap")])
    try sender.send(10)
    let output = try child.finish()
    #expect(output.lines.count == 4 && output.err.contains("\n4 packets captured\n"))
    #expect(try numbers(in: scratch.file("s.pcap")) == [3, 4, 5, 6])
    let file = try captured("t.pcap", 6)
    for words in [["--skip=5"], ["--skip", "6"], ["--skip", "7"]] {
      let left = try wire.far.swbpf(["-r", file, "-w", scratch.file("u.pcap")] + words)
      #expect(left.status == .exited(0))
      #expect(try packets(in: scratch.file("u.pcap")).count == (words == ["--skip=5"] ? 1 : 0))
    }
  }

  @Test("-j, -J and -K", .timeLimit(.minutes(1)))
  func stampTypes() throws {
    let list = try wire.far.swbpf(["-J", "-i", "vb"])
    #expect(list.out == "Time stamp types for vb (use option -j to set):\n  host (Host)\n")
    let file = try captured("j.pcap", 1, ["-j", "host", "-K"])
    #expect(try packets(in: file).count == 1)
    let other = try wire.far.swbpf(["-i", "vb", "-jadapter"])
    #expect(other.status == .exited(1) && other.err.hasPrefix("swbpf: -j adapter: "), "\(other.err)")
  }
}
