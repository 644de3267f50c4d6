import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("swbpf ifconfig makes gif interfaces of a daemon", .needsNamespaces)
struct IfconfigGifTests {
  private let scratch: Scratch
  private let host: Host
  private let daemon: Child
  private var socket: String { scratch.file("d.sock") }

  init() throws {
    scratch = try Scratch()
    host = try Host()
    daemon = try host.start([Tool.swbpf, "daemon", "--socket", scratch.file("d.sock")])
    guard daemon.err.waitFor("ready") != nil else {
      daemon.signal(SIGKILL)
      throw SupportError.command(daemon.command, try daemon.finish())
    }
  }

  private func ifconfig(_ words: String) throws -> Child.Output {
    try host.swbpf(["ifconfig", "--socket", socket] + words.split(separator: " ").map(String.init))
  }

  /// Without a word, exit status 0.
  private func done(_ words: String, _ place: SourceLocation = #_sourceLocation) throws {
    let output = try ifconfig(words)
    #expect(
      output.status == .exited(0) && output.out.isEmpty && output.err.isEmpty, "\(output.err)", sourceLocation: place)
  }

  private func end() throws {
    daemon.signal(SIGTERM)
    let output = try daemon.finish()
    #expect(output.status == .exited(0), "\(output.err)")
  }

  @Test("flags and MTU as words change them (T-074, T-075, T-076, T-078, T-103)", .timeLimit(.minutes(1)))
  func flags() throws {
    try done("gif0 create")
    #expect(try ifconfig("gif0").out == "gif0: flags=8010<POINTOPOINT,MULTICAST> mtu 1280\n")
    try done("gif0 deletetunnel")
    for bytes in ["1279", "8193", "0"] {
      let refused = try ifconfig("gif0 mtu \(bytes)")
      #expect(refused.status == .exited(0) && refused.err.hasPrefix("ifconfig: SIOCSIFMTU: Invalid argument"))
    }
    try done("gif0 mtu 8192")
    #expect(try ifconfig("gif0").out == "gif0: flags=8010<POINTOPOINT,MULTICAST> mtu 8192\n")
    try done("gif0 mtu 1280 tunnel 10.0.0.1 10.0.0.2")
    let configured = "gif0: flags=8050<POINTOPOINT,RUNNING,MULTICAST> mtu 1280\n\ttunnel inet 10.0.0.1 --> 10.0.0.2\n"
    #expect(try ifconfig("gif0").out == configured)
    try done("gif0 link0 link1 link2 up -link1 unnumbered down -unnumbered")
    #expect(try ifconfig("gif0").lines.first == "gif0: flags=d050<POINTOPOINT,RUNNING,LINK0,LINK2,MULTICAST> mtu 1280")
    try done("gif0 deletetunnel -link0 -link2")
    #expect(try ifconfig("gif0").out == "gif0: flags=8010<POINTOPOINT,MULTICAST> mtu 1280\n")
    try end()
  }

  @Test("an inner address sets UP, and the system knows it (T-077, T-166)", .timeLimit(.minutes(1)))
  func addresses() throws {
    try done("gif0 create tunnel 10.0.0.1 10.0.0.2 inet 172.16.1.1/32 172.16.2.1")
    #expect(
      try ifconfig("gif0").out.hasPrefix(
        """
        gif0: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280
        \ttunnel inet 10.0.0.1 --> 10.0.0.2
        \tinet 172.16.1.1 -> 172.16.2.1 netmask 0xffffffff

        """))
    func system() throws -> String { try host.run(["ip", "-o", "addr", "show", "dev", "gif0"]).out }
    #expect(try system().contains("inet 172.16.1.1 peer 172.16.2.1/32 "))
    try done("gif0 inet6 fc00:3::1 fc00:4::1")
    #expect(try ifconfig("gif0").out.contains("\tinet6 fc00:3::1 -> fc00:4::1 prefixlen 128\n"))
    #expect(try system().contains("inet6 fc00:3::1 peer fc00:4::1/128 "))
    // Without alias the first one goes.
    try done("gif0 inet 172.16.1.2/32 172.16.2.2")
    #expect(try !system().contains("172.16.1.1") && system().contains("inet 172.16.1.2 peer 172.16.2.2/32 "))
    try done("gif0 inet 172.16.1.3 172.16.2.3 alias")
    #expect(try system().contains("172.16.1.2") && system().contains("172.16.1.3"))
    try done("gif0 inet 172.16.1.2 delete")
    let text = try ifconfig("gif0 inet").out
    #expect(!text.contains("172.16.1.2") && text.contains("\tinet 172.16.1.3 -> 172.16.2.3 netmask 0xffffffff\n"))
    try end()
  }

  @Test(
    "a pair that another has is refused with exit status 0 until that one is gone (T-098, T-099, T-162)",
    .timeLimit(.minutes(1)))
  func pairs() throws {
    try done("gif0 create tunnel 10.0.0.1 10.0.0.2")
    try done("gif1 create tunnel 10.0.0.11 10.0.0.12")
    let refused = try ifconfig("gif1 tunnel 10.0.0.1 10.0.0.2")
    #expect(refused.status == .exited(0) && refused.out.isEmpty)
    #expect(refused.err.hasPrefix("ifconfig: SIOCSLIFPHYADDR: Cannot assign requested address"), "\(refused.err)")
    #expect(try ifconfig("gif1").out.contains("\ttunnel inet 10.0.0.11 --> 10.0.0.12\n"))
    try done("gif1 tunnel 10.0.0.2 10.0.0.1")
    try done("gif0 destroy")
    try done("gif1 tunnel 10.0.0.1 10.0.0.2")
    #expect(try ifconfig("-l").out == "gif1\n")
    try end()
  }

  @Test("interfaces that cannot be made or found: a line, exit status 1 (T-079, T-165)", .timeLimit(.minutes(1)))
  func names() throws {
    try host.ip("link add gif7 type veth peer name other")
    try done("gif0 create up tunnel 10.0.0.1 10.0.0.2")
    for (words, text) in [
      ("gif0 create", "SIOCIFCREATE: File exists"), ("gif7 create", "SIOCIFCREATE: Device or resource busy"),
      ("vlan0 create", "SIOCIFCREATE: Invalid argument"), ("gif1", "SIOCGIFFLAGS gif1: No such device or address"),
    ] {
      let refused = try ifconfig(words)
      #expect(refused.status == .exited(1) && refused.out.isEmpty)
      #expect(refused.err.hasPrefix("ifconfig: " + text), "\(refused.err)")
    }
    let session = try ifconfig("gif0 session 1 2")
    #expect(session.status == .exited(1))
    #expect(session.err.hasPrefix("ifconfig: SIOCSL2TPSESSION: "), "\(session.err)")
    #expect(session.err.hasSuffix(" (valid only with l2tp(4) interfaces)\n"))
    #expect(try host.run(["ip", "link", "show", "gif0"]).status == .exited(0))
    try done("gif0 destroy")
    #expect(try host.run(["ip", "link", "show", "gif0"]).status != .exited(0))
    try end()
  }

  @Test("settings of tunnels (T-082)", .timeLimit(.minutes(1)))
  func settings() throws {
    func sysctl(_ words: String...) throws -> Child.Output { try host.swbpf(["sysctl", "--socket", socket] + words) }
    #expect(
      try sysctl("net.inet.ip.gifttl", "net.inet6.ip6.gifhlim").out
        == "net.inet.ip.gifttl = 30\nnet.inet6.ip6.gifhlim = 30\n")
    #expect(try sysctl("net.inet.ip.gifttl=64").out == "net.inet.ip.gifttl: 30 -> 64\n")
    #expect(try sysctl("-n", "net.inet.ip.gifttl").out == "64\n")
    #expect(try sysctl("net.inet.ip.gifttl=0").status == .exited(1))
    try end()
  }

  @Test("settings of the bpf layer are the daemon's", .timeLimit(.minutes(1)))
  func bpfSettings() throws {
    func sysctl(_ words: String...) throws -> Child.Output { try host.swbpf(["sysctl", "--socket", socket] + words) }
    #expect(
      try sysctl("net.bpf").out == """
        net.bpf.bufsize = 32768
        net.bpf.maxbufsize = 16777216
        net.bpf.maxinsns = 512
        net.bpf.optimize_writers = 0

        """)
    #expect(try sysctl("net.bpf.maxbufsize=65536").out == "net.bpf.maxbufsize: 16777216 -> 65536\n")
    let refused = try sysctl("net.bpf.bufsize=65537", "net.bpf.maxinsns=4097")
    #expect(refused.status == .exited(1) && refused.out.isEmpty && refused.err.split(separator: "\n").count == 2)
    #expect(try sysctl("net.bpf.bufsize=65536").out == "net.bpf.bufsize: 32768 -> 65536\n")
    try end()
  }
}
