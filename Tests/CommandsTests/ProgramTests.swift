import Glibc
import Testing

@testable import TestSupport

@Suite("-d: the compiled program", .needsNamespaces, .needsTool("tcpdump"))
struct ProgramTests {
  let wire: Wire
  let scratch: Scratch

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
  }

  @Test(
    "-d, -dd and -ddd print what tcpdump prints, and nothing is captured", .timeLimit(.minutes(1)),
    arguments: [
      ["-i", "vb", "udp port 9"], ["-i", "any", "udp port 9"], ["-y", "EN10MB", "host 10.0.0.1 or arp"],
      ["-y", "LINUX_SLL2", "ip6"], ["-i", "vb", "-O", "tcp port 80"], ["-i", "vb", "-s96", "ip"], ["-i", "vb"],
      ["-i", "vb", "outbound"], ["tcp"], [],
    ])
  func asTcpdump(words: [String]) throws {
    for form in ["-d", "-dd", "-ddd"] {
      let ours = try wire.far.swbpf([form] + words)
      let theirs = try wire.far.run(["tcpdump", form] + words)
      #expect(ours.status == .exited(0) && theirs.status == .exited(0))
      #expect(ours.out == theirs.out && !ours.out.isEmpty, "\(ours.err) \(theirs.err)")
      #expect(!ours.err.contains("listening"))
    }
  }

  @Test("-r FILE: the program for the file's link type and snapshot length", .timeLimit(.minutes(1)))
  func ofFile() throws {
    let header: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 101, 0, 0, 0]
    let file = try scratch.file("raw.pcap", holding: header)
    for words in [["-d", "-r", file, "udp"], ["-ddd", "-r", file], ["-d", "-r", file, "ip6 protochain 6"]] {
      let ours = try wire.far.swbpf(words)
      #expect(ours.status == .exited(0) && !ours.out.isEmpty)
      #expect(try ours.out == wire.far.run(["tcpdump"] + words).out)
    }
  }

  @Test("the interface's netmask is in the program: tcpdump 4.99.3 does not know it", .timeLimit(.minutes(1)))
  func netmask() throws {
    #expect(try wire.far.swbpf(["-d", "-i", "vb", "ip broadcast"]).out.contains("jset     #0xff "))
  }

  @Test("no rights are needed", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func withoutRights() throws {
    let none = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    for words in [["-d", "-y", "EN10MB", "tcp"], ["-d", "tcp"], ["-d", "-i", "vb", "tcp"]] {
      let output = try wire.far.run(none + [Tool.swbpf] + words)
      #expect(output.status == .exited(0))
      #expect(try output.out == wire.far.run(["tcpdump", "-d", "-y", "EN10MB", "tcp"]).out)
    }
  }

  @Test(
    "what has no program", .timeLimit(.minutes(1)),
    arguments: [
      (["-d", "-i", "nowhere0"], "swbpf: nowhere0: no such interface (try swbpf -D)\n"),
      (["-d", "-y", "NOTHING"], "swbpf: -y NOTHING: unknown link type\n"),
      (["-d", "-i", "vb", "-y", "RAW"], "swbpf: -y RAW: vb has only EN10MB (Ethernet) (try swbpf -L -i vb)\n"),
      (
        ["-d", "-i", "vb", "port"],
        "swbpf: cannot compile the filter expression \u{201c}port\u{201d}: can't parse filter expression: syntax error\n"
      ),
    ])
  func refused(words: [String], message: String) throws {
    let output = try wire.far.swbpf(words)
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.err == message)
  }
}
