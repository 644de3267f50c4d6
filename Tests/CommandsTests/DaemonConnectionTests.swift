import Glibc
import SwBPFInterfaces
import SwBPFPackets
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("swbpf ifconfig and sysctl ask a daemon")
struct DaemonConnectionTests {
  private let scratch: Scratch
  private let table = InterfaceTable()

  init() throws { scratch = try Scratch() }

  @Test("each word is a request, and what comes back is printed", .timeLimit(.minutes(1)))
  func session() throws {
    let served = try ServedTable(table, in: scratch)
    func ifconfig(_ words: String...) throws -> Child.Output {
      try Child([Tool.swbpf, "ifconfig"] + words, environment: ["SWBPF_SOCKET": served.path]).finish()
    }
    let made = try ifconfig(
      "gif0", "create", "inet", "172.16.1.1/32", "172.16.2.1", "tunnel", "10.0.0.1", "10.0.0.2", "up")
    #expect(made.status == .exited(0) && made.out.isEmpty && made.err.isEmpty, "\(made.err)")
    #expect(
      try ifconfig("gif0").out == """
        gif0: flags=8011<UP,POINTOPOINT,MULTICAST> mtu 1280
        \ttunnel inet 10.0.0.1 --> 10.0.0.2
        \tinet 172.16.1.1 -> 172.16.2.1 netmask 0xffffffff

        """)
    #expect(try ifconfig("gif1", "create").status == .exited(0))
    let taken = try ifconfig("gif1", "tunnel", "10.0.0.1", "10.0.0.2", "up")
    #expect(taken.status == .exited(0))
    #expect(taken.err == "ifconfig: SIOCSLIFPHYADDR: Cannot assign requested address\n")
    #expect(table.rows[1].flags.contains(.up))
    let again = try ifconfig("gif1", "create")
    #expect(again.status == .exited(1) && again.err == "ifconfig: SIOCIFCREATE: File exists\n")
    let missing = try ifconfig("gif2")
    #expect(
      missing.status == .exited(1) && missing.err == "ifconfig: SIOCGIFFLAGS gif2: No such device or address\n")
    #expect(try ifconfig("-l").out == "gif0 gif1\n")
    #expect(try ifconfig("gif1", "destroy").status == .exited(0))
    #expect(try ifconfig("-a").lines.count == 3)
  }

  @Test("settings are listed, changed, and kept in their range", .timeLimit(.minutes(1)))
  func settings() throws {
    let served = try ServedTable(table, in: scratch)
    func sysctl(_ words: String...) throws -> Child.Output {
      try Child([Tool.swbpf, "sysctl", "--socket", served.path] + words).finish()
    }
    #expect(try sysctl().out == "net.inet.ip.gifttl = 30\nnet.l2tp.anysource = 0\n")
    #expect(try sysctl("net.inet").out == "net.inet.ip.gifttl = 30\n")
    #expect(try sysctl("net.inet.ip.gifttl=64").out == "net.inet.ip.gifttl: 30 -> 64\n")
    #expect(table.settings[0].value == .number(64))
    let wrong = try sysctl("net.inet.ip.gifttl=256", "-n", "net.inet.ip.gifttl")
    #expect(wrong.status == .exited(1) && wrong.out == "64\n")
    #expect(try sysctl("net.none").err == "sysctl: net.none: no such setting (swbpf sysctl -a lists all)\n")
  }

  @Test("the names of thousands of interfaces come in parts", .timeLimit(.minutes(1)))
  func many() throws {
    let served = try ServedTable(table, in: scratch)
    let names = (0..<20000).map { "gif\($0)" }
    table.rows = names.map { InterfaceStatus(name: $0, flags: [], mtu: 1280) }
    let output = try Child([Tool.swbpf, "ifconfig", "--socket", served.path, "-l"]).finish()
    #expect(output.status == .exited(0) && output.out == names.joined(separator: " ") + "\n")
  }

  @Test("another user sees, but changes nothing", .timeLimit(.minutes(1)), .needsOtherUsers)
  func otherUser() throws {
    let served = try ServedTable(table, in: scratch)
    table.rows = [InterfaceStatus(name: "gif0", flags: [], mtu: 1280)]
    let user = try OtherUser(4715, in: scratch)
    chmod(scratch.path, 0o755)
    func run(_ words: String...) throws -> Child.Output {
      try Child(user.prefix() + [scratch.file("swbpf")] + words).finish()
    }
    #expect(try run("ifconfig", "--socket", served.path).out == "gif0: flags=0<> mtu 1280\n")
    let up = try run("ifconfig", "--socket", served.path, "gif0", "up")
    #expect(up.status == .exited(1) && up.out.isEmpty)
    #expect(up.err.hasPrefix("ifconfig: SIOCSIFFLAGS: Operation not permitted: try: sudo "), "\(up.err)")
    #expect(up.err.hasSuffix(" ifconfig --socket \(served.path) gif0 up\n"))
    let set = try run("sysctl", "--socket", served.path, "net.inet.ip.gifttl=1")
    #expect(set.status == .exited(1) && set.err.contains("Operation not permitted: try: sudo "), "\(set.err)")
    #expect(table.rows[0].flags.isEmpty && table.settings[0].value == .number(30))
  }

  @Test("a place that cannot be trusted is not asked", .timeLimit(.minutes(1)))
  func untrusted() throws {
    let served = try ServedTable(table, in: scratch)
    chmod(scratch.path, 0o777)
    let output = try Child([Tool.swbpf, "ifconfig", "--socket", served.path, "-l"]).finish()
    #expect(output.status == .exited(1) && output.out.isEmpty)
    #expect(output.err.hasPrefix("ifconfig: \(served.path): not asked: "), "\(output.err)")
  }
}
