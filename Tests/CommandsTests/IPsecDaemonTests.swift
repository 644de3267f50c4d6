// ipsec interfaces of a daemon, by its file and by commands.
import Glibc
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("A daemon with ipsec interfaces", .needsNamespaces)
struct IPsecDaemonTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  // MARK: Vectors

  /// One association for each transform that has vectors: SPI, words of setkey without its key's use, bytes of a vector.
  private static let transforms: [(spi: Int, ipv6: Bool, reqid: Int, words: String, vector: Int)] = [
    (10000, false, 8192, "-E aes-gcm-16 \"gggggggggggggggggggg\"", 8),
    (10001, false, 8193, "-E aes-ctr \"cccccccccccccccccccc\" -A hmac-sha256 \"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh\"", 8),
    (10002, true, 8194, "-E chacha20-poly1305 \"pppppppppppppppppppppppppppppppppppp\"", 8),
    (
      10003, true, 8195,
      "-E aes-cbc \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" -A hmac-sha256 \"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\"", 16
    ),
  ]

  private static func associations(_ wire: Wire, options: String = "") -> String {
    transforms.map { one in
      let (a, b) = one.ipv6 ? (wire.nearEnd.ipv6, wire.farEnd.ipv6) : (wire.nearEnd.ipv4, wire.farEnd.ipv4)
      return "add \(a) \(b) esp \(one.spi) -u \(one.reqid) -m transport \(options) \(one.words) ;\n"
    }.joined()
  }

  private static func config(_ wire: Wire, mtu: Int = 1400, options: String = "") -> String {
    """
    sysctl net.ipsecif.use_fixed_reqid=1
    sysctl net.ipsec.chacha=1
    ifconfig ipsec0 create tunnel \(wire.nearEnd.ipv4) \(wire.farEnd.ipv4) mtu \(mtu)
    ifconfig ipsec0 inet 172.16.1.1/32 172.16.2.1
    ifconfig ipsec0 inet6 fc00:3::1/128 fc00:4::1
    ifconfig ipsec1 create tunnel \(wire.nearEnd.ipv6) \(wire.farEnd.ipv6) mtu \(mtu)
    ifconfig ipsec1 inet 172.16.3.1/32 172.16.4.1
    ifconfig ipsec1 inet6 fc00:5::1/128 fc00:6::1

    """
      + associations(wire, options: options).split(separator: "\n").map { "setkey \($0)\n" }.joined()
  }

  private struct Sealed {
    let spi: Int
    let sequence: Int
    let rest: [UInt8]
  }

  private func sealed(_ name: String) throws -> [Sealed] {
    try packets(in: scratch.file(name)).map { packet in
      let esp = packet.bytes.dropFirst(14 + (packet.bytes[12] == 0x86 ? 40 : 20))
      func word(_ offset: Int) -> Int { esp.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | Int($1) } }
      return Sealed(spi: word(0), sequence: word(4), rest: Array(esp.dropFirst(8)))
    }
  }

  @Test(
    "over configurations that are read again, refused, changed in every part, over restarts, kills, and associations added again by hand: on the wire no vector comes twice under one key",
    .timeLimit(.minutes(2)))
  func vectors() throws {
    let wire = try Wire(ipv6: true)
    let capture = try wire.far.capture([
      "-i", "vb", "-w", scratch.file("esp.pcap"), "ip proto 50 or ip6 proto 50",
    ])
    let endpoint = try capture.endpoint()
    let each = 60
    var sent: UInt64 = 0
    func send() throws {
      for address in ["172.16.2.1", "fc00:4::1", "172.16.4.1", "fc00:6::1"] {
        try UDPSender(in: wire.near, to: address, port: 9).send(each, size: 100)
        sent += UInt64(each)
      }
      #expect(eventually(within: 20) { (endpoint.status?.number("captured") ?? 0) >= sent })
    }
    var daemon = try RunningDaemon(in: wire.near, scratch, config: Self.config(wire))
    func reload(_ text: String, says word: String = "configuration read again") throws {
      _ = try scratch.file("swbpf.conf", holding: Array(text.utf8))
      daemon.child.signal(SIGHUP)
      #expect(daemon.child.err.waitFor(word, timeout: 20) != nil, "\(daemon.child.err.text)")
      try send()
    }
    // Lives of an association: after each its sequence numbers begin with 1 again.
    try send()
    try reload(Self.config(wire))
    try reload(Self.config(wire, mtu: 1300))
    try reload(Self.config(wire, mtu: 1300, options: "-lh 90000 -ls 80000"))
    try wire.near.ip("link add gif7 type veth peer name gif8x")
    try reload(Self.config(wire) + "ifconfig gif7 create\n", says: "nothing has changed")
    #expect(try daemon.end().status == .exited(0))
    daemon = try RunningDaemon(in: wire.near, scratch, config: Self.config(wire))
    try send()
    daemon.child.signal(SIGKILL)
    _ = try daemon.child.finish()
    daemon = try RunningDaemon(in: wire.near, scratch, config: Self.config(wire))
    try send()
    let again = try daemon.swbpf("setkey", "-c", input: "flush ;\n" + Self.associations(wire))
    #expect(again.status == .exited(0), "\(again.err)")
    try send()
    let lives = 6
    #expect(try daemon.end().status == .exited(0))
    #expect(try capture.stop().status == .exited(0))

    let all = try sealed("esp.pcap")
    for one in Self.transforms {
      let own = all.filter { $0.spi == one.spi }
      #expect(own.count >= 8 * each, "\(one.spi)")
      #expect(Set(own.map { Array($0.rest.prefix(one.vector)) }).count == own.count, "\(one.spi): a vector came twice")
      // Words of the system's own over IPv6 may use what is added and taken back when a configuration is refused.
      let firsts = own.count { $0.sequence == 1 }
      #expect(one.reqid % 2 == 0 ? firsts == lives : firsts >= lives, "\(one.spi) \(firsts)")
    }
    #expect(Set(all.map(\.spi)) == Set(Self.transforms.map(\.spi)))
  }

  // MARK: Captures

  /// Captures both directions, each of them and lines on an interface of a daemon while it carries pings.
  private func captures(
    _ interface: String, near: (Wire) -> String, far: (Wire) -> String, linkType: String, header: Int
  ) throws {
    let wire = try Wire()
    for host in [wire.near, wire.far] { try host.write("1", to: "/proc/sys/net/ipv6/conf/default/disable_ipv6") }
    let daemon = try RunningDaemon(in: wire.near, scratch, config: near(wire))
    let other = try Scratch()
    let farDaemon = try RunningDaemon(in: wire.far, other, config: far(wire))
    func start(_ words: [String], at host: Host? = nil) throws -> Child {
      let child = try (host ?? wire.near).start(
        [Tool.swbpf] + words, environment: host == nil ? ["SWBPF_SOCKET": daemon.socket] : [:])
      #expect(child.err.waitForText("listening on", timeout: 20), "\(child.err.text)")
      return child
    }
    let both = try start(["-i", interface, "-w", scratch.file("both.pcap"), "icmp"])
    #expect(both.err.text.contains("link-type \(linkType)"), "\(both.err.text)")
    let received = try start(["-i", interface, "-Q", "in", "-w", scratch.file("in.pcap"), "icmp"])
    let sent = try start(["-i", interface, "-Q", "out", "-w", scratch.file("out.pcap"), "icmp"])
    let lines = try start(["-i", interface, "-l", "icmp"])
    let outer = try start(
      ["-i", "vb", "-w", scratch.file("wire.pcap"), "ip proto \(linkType == "NULL" ? 50 : 115)"], at: wire.far)
    let count = 3
    let ping = try wire.near.run(
      ["ping", "-n", "-c", "\(count)", "-i", "0.2", "-W", "5", "-p", "5ca1ab1e", "172.16.2.1"], timeout: 30)
    #expect(ping.status == .exited(0), "\(ping.out)")
    for (child, wanted) in [(both, 2 * count), (received, count), (sent, count)] {
      let endpoint = try child.endpoint()
      #expect(eventually { endpoint.status?.number("captured") == UInt64(wanted) })
    }
    #expect(eventually { lines.out.text.ranges(of: "echo reply").count == count })
    for child in [both, received, sent, lines, outer] { #expect(try child.stop().status == .exited(0)) }

    let request: UInt8 = 8
    for (name, types) in [("both", [request, 0]), ("in", [0]), ("out", [request])] as [(String, [UInt8])] {
      let all = try packets(in: scratch.file("\(name).pcap"))
      // What is inside, from its header on: the type of ICMP behind an IPv4 header, then the pattern.
      #expect(all.map { $0.bytes[header + 20] } == (0..<count).flatMap { _ in types }, "\(name)")
      #expect(all.allSatisfy { $0.bytes[header] == 0x45 && $0.bytes.suffix(4).sorted() == [0x1e, 0x5c, 0xa1, 0xab] })
      if header == 4 { #expect(all.allSatisfy { $0.bytes[..<4] == [2, 0, 0, 0] }) }
      if header == 14 { #expect(all.allSatisfy { $0.bytes[12..<14] == [8, 0] }) }
    }
    let text = lines.out.text
    #expect(text.contains("172.16.1.1 > 172.16.2.1: ICMP echo request"), "\(text)")
    #expect(text.contains("172.16.2.1 > 172.16.1.1: ICMP echo reply"), "\(text)")
    let pattern: [UInt8] = [0x5c, 0xa1, 0xab, 0x1e]
    let onWire = try packets(in: scratch.file("wire.pcap"))
    #expect(onWire.count >= 2 * count)
    let isPlain = onWire.contains { $0.bytes.contains(pattern) }
    #expect(isPlain == (linkType != "NULL"))
    #expect(try daemon.end().status == .exited(0) && farDaemon.end().status == .exited(0))
  }

  @Test(
    "T-064, T-068 swbpf -i ipsec0 shows the packets inside, plain, as sent and received, while the wire has ESP",
    .timeLimit(.minutes(1)))
  func ipsec() throws {
    func config(_ isNear: Bool, _ wire: Wire) -> String {
      let (a, b) = (wire.nearEnd.ipv4, wire.farEnd.ipv4)
      return """
        sysctl net.ipsecif.use_fixed_reqid=1
        ifconfig ipsec0 create tunnel \(isNear ? a : b) \(isNear ? b : a)
        ifconfig ipsec0 inet 172.16.\(isNear ? "1.1/32 172.16.2.1" : "2.1/32 172.16.1.1")
        setkey add \(a) \(b) esp 10000 -u 8192 -m transport -E aes-gcm-16 "gggggggggggggggggggg" ;
        setkey add \(b) \(a) esp 10001 -u 8192 -m transport -E aes-gcm-16 "hhhhhhhhhhhhhhhhhhhh" ;

        """
    }
    try captures(
      "ipsec0", near: { config(true, $0) }, far: { config(false, $0) }, linkType: "NULL", header: 4)
  }

  @Test(
    "T-064, T-069 swbpf -i l2tp0 shows the frames inside, without session id and cookie, as sent and received",
    .timeLimit(.minutes(1)))
  func l2tp() throws {
    func config(_ isNear: Bool, _ wire: Wire) -> String {
      let (a, b) = (wire.nearEnd.ipv4, wire.farEnd.ipv4)
      return """
        ifconfig l2tp0 create tunnel \(isNear ? a : b) \(isNear ? b : a) session \(isNear ? "1 2" : "2 1")
        ifconfig l2tp0 \(isNear ? "cookie 8 11 4 12" : "cookie 4 12 8 11") mtu 1500
        ifconfig l2tp0 inet 172.16.\(isNear ? "1" : "2").1/16 up

        """
    }
    try captures(
      "l2tp0", near: { config(true, $0) }, far: { config(false, $0) }, linkType: "EN10MB", header: 14)
  }

  // MARK: Settings

  @Test(
    "the file sets the path MTU of one interface and who takes IKE; sysctl shows both, and what ESP and NAT traversal count; what cannot be is refused",
    .timeLimit(.minutes(1)))
  func settings() throws {
    let wire = try Wire()
    let tunnel = """
      ifconfig ipsec0 create link0 tunnel \(wire.nearEnd.ipv4),4500 \(wire.farEnd.ipv4),4500 up

      """
    let settings = "sysctl net.interfaces.ipsec0.pmtu=1 net.ipsec.ike=127.0.0.1:4999\n"
    let daemon = try RunningDaemon(in: wire.near, scratch, config: settings + tunnel)
    func sysctl(_ words: String...) throws -> Child.Output {
      try wire.near.swbpf(["sysctl", "--socket", daemon.socket] + words)
    }
    #expect(try sysctl("net.interfaces").out == "net.interfaces.ipsec0.pmtu = 1\n")
    #expect(try sysctl("net.ipsec.ike").out == "net.ipsec.ike = 127.0.0.1:4999\n")
    // From the far end's port, as its IKE would.
    let sender = try UDPSender(in: wire.far, to: wire.nearEnd.ipv4, port: 4500, sourcePort: 4500)
    let taker = try UDPReceiver(in: wire.near, address: "127.0.0.1", port: 4999)
    try sender.send(3)
    #expect(try taker.receive(3) == [0, 1, 2])
    #expect(try sysctl("-n", "net.inet.ipsec.natt.ikeforwarded").out == "3\n")
    let node = try sysctl("net.inet.esp.stats").lines
    #expect(node.contains("net.inet.esp.stats.notdb = 0") && node.contains("net.inet.esp.stats.output = 0"), "\(node)")
    let readOnly = try sysctl("net.inet.esp.stats.notdb=1")
    #expect(readOnly.status == .exited(1) && readOnly.err.contains("read only"), "\(readOnly.err)")
    let wrong = try sysctl("net.ipsec.ike=nowhere:1")
    #expect(wrong.status == .exited(1) && wrong.err.contains("takes the address of a host and a port"), "\(wrong.err)")
    #expect(try sysctl("-q", "net.ipsec.ike=").status == .exited(0))
    #expect(try sysctl("net.ipsec.ike").out == "net.ipsec.ike = \n")
    // The setting goes with its line.
    _ = try scratch.file("swbpf.conf", holding: Array(tunnel.utf8))
    daemon.child.signal(SIGHUP)
    #expect(daemon.child.err.waitFor("configuration read again") != nil)
    #expect(try sysctl("net.interfaces").out == "net.interfaces.ipsec0.pmtu = -1\n")
    #expect(try daemon.end().status == .exited(0))
    for (text, reason) in [
      ("sysctl net.interfaces.ipsec0.pmtu=1\n", ":1: net.interfaces.ipsec0.pmtu: no line makes ipsec0"),
      (tunnel + "sysctl net.interfaces.ipsec0.pmtu=2\n", ":2: net.interfaces.ipsec0.pmtu takes a number from -1 to 1"),
      (tunnel + "sysctl net.interfaces.gif0.pmtu=1\n", ":2: no setting"),
      ("sysctl net.ipsec.ike=4500\n", ":1: net.ipsec.ike takes the address of a host and a port"),
    ] {
      let path = try scratch.file("wrong.conf", holding: Array(text.utf8))
      let output = try wire.near.swbpf(["daemon", "--check", "--config", path])
      #expect(output.status == .exited(1) && output.err.contains("wrong.conf" + reason), "\(output.err)")
    }
  }
}

extension [UInt8] {
  fileprivate func contains(_ part: [UInt8]) -> Bool {
    count >= part.count && (0...(count - part.count)).contains { Array(self[$0..<($0 + part.count)]) == part }
  }
}
