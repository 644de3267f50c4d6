// swbpf daemon from its start to its end.
import CPcapShim
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import Testing

@testable import TestSupport

@Suite("swbpf daemon", .needsNamespaces)
struct DaemonCommandTests {
  let scratch: Scratch
  let host: Host

  init() throws {
    scratch = try Scratch()
    host = try Host("daemon")
  }

  private static let config = """
    sysctl net.inet.ip.gifttl=64
    ifconfig gif0 create tunnel 192.0.2.1 192.0.2.2
    ifconfig gif0 inet 10.9.0.1/32 10.9.0.2
    ifconfig gif1 create mtu 1400
    setkey spdadd 10.0.0.1 10.0.0.2 any -P out discard ;

    """

  @Test("what the configuration says is there when it is ready, and gone when it has ended", .timeLimit(.minutes(1)))
  func lifeCycle() throws {
    let daemon = try RunningDaemon(in: host, scratch, config: Self.config)
    #expect(try host.ip("addr show dev gif0").contains("10.9.0.1 peer 10.9.0.2/32"))
    #expect(try host.ip("link show dev gif1").contains("mtu 1400"))
    #expect(try daemon.asking { try $0.interfaceNames() } == ["gif0", "gif1"])
    #expect(try daemon.asking { try $0.setting("net.inet.ip.gifttl").value } == .number(64))
    #expect(try daemon.asking { $0.server.pid } == daemon.child.pid)
    let output = try daemon.end()
    #expect(output.status == .exited(0) && output.err.contains("message=ended"), "\(output.err)")
    #expect(!host.hasLink("gif0") && !host.hasLink("gif1"))
    #expect(access(daemon.socket, F_OK) != 0)
  }

  @Test("SIGINT ends it as well", .timeLimit(.minutes(1)))
  func interrupt() throws {
    let daemon = try RunningDaemon(in: host, scratch, config: "ifconfig gif0 create\n")
    daemon.child.signal(SIGINT)
    #expect(try daemon.child.finish().status == .exited(0))
    #expect(!host.hasLink("gif0"))
  }

  @Test("the service manager is told when it is ready, reads again, ends", .timeLimit(.minutes(1)))
  func notification() throws {
    let path = scratch.file("notify")
    let listener = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    func next() -> String {
      var set = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      guard poll(&set, 1, 10000) == 1 else { return "nothing" }
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = recv(listener, &buffer, buffer.count, 0)
      return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }
    let daemon = try RunningDaemon(
      in: host, scratch, config: "ifconfig gif0 create\n", environment: ["NOTIFY_SOCKET": path])
    #expect(next() == "READY=1")
    daemon.child.signal(SIGHUP)
    #expect(next().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
    #expect(next() == "READY=1")
    #expect(try daemon.end().status == .exited(0))
    #expect(next() == "STOPPING=1")
  }

  @Test("at SIGHUP interfaces whose lines changed are made again, the others stay", .timeLimit(.minutes(1)))
  func reload() throws {
    let daemon = try RunningDaemon(in: host, scratch, config: Self.config)
    func index(_ name: String) throws -> Substring? {
      try host.ip("-o link show dev \(name)").split(separator: ":").first
    }
    let (first, second) = (try index("gif0"), try index("gif1"))
    let changed = Self.config.replacing("mtu 1400", with: "mtu 1300") + "ifconfig gif2 create\n"
    _ = try scratch.file("swbpf.conf", holding: Array(changed.utf8))
    daemon.child.signal(SIGHUP)
    let line = daemon.child.err.waitFor("configuration read again")
    #expect(line?.contains("gif1,gif2") == true, "\(line ?? "")")
    #expect(try index("gif0") == first && index("gif1") != second)
    #expect(try host.ip("link show dev gif1").contains("mtu 1300") && host.hasLink("gif2"))
    #expect(try daemon.end().status == .exited(0))
  }

  @Test("at SIGHUP a file with a mistake, or one that cannot be done, changes nothing", .timeLimit(.minutes(1)))
  func wrongReload() throws {
    let daemon = try RunningDaemon(in: host, scratch, config: Self.config)
    func count() throws -> Int { try host.ip("-o link show").split(separator: "\n").count }
    let before = try count()
    try host.ip("link add gif7 type veth peer name gif8x")
    for text in ["ifconfig gif5 create\nnonsense\n", "ifconfig gif5 create\nifconfig gif7 create\n"] {
      _ = try scratch.file("swbpf.conf", holding: Array(text.utf8))
      daemon.child.signal(SIGHUP)
      #expect(daemon.child.err.waitFor("nothing has changed") != nil)
      #expect(!host.hasLink("gif5"))
      #expect(try daemon.asking { try $0.interfaceNames() } == ["gif0", "gif1"])
    }
    try host.ip("link del gif7")
    // In the second case gif0 and gif1 were made again.
    #expect(try count() == before)
    #expect(try host.ip("addr show dev gif0").contains("10.9.0.1 peer 10.9.0.2/32"))
    #expect(try daemon.end().status == .exited(0))
  }

  @Test("a configuration with mistakes is refused with all of them, and nothing is made", .timeLimit(.minutes(1)))
  func wrongConfiguration() throws {
    let text = "ifconfig gif0 create\nsysctl net.inet.ip.gifttl=0\nfoo\n"
    let path = try scratch.file("wrong.conf", holding: Array(text.utf8))
    for check in [[], ["--check"]] {
      let output = try host.swbpf(["daemon", "--config", path, "--socket", scratch.file("d.sock")] + check)
      #expect(output.status == .exited(1))
      #expect(output.err.contains("wrong.conf:2: ") && output.err.contains("wrong.conf:3: "), "\(output.err)")
    }
    #expect(!host.hasLink("gif0") && access(scratch.file("d.sock"), F_OK) != 0)
    let right = try scratch.file("right.conf", holding: Array(Self.config.utf8))
    #expect(try host.swbpf(["daemon", "--check", "--config", right]).status == .exited(0))
  }

  @Test("a name that a real device has is refused, and nothing is half made", .timeLimit(.minutes(1)))
  func takenName() throws {
    try host.ip("link add gif3 type veth peer name gif8x")
    let path = try scratch.file("c", holding: Array("ifconfig gif0 create\nifconfig gif3 create\n".utf8))
    let output = try host.swbpf(["daemon", "--config", path, "--socket", scratch.file("d.sock")])
    #expect(output.status == .exited(1) && output.err.contains("gif3"), "\(output.err)")
    #expect(!host.hasLink("gif0") && host.hasLink("gif3") && access(scratch.file("d.sock"), F_OK) != 0)
  }

  @Test(
    "without CAP_NET_ADMIN or CAP_NET_RAW it says so and ends (T-173)", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func withoutRights() throws {
    for capability in ["net_admin", "net_raw"] {
      let words = ["setpriv", "--bounding-set=-\(capability)", "--inh-caps=-\(capability)"]
      let output = try host.run(words + [Tool.swbpf, "daemon", "--socket", scratch.file("d.sock")])
      #expect(output.status == .exited(1))
      #expect(output.err.contains("CAP_\(capability.uppercased())"), "\(output.err)")
      #expect(output.err.contains("Operation not permitted") && output.err.contains("sudo"), "\(output.err)")
      #expect(access(scratch.file("d.sock"), F_OK) != 0)
    }
  }

  @Test("it keeps no right but those of the network", .timeLimit(.minutes(1)))
  func capabilities() throws {
    let daemon = try RunningDaemon(in: host, scratch)
    let status = try Child(["sh", "-c", "cat /proc/\(daemon.child.pid)/task/*/status"]).finish().out
    let sets = status.split(separator: "\n").filter { $0.hasPrefix("CapEff:") || $0.hasPrefix("CapPrm:") }
    #expect(!sets.isEmpty && sets.allSatisfy { $0.hasSuffix("0000000000003000") }, "\(sets)")
    #expect(try daemon.end().status == .exited(0))
  }

  @Test("one that was killed leaves its name, and the next takes it", .timeLimit(.minutes(1)))
  func killed() throws {
    let first = try RunningDaemon(in: host, scratch, config: "ifconfig gif0 create\n")
    first.child.signal(SIGKILL)
    _ = try first.child.finish()
    #expect(throws: DaemonFailure.noDaemon(path: first.socket)) { try first.asking { _ in } }
    let second = try RunningDaemon(in: host, scratch, config: "ifconfig gif0 create\n")
    #expect(try second.asking { try $0.interfaceNames() } == ["gif0"])
    #expect(try second.end().status == .exited(0))
  }

  @Test("a second one at the same socket is refused and harms nothing", .timeLimit(.minutes(1)))
  func second() throws {
    let daemon = try RunningDaemon(in: host, scratch, config: "ifconfig gif0 create\n")
    let output = try host.swbpf(["daemon", "--socket", daemon.socket])
    #expect(output.status == .exited(1) && output.err.contains("another daemon listens there"), "\(output.err)")
    #expect(try daemon.asking { try $0.interfaceNames() } == ["gif0"])
    #expect(try daemon.end().status == .exited(0))
  }

  @Test("a log that nobody reads holds nothing up", .timeLimit(.minutes(1)))
  func blockedLog() throws {
    let pipe = try openPipe()
    defer { close(pipe.reading) }
    _ = fcntl(pipe.writing, 1031, 4096)  // F_SETPIPE_SZ
    let socket = scratch.file("d.sock")
    let child = try host.start([Tool.swbpf, "daemon", "--socket", socket], errors: .descriptor(pipe.writing))
    close(pipe.writing)
    #expect(eventually(within: 20) { (try? host.inside { try DaemonClient(socket: socket) }) != nil })
    try host.inside {
      let client = try DaemonClient(socket: socket)
      for _ in 0..<200 {
        try client.createInterface("gif0")
        try client.destroyInterface("gif0")
      }
    }
    child.signal(SIGTERM)
    #expect(try child.finish().status == .exited(0))
  }

  // MARK: Where it listens

  @Test(
    "without --socket each network namespace has its own, in /run/swbpfd", .timeLimit(.minutes(1)), .needsOtherUsers)
  func defaultSocket() throws {
    let other = try Host("other")
    var children: [Child] = []
    for (host, name) in [(host, "gif0"), (other, "gif1")] {
      let path = try scratch.file(name, holding: Array("ifconfig \(name) create\n".utf8))
      let child = try host.start([Tool.swbpf, "daemon", "--config", path])
      #expect(child.err.waitFor("message=ready", timeout: 20)?.contains("/run/swbpfd/") == true)
      children.append(child)
    }
    #expect(try host.inside { try DaemonClient().interfaceNames() } == ["gif0"])
    #expect(try other.inside { try DaemonClient().interfaceNames() } == ["gif1"])
    for child in children {
      child.signal(SIGTERM)
      #expect(try child.finish().status == .exited(0))
    }
    #expect(throws: DaemonFailure.self) { try host.inside { try DaemonClient() } }
  }

  @Test("--netns names the namespace of its tunnels", .timeLimit(.minutes(1)), .needsOtherUsers)
  func namespace() throws {
    let path = try scratch.file("c", holding: Array("ifconfig gif0 create\n".utf8))
    let child = try Child([
      Tool.swbpf, "daemon", "--config", path, "--netns", "/proc/\(getpid())/fd/\(host.netns)",
    ])
    #expect(child.err.waitFor("message=ready", timeout: 20) != nil)
    #expect(host.hasLink("gif0"))
    #expect(try host.inside { try DaemonClient().interfaceNames() } == ["gif0"])
    child.signal(SIGTERM)
    #expect(try child.finish().status == .exited(0))
  }

  @Test("another user sees interfaces, and changes nothing", .timeLimit(.minutes(1)), .needsOtherUsers)
  func otherUser() throws {
    let path = try scratch.file("c", holding: Array("ifconfig gif0 create\n".utf8))
    let child = try host.start([Tool.swbpf, "daemon", "--config", path])
    #expect(child.err.waitFor("message=ready", timeout: 20) != nil)
    let user = try OtherUser(4711, in: scratch)
    let listing = try user.swbpf(in: host, ["setkey", "-D"])
    #expect(listing.status == .exited(1) && listing.err.contains("only root"), "\(listing.err)")
    let peers = try user.swbpf(in: host, ["peers", "--json"])
    #expect(peers.status == .exited(0), "\(peers.err)")
    // A directory of his own makes nobody trust his daemon in root's place.
    child.signal(SIGTERM)
    #expect(try child.finish().err.contains("uid=4711"))
  }
}
