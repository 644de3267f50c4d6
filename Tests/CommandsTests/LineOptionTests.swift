import SwBPFPacketText
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Flags that say how lines look")
struct LineOptionTests {
  private func text(_ words: [String], isLive: Bool = false) throws -> TextOptions {
    try CaptureSettings(parse(words)).lines.textOptions(linkType: 1, isLive: isLive)
  }

  @Test("repeated letters count")
  func repeated() throws {
    #expect(try text(["-tttt", "-vv"]).stamp == .date)
    #expect(try text(["-t", "-n", "-tt"]).stamp == .sincePrevious)
    #expect(try text(["-vvv"]).verbosity == 3)
    #expect(try text(["-q"]).quiet && !text(["-q"]).veryQuiet && text(["-qq"]).veryQuiet)
    #expect(try text(["-n#S"]).packetNumber && text(["-n#S"]).absoluteSequence)
    #expect(try text(["--number", "--absolute-tcp-sequence-numbers"]).packetNumber)
    #expect(throws: UsageError("only -t, -tt, -ttt, -tttt and -ttttt are supported")) { try text(["-tttttt"]) }
  }

  @Test("of several dumps the fullest is taken")
  func dumps() throws {
    #expect(try text([]).dump == .none)
    #expect(try text(["-A"]).dump == .text && !text(["-A"]).dumpsLinkHeader)
    #expect(try text(["-xxA"]).dump == .hex && text(["-xxA"]).dumpsLinkHeader)
    #expect(try text(["-xxX"]).dump == .hexAndText && !text(["-xxX"]).dumpsLinkHeader)
  }

  @Test("only a live capture knows of checksums that hardware finishes")
  func offload() throws {
    #expect(try text([], isLive: true).recognizesOffload && !text([]).recognizesOffload)
  }

  @Test("a file's lines equal tcpdump's with every flag", .timeLimit(.minutes(1)), .needsTool("tcpdump"))
  func file() throws {
    let scratch = try Scratch()
    let file = try scratch.file("a.pcap", holding: Self.savefile)
    for flags in [
      ["-v"], ["-vvv", "-e"], ["-x"], ["-XX"], ["-A"], ["-S"], ["-#"], ["-tt"], ["-ttt"], ["-tttt"], ["-q"],
    ] {
      let ours = try Child([Tool.swbpf, "-n", "-r", file] + flags).finish()
      let theirs = try Child(["tcpdump", "-n", "-r", file] + flags).finish()
      #expect(ours.status == .exited(0) && ours.out == theirs.out && !ours.out.isEmpty, "\(flags): \(ours.err)")
    }
  }

  /// Three UDP datagrams and a TCP segment whose checksums are wrong, with microseconds.
  private static let savefile: [UInt8] = {
    func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * $0) & 255) } }
    let link: [UInt8] = [10, 0, 0, 0, 0, 1, 10, 0, 0, 0, 0, 2, 8, 0]
    let addresses: [UInt8] = [10, 0, 0, 1, 10, 0, 0, 2]
    let ports: [UInt8] = [0x9c, 0x41, 0x9c, 0x42]
    let udp = link + [0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0] + addresses + ports + [0, 12, 0, 1, 97, 13, 10, 98]
    let tcp =
      link + [0x45, 0, 0, 40, 0, 1, 64, 0, 64, 6, 0, 0] + addresses + ports + [0, 0, 0, 7, 0, 0, 0, 9, 0x50, 16, 2, 0]
      + [1, 2, 0, 0]
    var file = number(0xa1b2_c3d4) + [2, 0, 4, 0] + number(0) + number(0) + number(262_144) + number(1)
    for (index, frame) in [udp, tcp, udp, udp].enumerated() {
      file += number(1_700_000_000 + index) + number(5 * index) + number(frame.count) + number(frame.count) + frame
    }
    return file
  }()
}

@Suite("Verbose live captures", .needsNamespaces)
struct VerboseCaptureTests {
  @Test(
    "a checksum that was left to hardware is called unfinished live, and wrong when read from a file, as by tcpdump",
    .timeLimit(.minutes(1)), .needsTool("tcpdump"))
  func offload() throws {
    let wire = try Wire()
    let scratch = try Scratch()
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9, sourcePort: 40000)
    let file = scratch.file("a.pcap")
    let child = try wire.far.capture(["-i", "vb", "-c", "2", "-vvt", "--print", "-w", file, "udp"])
    try sender.send(2)
    let live = try child.finish()
    #expect(live.status == .exited(0) && live.lines.count == 4, "\(live.out) \(live.err)")
    #expect(live.out.contains(": [udp sum unfinished] UDP, length 64\n") && !live.out.contains("bad"), "\(live.out)")
    let ours = try Child([Tool.swbpf, "-vvtn", "-r", file]).finish()
    #expect(ours.out.contains(": [bad udp cksum 0x") && ours.lines.count == 4, "\(ours.out)")
    #expect(try ours.out == Child(["tcpdump", "-vvtn", "-r", file]).finish().out)
    withExtendedLifetime(receiver) {}
  }

  @Test("-v counts on a terminal, once a second, and never in a pipe", .timeLimit(.minutes(1)), .needsTool("script"))
  func count() throws {
    let wire = try Wire()
    let scratch = try Scratch()
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9, sourcePort: 40000)
    let command = "'\(Tool.swbpf)' -i vb -c 3 -v -w '\(scratch.file("a.pcap"))' udp"
    let terminal = try wire.far.start(["script", "-qec", command, "/dev/null"])
    #expect(terminal.out.waitFor("listening on") != nil)
    let piped = try wire.far.capture(["-i", "vb", "-c", "3", "-v", "-w", scratch.file("b.pcap"), "udp"])
    #expect(eventually(within: 10) { terminal.out.text.contains("Got 0\r") })
    try sender.send(2)
    #expect(eventually(within: 10) { terminal.out.text.contains("Got 2\r") })
    try sender.send(1)
    #expect(try terminal.finish().out.contains("3 packets captured"))
    let output = try piped.finish()
    #expect(output.status == .exited(0) && !output.err.contains("Got"), "\(output.err)")
    withExtendedLifetime(receiver) {}
  }
}
