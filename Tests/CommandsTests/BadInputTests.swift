import Glibc
import Testing

@testable import TestSupport

@Suite("Bad input: one line that names the thing and the way out", .needsNamespaces)
struct BadInputTests {
  let host: Host
  let scratch: Scratch

  init() throws {
    host = try Host()
    scratch = try Scratch()
  }

  @Test(
    "what cannot be done", .timeLimit(.minutes(1)),
    arguments: [
      (["-i", "nowhere0"], "swbpf: nowhere0: no such interface (try swbpf -D)"),
      (["-i", "77"], "swbpf: 77: no such interface (try swbpf -D)"),
      (["-i", "lo", "-w", "/nowhere/a.pcap"], "swbpf: /nowhere/a.pcap: No such file or directory"),
      (["-r", "/nowhere/a.pcap"], "swbpf: /nowhere/a.pcap: No such file or directory"),
      (["-i", "lo", "-F", "/nowhere/filter"], "swbpf: can't open /nowhere/filter: No such file or directory"),
      (["-i", "lo", "-y", "NOTHING"], "swbpf: -y NOTHING: unknown link type"),
    ])
  func oneLine(words: [String], message: String) throws {
    let output = try host.swbpf(words)
    #expect(output.status == .exited(1))
    #expect(output.err == message + "\n")
    #expect(output.out.isEmpty)
  }

  @Test(
    "a filter expression with a mistake is shown with libpcap's words", .timeLimit(.minutes(1)),
    arguments: ["udp port port", "host", "port 99999", "and", "ether[0:3] = 1"])
  func expression(text: String) throws {
    let output = try host.swbpf(["-i", "lo", text])
    #expect(output.status == .exited(1))
    #expect(output.errorLines.count == 1, "\(output.err)")
    #expect(
      output.err.hasPrefix("swbpf: cannot compile the filter expression \u{201c}\(text)\u{201d}: "), "\(output.err)")
    let bpf = try packetFile(1)
    let file = try host.swbpf(["-r", bpf, text])
    #expect(file.status == .exited(1) && file.errorLines.count == 1 && file.err.contains("\u{201c}\(text)\u{201d}: "))
  }

  @Test("a direction cannot be known from a file, and the message says so", .timeLimit(.minutes(1)))
  func directionOfFile() throws {
    let output = try host.swbpf(["-r", packetFile(1), "outbound"])
    #expect(output.status == .exited(1) && output.errorLines.count == 1)
    #expect(output.err.contains("inbound/outbound not supported"), "\(output.err)")
  }

  @Test(
    "a command line that cannot be: a line, then the usage line", .timeLimit(.minutes(1)),
    arguments: [
      (["-k"], "unknown option -k"),
      (["--nothing"], "unknown option --nothing"),
      (["-nN"], "unknown option -N (names are never looked up)"),
      (["-f"], "unknown option -f (names are never looked up)"),
      (["-b"], "unknown option -b (BGP is not dissected)"),
      (["-H"], "unknown option -H (802.11 is not dissected)"),
      (["-u"], "unknown option -u (NFS is not dissected)"),
      (["-Iieth0"], "unknown option -I (there is no monitor mode)"),
      (["-C", "10"], "unknown option -C (there is one savefile"),
      (["-G60"], "unknown option -G (there is one savefile"),
      (["-W", "3"], "unknown option -W (there is one savefile"),
      (["--prin", "--im", "--no-"], "option --no- could be --no-promiscuous-mode or --no-keys or "),
      (["--skip", "-1"], "invalid packet skip count -1"),
      (["--time-stamp-precision=pico"], "unknown time stamp precision pico"),
      (["--micro", "--nano"], "micro and nano cannot be used together"),
      (["--count", "-i", "lo"], "--count cannot be used without -r"),
      (["-j", "adapter"], "host is the only type"),
      (["-c"], "option -c needs a value"),
      (["--print=1"], "option --print takes no value"),
      (["-c", "0"], "invalid packet count 0"),
      (["-c", "x"], "invalid packet count x"),
      (["-s", "-1"], "invalid snaplen -1"),
      (["-s", "262145"], "invalid snaplen 262145"),
      (["-B", "0"], "invalid buffer size 0"),
      (["--ring", "1"], "invalid ring size 1"),
      (["-Q", "up"], "unknown capture direction up"),
      (["--see-sent", "perhaps"], "--see-sent takes on or off"),
      (["-Qin", "--see-sent", "on"], "contradict"),
      (["-r", "a", "-i", "b"], "-i and -r cannot be used together"),
      (["-F", "f", "udp"], "-F and a filter expression"),
    ])
  func usage(words: [String], message: String) throws {
    let output = try host.swbpf(words)
    #expect(output.status == .exited(1))
    #expect(output.errorLines.count == 2, "\(output.err)")
    #expect(
      output.errorLines.first?.hasPrefix("swbpf: ") == true && output.errorLines.first?.contains(message) == true,
      "\(output.err)")
    #expect(output.errorLines.last?.hasPrefix("Usage: swbpf ") == true)
    #expect(output.out.isEmpty)
  }

  @Test("savefiles that are empty, foreign, truncated or unreadable", .timeLimit(.minutes(1)))
  func savefiles() throws {
    let whole = try scratch.bytes("whole.pcap", of: packetFile(3))
    for (name, bytes, lines) in [
      ("empty.pcap", [], 0), ("foreign.pcap", Array("this is no savefile, it is a text".utf8), 0),
      ("short.pcap", Array(whole.prefix(12)), 0), ("truncated.pcap", Array(whole.dropLast(5)), 2),
      ("header.pcap", Array(whole.prefix(24 + 16 + 106 + 7)), 1),
    ] as [(String, [UInt8], Int)] {
      let file = try scratch.file(name, holding: bytes)
      let output = try host.swbpf(["-r", file])
      #expect(output.status == .exited(1), "\(name)")
      let said = output.errorLines.filter { !$0.hasPrefix("reading from file") }
      #expect(said.count == 1 && said.first?.hasPrefix("swbpf: \(file): ") == true, "\(output.err)")
      #expect(output.lines.count == lines, "\(name): \(output.out)")
      let piped = try host.start([Tool.swbpf, "-r", "-"], input: .file(file))
      let other = try piped.finish()
      #expect(other.status == .exited(1) && other.err.contains("swbpf: standard input: "), "\(other.err)")
    }
    let folder = try host.swbpf(["-r", scratch.path])
    #expect(
      folder.status == .exited(1) && folder.errorLines.count == 1 && folder.err.contains(scratch.path), "\(folder.err)")
  }

  @Test("standard output that is closed is an error, and no file takes its number, nor that of standard error")
  func closed() throws {
    for (words, status) in [("-w '\(scratch.file("out.pcap"))' >&- 2>&-", 0), (">&-", 1), ("-w - >&-", 1)] {
      let output = try host.start(["sh", "-c", "'\(Tool.swbpf)' -r '\(packetFile(3))' \(words)"]).finish()
      #expect(output.status == .exited(CInt(status)), "\(words): \(output.err)")
      #expect(output.err.contains("swbpf: standard output: Bad file descriptor") == (status == 1), "\(output.err)")
    }
    #expect(try scratch.bytes("out.pcap") == scratch.bytes("in.pcap", of: packetFile(3)))
  }

  @Test("the file that is read is not written, by whatever name")
  func ontoItself() throws {
    let file = scratch.file("same.pcap")
    let bytes = try scratch.bytes("whole.pcap", of: packetFile(3))
    _ = try scratch.file("same.pcap", holding: bytes)
    let other = scratch.file("other.pcap")
    #expect(link(file, other) == 0)
    for target in [file, other] {
      let output = try host.swbpf(["-r", file, "-w", target])
      #expect(output.status == .exited(1) && output.err.contains("\(target): cannot be written"), "\(output.err)")
    }
    #expect(try scratch.bytes("same.pcap") == bytes)
  }

  @Test("a full disk: one line, what was written is intact, status 1", .timeLimit(.minutes(1)))
  func fullDisk() throws {
    let full = try host.swbpf(["-r", packetFile(3), "-w", "/dev/full"])
    #expect(full.status == .exited(1))
    #expect(full.err.contains("swbpf: /dev/full: No space left on device"), "\(full.err)")
    // A live capture into a file system of 64 KiB.
    let receiver = try UDPReceiver(in: host, port: 9)
    let script =
      "mount -t tmpfs -o size=64k tmpfs '\(scratch.path)' && '\(Tool.swbpf)' -i lo -U -w '\(scratch.path)/a.pcap' udp; s=$?; cat '\(scratch.path)/a.pcap'; exit $s"
    let child = try host.start(["unshare", "-m", "sh", "-c", script])
    #expect(child.err.waitFor("listening on") != nil, "\(child.err.text)")
    let sender = try UDPSender(in: host, to: "127.0.0.1", port: 9)
    while child.isRunning && sender.next < 1000 {
      try sender.send(10, size: 1000)
      pause(0.02)
    }
    let output = try child.finish(timeout: 10)
    withExtendedLifetime(receiver) {}
    #expect(output.status == .exited(1))
    #expect(output.err.contains("/a.pcap: No space left on device (what was written is intact)\n"), "\(output.err)")
    let kept = try scratch.file("kept.pcap", holding: child.out.bytes)
    let whole = try numbers(in: kept)
    #expect(whole.count > 10 && whole == (0..<UInt64(whole.count)).map { $0 })
    #expect(output.err.contains("\n\(whole.count) packets captured\n"), "\(output.err)")
  }

  @Test("without rights the message is the command that has them", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func rights() throws {
    for words in [["--bounding-set", "-all", "--inh-caps", "-all"], ["--reuid", "65534", "--clear-groups"]] {
      if words.count == 3 && !isTrueRoot { continue }
      let output = try host.run(["setpriv"] + words + [Tool.swbpf, "-ni", "lo", "-w", "my file.pcap", "tcp port 80"])
      #expect(output.status == .exited(1))
      #expect(output.errorLines.count == 1)
      #expect(
        output.err
          == "swbpf: lo: no permission to capture (socket(AF_PACKET)): try: sudo \(Tool.swbpf) -ni lo -w 'my file.pcap' 'tcp port 80'\n"
      )
    }
    #expect(size(of: "my file.pcap") == -1)
  }

  /// A savefile of so many datagrams of 106 bytes on the wire.
  private func packetFile(_ count: Int) throws -> String {
    let end = LinkEnd(interface: "", mac: [2, 0, 0, 0, 0, 1], ipv4: "10.0.0.1", ipv6: "")
    var bytes: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]
    for number in 0..<count {
      let frame = Frame.udp(
        from: end, to: end, port: 9, payload: [0, 0, 0, 0, 0, 0, 0, UInt8(number)] + [UInt8](repeating: 0, count: 56))
      bytes += [0, 0, 0, 0x60, 0, 0, 0, 0, UInt8(frame.count), 0, 0, 0, UInt8(frame.count), 0, 0, 0] + frame
    }
    return try scratch.file("packets.pcap", holding: bytes)
  }
}

extension Scratch {
  /// The bytes of a file that was just made.
  fileprivate func bytes(_ name: String, of path: String) throws -> [UInt8] {
    try bytes(String(path.dropFirst(self.path.count + 1)))
  }
}
