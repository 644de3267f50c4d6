import Glibc
import Testing

@testable import TestSupport

@Suite("Captures by the command", .needsNamespaces)
struct CaptureTests {
  @Test(
    "outbound and inbound are exact: five datagrams, two seconds, five more, ten of ten", .timeLimit(.minutes(1)),
    arguments: ["outbound", "inbound"])
  func tenOfTen(word: String) throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    let (host, interface) = word == "outbound" ? (wire.near, "va") : (wire.far, "vb")
    let file = scratch.file("a.pcap")
    let child = try host.capture(["-i", interface, "-w", file, word, "and", "udp", "port", "9"])
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    try sender.send(5)
    pause(2)
    try sender.send(5)
    #expect(try receiver.receive(10).count == 10)
    let output = try child.stop()
    #expect(output.status == .exited(0))
    #expect(try numbers(in: file) == Array(0..<10))
    #expect(output.err.hasSuffix(counts(10)))
  }

  @Test("ip broadcast knows the interface's netmask", .timeLimit(.minutes(1)), .needsTool("python3"))
  func broadcast() throws {
    let wire = try Wire()
    let net = wire.nearEnd.ipv4.split(separator: ".").prefix(3).joined(separator: ".")
    let child = try wire.near.capture(["-i", "va", "ip broadcast"])
    let script = """
      import socket
      s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
      s.bind(("\(wire.nearEnd.ipv4)", 0))
      for address in ["\(net).255", "\(wire.farEnd.ipv4)", "255.255.255.255"]: s.sendto(b"x", (address, 9))
      """
    #expect(try wire.near.run(["python3", "-c", script]).status == .exited(0))
    let output = try child.stop()
    #expect(output.out.split(separator: "\n").count == 2)
    #expect(output.out.contains("> \(net).255.9: UDP") && output.out.contains("> 255.255.255.255.9: UDP"))
  }

  @Test("1000 datagrams over lo are 1000 packets", .timeLimit(.minutes(1)))
  func loopback() throws {
    let (host, scratch) = (try Host(), try Scratch())
    let receiver = try UDPReceiver(in: host, port: 9)
    let file = scratch.file("a.pcap")
    let child = try host.capture(["-i", "lo", "-w", file])
    try UDPSender(in: host, to: "127.0.0.1", port: 9).send(1000)
    let output = try child.stop()
    withExtendedLifetime(receiver) {}
    #expect(try numbers(in: file) == Array(0..<1000))
    #expect(output.err.hasSuffix(counts(1000)))
  }

  @Test(
    "8 MiB of TCP over lo at default settings: no packet is dropped, no byte is missing", .timeLimit(.minutes(1)),
    .needsTool("python3"))
  func tcp() throws {
    let (host, scratch) = (try Host(), try Scratch())
    let file = scratch.file("a.pcap")
    let child = try host.capture(["-i", "lo", "-w", file])
    let script = """
      import socket, threading
      server = socket.create_server(("127.0.0.1", 8000))
      def serve():
          c, _ = server.accept()
          while c.recv(1 << 16): pass
          c.close()
      t = threading.Thread(target=serve); t.start()
      s = socket.create_connection(("127.0.0.1", 8000))
      s.sendall(bytes(8 << 20)); s.close(); t.join()
      """
    #expect(try host.run(["python3", "-c", script]).status == .exited(0))
    let output = try child.stop()
    #expect(
      output.err.contains("0 packets dropped by kernel\n") && !output.err.contains("buffers full"), "\(output.err)")
    // Payload bytes of segments to port 8000, by the sequence numbers they cover: super-packets are there whole.
    var pieces: [(from: UInt32, count: Int)] = []
    var first: UInt32?
    for packet in try packets(in: file) {
      let frame = packet.bytes
      guard frame.count >= 54, frame[36] == 0x1f, frame[37] == 0x40 else { continue }
      let sequence = frame[38..<42].reduce(0) { $0 << 8 | UInt32($1) }
      if frame[47] & 2 != 0 { first = sequence &+ 1 }
      let payload = packet.length - 34 - Int(frame[46] >> 4) * 4
      if payload > 0, let first { pieces.append((sequence &- first, payload)) }
    }
    // Segments sent again may begin elsewhere.
    var total = 0
    for piece in pieces.sorted(by: { $0.from < $1.from }) where Int(piece.from) <= total {
      total = max(total, Int(piece.from) + piece.count)
    }
    #expect(total == 8 << 20)
  }

  @Test("captured plus named losses are what was sent, with a small ring and small buffers", .timeLimit(.minutes(1)))
  func losses() throws {
    let wire = try Wire()
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    // Nobody reads the pipe until all has been sent.
    let ends = try openPipe()
    let child = try wire.far.capture(
      ["-i", "vb", "-Qin", "--ring", "128", "-B", "128", "-U", "-w", "-", "udp"], output: .descriptor(ends.writing))
    close(ends.writing)
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    try sender.send(20000, size: 1000)
    withExtendedLifetime(receiver) {}
    child.signal(SIGUSR1)
    let reading = ends.reading
    let bytes = onNewThread { () -> Int in
      pause(0.3)
      child.signal(SIGINT)
      var total = 0
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let count = read(reading, &buffer, buffer.count)
        if count <= 0 { return total }
        total += count
      }
    }
    close(reading)
    let output = try child.finish()
    func count(_ what: String) -> Int {
      output.errorLines.last { $0.contains(what) }.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
    }
    let captured = count(" captured")
    #expect(output.status == .exited(0))
    #expect(count("buffers full") > 0, "\(output.err)")
    #expect(captured + count("buffers full") + count("dropped by kernel") == 20000, "\(output.err)")
    #expect(count("received by filter") == captured + count("buffers full"))
    #expect(bytes == 24 + captured * (16 + 1042))
  }

  @Test(
    "a VLAN frame matches ether[14:2] and vlan alike live and from the file", .timeLimit(.minutes(1)),
    .needsTool("tcpdump"))
  func vlan() throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let filters = ["ether[14:2] = 5", "vlan 5", "vlan", "vlan and udp", "udp", "vlan 5 and vlan 9"]
    let all = try wire.far.capture(["-i", "vb", "-w", scratch.file("all.pcap")])
    let live = try filters.enumerated().map {
      try wire.far.capture(["-i", "vb", "-w", scratch.file("\($0).pcap"), $1])
    }
    let sender = try FrameSender(in: wire.near, interface: "va")
    for (index, vlans) in ([[], [5], [7], [5, 9], [5]] as [[UInt16]]).enumerated() {
      // A port where nobody answers, at an address that nobody has.
      let nobody = LinkEnd(interface: "", mac: wire.farEnd.mac, ipv4: "10.1.0.77", ipv6: "")
      try sender.send(
        Frame.udp(
          from: wire.nearEnd, to: nobody, vlans: vlans, port: 9, payload: [0, 0, 0, 0, 0, 0, 0, UInt8(index)] + [1, 2]))
    }
    pause(0.05)
    for child in live + [all] { #expect(try child.stop().status == .exited(0)) }
    #expect(try packets(in: scratch.file("all.pcap")).count == 5)
    for (index, filter) in filters.enumerated() {
      let seen = try packets(in: scratch.file("\(index).pcap"))
      #expect(seen.count == [3, 3, 4, 3, 1, 1][index], "\(filter)")
      for reader in [Tool.swbpf, "tcpdump"] {
        let copy = scratch.file("copy.pcap")
        #expect(try wire.far.run([reader, "-r", scratch.file("all.pcap"), "-w", copy, filter]).status == .exited(0))
        #expect(try packets(in: copy) == seen, "\(reader) \(filter)")
      }
    }
  }

  @Test("frames on the wire just before Ctrl-C are in the file", .timeLimit(.minutes(1)))
  func lastFrames() throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let receiver = try UDPReceiver(in: wire.far, port: 9)
    let sender = try UDPSender(in: wire.near, to: wire.farEnd.ipv4, port: 9)
    for round in 0..<10 {
      let file = scratch.file("\(round).pcap")
      let child = try wire.far.capture(["-i", "vb", "-w", file, "udp"])
      let first = sender.next
      try sender.send(50)
      let output = try child.stop()
      #expect(try numbers(in: file) == Array(first..<(first + 50)))
      #expect(output.err.hasSuffix(counts(50)))
    }
    withExtendedLifetime(receiver) {}
  }

  @Test("no thread of an idle capture wakes up", .timeLimit(.minutes(1)))
  func idle() throws {
    let (wire, scratch) = (try Wire(), try Scratch())
    let child = try wire.far.capture(["-i", "vb", "-w", scratch.file("a.pcap")])
    // By name: a sanitizer has a thread of its own.
    let script =
      "for t in /proc/\(child.pid)/task/*; do read n <$t/comm; echo $n $(grep ctxt_ $t/status); done | grep ^swbpf-"
    func switches() throws -> String { try wire.far.run(["sh", "-c", script]).out }
    pause(1.5)
    let before = try switches()
    pause(2)
    #expect(before.contains("swbpf-ring") && before.contains("swbpf-consumer"), "\(before)")
    #expect(try switches() == before)
    #expect(try child.stop().status == .exited(0))
  }
}
