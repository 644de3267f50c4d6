import Glibc
import Testing

@testable import TestSupport

/// The command runs in `far`; what it captures is in `near`, which only the option names.
@Suite("--netns: another network namespace", .needsNamespaces)
struct NetworkNamespaceTests {
  let wire: Wire
  let scratch: Scratch
  /// A process of `near`, for its number.
  let resident: Child

  init() throws {
    wire = try Wire()
    scratch = try Scratch()
    resident = try wire.near.start(["sleep", "60"])
    let (namespace, pid) = (wire.near, resident.pid)
    #expect(try eventually { try namespace.run(["readlink", "/proc/\(pid)/ns/net"]).out != "" })
  }

  private func exchange() throws {
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    try sender.send(3)
  }

  @Test("PID and PATH capture there, sent packets included", .timeLimit(.minutes(1)))
  func capture() throws {
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    for name in ["\(resident.pid)", "/proc/\(resident.pid)/ns/net"] {
      let child = try wire.far.capture(["--netns", name, "-i", "va", "-w", scratch.file("a.pcap"), "outbound"])
      #expect(child.err.text.contains("listening on va,"))
      try exchange()
      #expect(try child.stop().err.hasSuffix(counts(3)))
      #expect(try numbers(in: scratch.file("a.pcap")) == [0, 1, 2])
    }
    withExtendedLifetime(receiver) {}
  }

  @Test("NAME is one of ip netns", .timeLimit(.minutes(1)))
  func named() throws {
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    // A /run of its own: names are the machine's.
    let script = """
      mount -t tmpfs tmpfs /run && mkdir /run/netns && touch /run/netns/blue &&
      mount --bind /proc/\(resident.pid)/ns/net /run/netns/blue &&
      exec '\(Tool.swbpf)' --netns blue -i va -c 3 -w - udp
      """
    let child = try wire.far.start(["unshare", "-m", "sh", "-c", script], output: .file(scratch.file("n.pcap")))
    #expect(child.err.waitFor("listening on va") != nil, "\(child.err.text)")
    try exchange()
    #expect(try child.finish().status == .exited(0))
    #expect(try numbers(in: scratch.file("n.pcap")) == [0, 1, 2])
    withExtendedLifetime(receiver) {}
  }

  @Test("-D, -L and -d are of that namespace; an interface that comes there is heard of", .timeLimit(.minutes(1)))
  func listings() throws {
    let name = "\(resident.pid)"
    let list = try wire.far.swbpf(["-D", "--netns", name])
    #expect(list.out.hasPrefix("1.va [Up, Running") && !list.out.contains("vb"), "\(list.out)")
    #expect(try wire.far.swbpf(["--netns", name, "-L", "-i", "va"]).status == .exited(0))
    let none = try wire.far.swbpf(["--netns", name, "-d", "-i", "vb"])
    #expect(none.status == .exited(1) && none.err.contains("no such interface"))
    // The netmask that `ip broadcast` asks for is the one there.
    let there = try wire.near.swbpf(["-d", "-i", "va", "ip broadcast"])
    #expect(try wire.far.swbpf(["--netns", name, "-d", "-i", "va", "ip broadcast"]).out == there.out)
    let child = try wire.far.capture(
      ["--netns", name, "--persist", "-i", "late", "-w", scratch.file("a.pcap")], saying: "waiting for it")
    try wire.near.ip("link add late type veth peer name early")
    try wire.near.ip("link set early up")
    try wire.near.ip("link set late up")
    #expect(child.err.waitFor("listening on late") != nil)
    #expect(try child.stop().status == .exited(0))
  }

  @Test("files stay where the command was started", .timeLimit(.minutes(1)))
  func mounts() throws {
    let script = """
      mount -t tmpfs tmpfs '\(scratch.path)' || exit
      '\(Tool.swbpf)' --netns \(resident.pid) -i va -w '\(scratch.path)/m.pcap' &
      child=$!
      sleep 1
      kill -INT $child
      wait $child
      stat -c %s '\(scratch.path)/m.pcap'
      """
    let output = try wire.far.run(["unshare", "-m", "sh", "-c", script])
    #expect(output.out == "24\n", "\(output.err)")
    #expect(size(of: scratch.file("m.pcap")) == -1)
  }

  @Test("what is no namespace", .timeLimit(.minutes(1)))
  func refused() throws {
    let plain = try scratch.file("plain", holding: [])
    for (name, message) in [
      ("nowhere", "swbpf: --netns nowhere: no such namespace: there is no /run/netns/nowhere (try: ip netns)\n"),
      ("99999999", "swbpf: --netns 99999999: no such process\n"),
      ("./nothing", "swbpf: --netns ./nothing: no such file\n"),
      (plain, "swbpf: --netns \(plain): \(plain) is not a network namespace\n"),
      ("/proc/self/ns/mnt", "swbpf: --netns /proc/self/ns/mnt: /proc/self/ns/mnt is not a network namespace\n"),
    ] {
      let output = try wire.far.swbpf(["--netns", name, "-D"])
      #expect(output.status == .exited(1) && output.out.isEmpty)
      #expect(output.err == message)
    }
  }

  @Test("without CAP_SYS_ADMIN: one line with the way out", .timeLimit(.minutes(1)), .needsTool("setpriv"))
  func rights() throws {
    let output = try wire.far.run([
      "setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", Tool.swbpf, "--netns",
      "/proc/\(resident.pid)/ns/net", "-i", "va",
    ])
    #expect(output.status == .exited(1) && output.errorLines.count == 1)
    #expect(output.err.contains("no permission to enter it (it takes CAP_SYS_ADMIN): try: sudo "), "\(output.err)")
  }
}
