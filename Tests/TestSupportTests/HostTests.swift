import Glibc
import Testing

@testable import TestSupport

@Suite("Hosts", .needsNamespaces)
struct HostTests {
  @Test("datagrams between two hosts arrive, in order", .timeLimit(.minutes(1)), arguments: [false, true])
  func datagrams(ipv6: Bool) throws {
    let (a, b) = (try Host("a"), try Host("b"))
    let (_, end) = try Host.link(a, "va", b, "vb", ipv6: ipv6)
    let receiver = try UDPReceiver(in: b, address: ipv6 ? "::" : "0.0.0.0", port: 9)
    let sender = try UDPSender(in: a, to: ipv6 ? end.ipv6 : end.ipv4, port: 9)
    try sender.send(10, size: 8)
    try sender.send(10, size: 1400, interval: 0.001)
    #expect(try receiver.receive(20) == Array(0..<20))
  }

  @Test("frames made by hand arrive, with their VLAN tags", .timeLimit(.minutes(1)), .needsTool("tcpdump"))
  func frames() throws {
    let (a, b) = (try Host("a"), try Host("b"))
    let (from, to) = try Host.link(a, "va", b, "vb", net: 7)
    let receiver = try UDPReceiver(in: b, port: 9)
    let tcpdump = try b.start(["tcpdump", "-i", "vb", "-nevv", "--immediate-mode", "-c", "2"])
    try #require(tcpdump.err.waitFor("listening") != nil, "\(tcpdump.err.text)")
    let sender = try FrameSender(in: a, interface: "va")
    try sender.send(Frame.udp(from: from, to: to, port: 9, payload: [0, 0, 0, 0, 0, 0, 0, 1]))
    try sender.send(Frame.udp(from: from, to: to, vlans: [5], port: 9, payload: [0, 0, 0, 0, 0, 0, 0, 2, 9]))
    #expect(try receiver.receive(1) == [1])
    let text = try tcpdump.finish().out
    #expect(text.contains("02:00:00:00:07:01 > 02:00:00:00:07:02, ethertype IPv4"))
    #expect(text.contains("vlan 5, p 0, ethertype IPv4"))
    #expect(text.split(separator: "\n").filter { $0.contains("[udp sum ok]") }.count == 2)
  }

  @Test("a quiet link carries nothing but what the test sends", .timeLimit(.minutes(1)))
  func quiet() throws {
    let (a, b) = (try Host("a"), try Host("b"))
    let (_, end) = try Host.link(a, "va", b, "vb")
    let receiver = try UDPReceiver(in: b, port: 9)
    try UDPSender(in: a, to: end.ipv4, port: 9).send(5)
    #expect(try receiver.receive(5).count == 5)
    pause(0.5)
    for (host, interface, direction) in [(a, "va", "tx"), (a, "va", "rx"), (b, "vb", "tx"), (b, "vb", "rx")] {
      let words = try host.ip("-s -o link show dev \(interface)").split(separator: "\\")
      let index = try #require(words.firstIndex { $0.contains(direction == "tx" ? "TX:" : "RX:") })
      let packets = words[index + 1].split(separator: " ")[1]
      #expect(packets == ((direction == "tx") == (interface == "va") ? "5" : "0"), "\(interface) \(direction)")
    }
  }

  @Test("inside gives values and errors back, and leaves the caller where it was")
  func inside() throws {
    let host = try Host()
    let mine = try #require(namespace())
    let its = host.inside { namespace() }
    #expect(its != nil && its != mine)
    #expect(namespace() == mine)
    #expect(throws: SupportError.self) { try host.inside { throw SupportError.noTool("x") } }
    #expect(throws: SupportError.self) { try host.ip("link set nowhere up") }
  }

  @Test("a process started in a host sees that host's interfaces", .timeLimit(.minutes(1)))
  func process() throws {
    let (a, b) = (try Host("a"), try Host("b"))
    try Host.link(a, "va", b, "vb")
    #expect(try a.run(["ip", "-o", "link"]).out.contains("va@"))
    #expect(try !b.run(["ip", "-o", "link"]).out.contains("va@"))
  }

  private func namespace() -> String? {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = readlink("/proc/thread-self/ns/net", &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }
}
