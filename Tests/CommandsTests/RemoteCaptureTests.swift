// swbpf -i gif0: a capture through the daemon that has the tunnel.
import Glibc
import SwBPFDaemonClient
import Testing

@testable import SwBPFCommands
@testable import TestSupport

@Suite("Captures over a tunnel of the daemon", .needsNamespaces)
struct RemoteCaptureTests {
  @Test("inner packets in both directions, toggled while they flow: T-064, T-065", .timeLimit(.minutes(1)))
  func toggled() throws {
    let tunnel = try TunnelWire()
    let child = try tunnel.capture(["-i", "gif0", "-U", "-w", tunnel.scratch.file("a.pcap")])
    #expect(child.err.text.contains("gif0 (through the daemon, process \(tunnel.daemon.child.pid)), link-type NULL"))
    let endpoint = try child.endpoint()
    var wanted: [UInt64] = []
    let words = [
      "see-sent on", "see-sent off", "see-sent toggle", "direction in", "direction out", "direction inout",
      "see-sent off",
    ]
    for (round, word) in words.enumerated() where round < words.count {
      let number = UInt64(round)
      let said = try tunnel.near.swbpf(word.split(separator: " ").map(String.init) + ["--pid", "\(child.pid)"])
      #expect(said.status == .exited(0), "\(said.err)")
      try tunnel.send()
      // The tunnel has seen it when the daemon counts it, shown or hidden.
      #expect(eventually { endpoint.status?.number("offered") == 2 * number + 1 })
      try tunnel.sendBack(number)
      #expect(eventually { endpoint.status?.number("offered") == 2 * number + 2 })
      if !["see-sent off", "direction in"].contains(word) { wanted.append(number) }
      if word != "direction out" { wanted.append(number | back) }
    }
    let status = try #require(endpoint.status)
    #expect(status.number("hidden") == UInt64(2 * words.count - wanted.count) && status.text("direction") == "in")
    let output = try child.stop()
    #expect(output.status == .exited(0) && output.err.hasSuffix(counts(wanted.count)), "\(output.err)")
    #expect(try tunnel.numbers("a.pcap") == wanted)
    // DLT_NULL with the family in host order, then the inner packet.
    let all = try packets(in: tunnel.scratch.file("a.pcap"))
    #expect(all.allSatisfy { $0.bytes[..<5] == [2, 0, 0, 0, 0x45] && $0.length == 96 })
    #expect(try SavefileReaderHeader.linkType(tunnel.scratch.bytes("a.pcap")) == 0)
  }

  @Test("keys at a terminal, a filter, lines: as over any interface", .timeLimit(.minutes(1)), .needsTool("setsid"))
  func keys() throws {
    let tunnel = try TunnelWire()
    let pty = try Pty(in: tunnel.near, [Tool.swbpf, "-i", "gif0", "udp port 9"], environment: tunnel.environment)
    #expect(pty.screen.waitFor("listening on gif0 (through the daemon") != nil)
    #expect(eventually { !pty.isCooked })
    func next() -> Substring? {
      pty.screen.waitFor("UDP, length")?.split(separator: " ").drop { $0 != "IP" }.dropFirst().first?.prefix(10)
    }
    func press(_ key: String, says word: String) throws {
      try pty.type(key)
      #expect(pty.screen.waitFor("swbpf: ")?.contains(word) == true)
    }
    try tunnel.send()
    #expect(try next() == "172.16.0.1" && tunnel.leaves(1))
    // The one that is not wanted goes first.
    try press("s", says: "see-sent off (direction in)")
    try tunnel.send()
    #expect(try tunnel.leaves(1))
    try tunnel.sendBack(0)
    #expect(try next() == "172.16.0.2" && tunnel.arrives(1))
    try press("d", says: "see-sent on (direction out)")
    try tunnel.sendBack(1)
    #expect(try tunnel.arrives(1))
    try tunnel.send()
    #expect(next() == "172.16.0.1")
    try pty.type("q")
    #expect(pty.screen.waitFor("3 packets captured") != nil)
  }

  @Test(
    "T-070: what a router forwards into the tunnel leaves by it: OUT, and with see-sent off only what comes back shows",
    .timeLimit(.minutes(1)))
  func forwarded() throws {
    let tunnel = try TunnelWire()
    let client = try Host("client")
    try Host.link(client, "lan0", tunnel.near, "lan0", net: 9)
    try client.ip("route add default via 10.9.0.2")
    try tunnel.near.write("1", to: "/proc/sys/net/ipv4/ip_forward")
    let both = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("both.pcap"), "udp"])
    let received = try tunnel.capture(
      ["-i", "gif0", "--see-sent", "off", "-w", tunnel.scratch.file("in.pcap"), "udp"])
    let sent = try tunnel.capture(["-i", "gif0", "-Q", "out", "-w", tunnel.scratch.file("out.pcap"), "udp"])
    let outer = try tunnel.wire.far.capture(["-i", "vb", "-w", tunnel.scratch.file("outer.pcap"), "ip proto 4"])
    try UDPSender(in: client, to: "172.16.0.2", port: 9).send(5)
    #expect(try eventually { try outer.endpoint().status?.number("captured") == 5 })
    try tunnel.sendBack(7)
    let endpoint = try both.endpoint()
    #expect(eventually { endpoint.status?.number("captured") == 6 })
    for child in [both, received, sent, outer] { #expect(try child.stop().status == .exited(0)) }
    let forwarded = Array(0..<5 as Range<UInt64>)
    #expect(try tunnel.numbers("both.pcap") == forwarded + [7 | back])
    #expect(try tunnel.numbers("in.pcap") == [7 | back])
    #expect(try tunnel.numbers("out.pcap") == forwarded)
    // From the client, with the TTL that the router left.
    let first = try #require(try packets(in: tunnel.scratch.file("out.pcap")).first?.bytes)
    #expect(first[12] == 63 && Array(first[16..<20]) == [10, 9, 0, 1])
  }

  @Test("a capture that is killed leaves nothing in the daemon", .timeLimit(.minutes(1)))
  func killed() throws {
    let tunnel = try TunnelWire()
    let daemon = tunnel.daemon.child.pid
    func held() throws -> (descriptors: Int, mappings: Int) {
      let files = try Child(["sh", "-c", "ls /proc/\(daemon)/fd | wc -l; grep -c swbpf- /proc/\(daemon)/maps"]).finish()
      let numbers = files.lines.compactMap { Int($0) }
      return numbers.count == 2 ? (numbers[0], numbers[1]) : (-1, -1)
    }
    let other = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("a.pcap")])
    let before = try held()
    // All that one user may have: 256 MiB.
    let size = 7 << 20
    var hoard: [RemoteDescriptor] = []
    let full = try tunnel.daemon.asking { _ in
      while hoard.count < 100 {
        do {
          let client = try DaemonClient(socket: tunnel.daemon.socket)
          hoard.append(try RemoteDescriptor(client, slotSize: size, slots: 2, nanoseconds: false))
        } catch let error as DaemonFailure { return error.refusal?.errno == ENOMEM }
      }
      return false
    }
    #expect(full && hoard.count == 17)
    let words = [Tool.swbpf, "-i", "gif0", "-B", "16384"]
    let refused = try tunnel.near.start(words, environment: tunnel.environment).finish()
    #expect(refused.status == .exited(1))
    #expect(refused.err.hasPrefix("swbpf: gif0: the daemon has no more memory for the captures of this user"))
    hoard = []
    for _ in 0..<3 {
      var victim: Child?
      #expect(
        eventually {
          victim = try? tunnel.capture(["-i", "gif0", "-w", "/dev/null"])
          return victim != nil
        })
      let one = try #require(victim)
      #expect(tunnel.peers(of: one).count == 1)
      try tunnel.send(10)
      one.signal(SIGKILL)
      #expect(try one.finish().status == .signaled(SIGKILL))
      #expect(eventually { tunnel.peers(of: one).isEmpty })
    }
    #expect(try eventually { try held() == before })
    try tunnel.sendBack(0)
    let endpoint = try other.endpoint()
    #expect(eventually { endpoint.status?.number("captured") == 31 })
    #expect(try other.stop().err.hasSuffix(counts(31)))
  }

  @Test("a capture that is stopped loses packets of its own; others and the tunnel lose none", .timeLimit(.minutes(1)))
  func stopped() throws {
    let tunnel = try TunnelWire()
    let slow = try tunnel.capture(["-i", "gif0", "-B", "128", "-w", tunnel.scratch.file("slow.pcap")])
    let good = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("good.pcap")])
    slow.signal(SIGSTOP)
    let endpoint = try good.endpoint()
    let total: UInt64 = 2000
    for start in stride(from: 0, to: total, by: 50) {
      for number in start..<(start + 50) { try tunnel.sendBack(number) }
      #expect(eventually { endpoint.status?.number("captured") == start + 50 })
      #expect(try tunnel.arrives(50))
    }
    // It does not answer; the daemon tells of it, and it is there once.
    let listed = try tunnel.daemon.swbpf("peers", "--json").out
    #expect(listed.ranges(of: "\"pid\":\(slow.pid),").count == 1 && listed.contains("\"answers\":true"))
    #expect(try good.stop().err.hasSuffix(counts(Int(total))))
    #expect(try tunnel.numbers("good.pcap") == (0..<total).map { $0 | back })
    slow.signal(SIGCONT)
    let output = try slow.stop()
    #expect(output.status == .exited(0))
    // 128 KiB of records of 112 bytes; the rest are its drops.
    let kept = try tunnel.numbers("slow.pcap")
    #expect(kept.count >= 1168 && kept.count < Int(total) && kept == (0..<UInt64(kept.count)).map { $0 | back })
    let lost = Int(total) - kept.count
    #expect(
      output.err.hasSuffix(
        counts(kept.count, received: Int(total)) + "\(lost) packets dropped by swbpf, buffers full (see -B)\n"),
      "\(output.err)")
  }

  @Test(
    "a daemon that ends leaves what it stored, and ends the capture with counts and status 1", .timeLimit(.minutes(1)),
    arguments: [SIGTERM, SIGKILL])
  func daemonEnds(signal: CInt) throws {
    let tunnel = try TunnelWire()
    let child = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("a.pcap")])
    for number in 0..<5 as Range<UInt64> { try tunnel.sendBack(number) }
    #expect(try tunnel.arrives(5))
    tunnel.daemon.child.signal(signal)
    let output = try child.finish()
    #expect(output.status == .exited(1))
    #expect(output.err.contains("swbpf: gif0: the "), "\(output.err)")
    #expect(output.err.hasSuffix(counts(5)), "\(output.err)")
    #expect(try tunnel.numbers("a.pcap") == (0..<5).map { $0 | back })
  }

  @Test("-B beyond what the daemon gives is told, and what it gives is used", .timeLimit(.minutes(1)))
  func bufferSize() throws {
    let tunnel = try TunnelWire()
    let large = try tunnel.capture(["-i", "gif0", "-B", "65536", "-w", "/dev/null"])
    #expect(
      large.err.text.hasPrefix("swbpf: gif0: -B 65536: the daemon gives a capture at most 16384 KiB\n"),
      "\(large.err.text)")
    let (size, slots) = (try large.endpoint().status?.number("slot_size"), try large.endpoint().status?.number("slots"))
    #expect(size.flatMap { size in slots.map { size * $0 } } == 16 << 20)
    // Who does not ask for a size is told nothing.
    let plain = try tunnel.capture(["-i", "gif0", "-w", "/dev/null"])
    #expect(plain.err.text.hasPrefix("swbpf: listening on gif0"))
    for child in [large, plain] { #expect(try child.stop().status == .exited(0)) }
  }

  @Test("swbpf peers lists a capture through the daemon once, with its filter", .timeLimit(.minutes(1)))
  func listed() throws {
    let tunnel = try TunnelWire()
    let children = try (0..<2).map { try tunnel.capture(["-i", "gif0", "-w", "/dev/null", "udp port \(9 + $0)"]) }
    let mute = try tunnel.capture(["-i", "gif0", "--no-control", "-w", "/dev/null"])
    for child in children { _ = try child.endpoint() }
    let lines = try tunnel.daemon.swbpf("peers").lines
    for (index, child) in children.enumerated() {
      let own = lines.filter { $0.hasPrefix("\(child.pid) ") || $0.contains(" \(child.pid) ") }
      #expect(own.count == 1 && own[0].contains("udp port \(9 + index)"), "\(lines)")
    }
    // One without a control socket is known by the daemon's word.
    #expect(lines.count { $0.contains("\(mute.pid) ") } == 1)
    for child in children + [mute] { #expect(try child.stop().status == .exited(0)) }
  }

  @Test(
    "C-217: two processes that share a descriptor after fork read it under a flood; every record goes to one, whole",
    .timeLimit(.minutes(1)), .needsTool("cc"))
  func forked() throws {
    let tunnel = try TunnelWire()
    let program = try CClient.compile("fork", in: tunnel.scratch)
    let child = try tunnel.near.start([program, tunnel.daemon.socket, "gif0"], input: .pipe)
    #expect(child.out.waitFor("reading") != nil)
    let good = try tunnel.capture(["-i", "gif0", "-w", tunnel.scratch.file("good.pcap")])
    let endpoint = try good.endpoint()
    // Numbers of packets that leave begin with 0 and have no hole.
    let total = 5000
    for round in 1...(total / 100) {
      try tunnel.send(100)
      #expect(eventually { endpoint.status?.number("captured") == UInt64(round * 100) })
    }
    child.closeInput()
    let output = try child.finish()
    #expect(output.status == .exited(0), "\(output.err)")
    #expect(output.out.contains("status=0 last=\(total) missing=0 doubled=0"), "\(output.out)")
    #expect(try good.stop().err.hasSuffix(counts(total)))
    #expect(try tunnel.daemon.end().status == .exited(0))
  }
}

/// What stands in the first bytes of a savefile.
private enum SavefileReaderHeader {
  static func linkType(_ bytes: [UInt8]) throws -> UInt32 {
    bytes[20..<24].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
