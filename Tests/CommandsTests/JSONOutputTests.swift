import Glibc
import Testing

@testable import TestSupport

@Suite("--json prints one object per packet", .needsNamespaces, .needsTool("python3"))
struct JSONOutputTests {
  let wire: Wire
  let scratch: Scratch

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
  }

  /// What python3 makes of each line: the values of these paths, as in `interface udp.destination`.
  private func read(_ text: String, _ paths: String) throws -> [String] {
    let script = """
      import json, sys
      for line in sys.stdin:
          whole, row = json.loads(line), []
          for path in sys.argv[1:]:
              value = whole
              for key in path.split("."): value = (value or {}).get(key)
              row.append(str(value))
          print(*row)
      """
    let words = paths.split(separator: " ").map(String.init)
    let output = try wire.far.run(["python3", "-c", script] + words, input: text)
    #expect(output.status == .exited(0), "\(output.err)")
    return output.lines.map(String.init)
  }

  @Test("live, with the interface's name", .timeLimit(.minutes(1)))
  func live() throws {
    let child = try wire.far.capture(["-i", "vb", "-c3", "--json", "udp"])
    let sender = try UDPSender(in: wire.near, to: "10.1.0.2", port: 9)
    try sender.send(3)
    let output = try child.finish()
    #expect(
      try read(output.out, "interface direction link ip.source udp.destination")
        == Array(repeating: "vb None ethernet 10.1.0.1 9", count: 3))
  }

  @Test("of all interfaces, with names and directions", .timeLimit(.minutes(1)))
  func any() throws {
    let child = try wire.far.capture(["-i", "any", "-c2", "--json", "udp port 9"])
    try UDPSender(in: wire.near, to: "10.1.0.2", port: 9).send(1)
    try UDPSender(in: wire.far, to: "10.1.0.1", port: 9).send(1)
    let output = try child.finish()
    #expect(
      try read(output.out, "interface direction link").sorted() == ["vb in linux_sll2", "vb out linux_sll2"])
  }

  @Test("from a file, also while writing another, and without the flags of text", .timeLimit(.minutes(1)))
  func file() throws {
    let child = try wire.far.capture(["-i", "vb", "-c5", "-w", scratch.file("a.pcap"), "udp"])
    try UDPSender(in: wire.near, to: "10.1.0.2", port: 9).send(5)
    try child.finish()
    let output = try wire.far.swbpf(["-r", scratch.file("a.pcap"), "--json", "-c4"])
    #expect(try read(output.out, "link interface length payload").count == 4)
    let flags = try wire.far.swbpf(["-ne", "-r", scratch.file("a.pcap"), "--json", "-c4"])
    #expect(flags.out == output.out)
    let words = ["-r", scratch.file("a.pcap"), "-c4", "--json", "--print", "-w", scratch.file("b.pcap")]
    let both = try wire.far.swbpf(words)
    #expect(both.out == output.out)
    #expect(try packets(in: scratch.file("b.pcap")).count == 4)
  }

  @Test("a file whose stamps no clock gives is read, printed and written", .timeLimit(.minutes(1)))
  func oddStamps() throws {
    var file: [UInt8] = []
    func append(_ values: UInt32...) {
      for value in values { withUnsafeBytes(of: value) { file.append(contentsOf: $0) } }
    }
    append(0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1)
    for microseconds: UInt32 in [7, 0x7fff_ffff, 0x8000_0000, .max] { append(.max, microseconds, 4, 4, 0) }
    let path = try scratch.file("odd.pcap", holding: file)
    for words in [[], ["--json"], ["-w", scratch.file("b.pcap")]] {
      let output = try wire.far.swbpf(["-r", path] + words)
      #expect(output.status == .exited(0) && output.lines.count == (words.count == 2 ? 0 : 4), "\(output)")
    }
    #expect(try packets(in: scratch.file("b.pcap")).count == 4)
  }

  @Test("with -w alone is a mistake", .timeLimit(.minutes(1)))
  func mistake() throws {
    let output = try wire.far.swbpf(["-i", "vb", "--json", "-w", scratch.file("a.pcap")])
    #expect(output.status == .exited(1))
    #expect(output.err.hasPrefix("swbpf: --json prints and -w writes: with --print it can be both\nUsage: "))
    #expect(access(scratch.file("a.pcap"), F_OK) != 0)
  }
}
