import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// ESP in UDP.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct IPsecNATTests {
  private static let ports = NATPorts(own: 4500, peer: 4501)

  @Test(
    "T-141, T-049 ESP leaves in UDP between the ports of the association; over IPv4 without a checksum, over IPv6 with a right one",
    arguments: [false, true])
  func output(_ outerIsIPv6: Bool) throws {
    let peer = try IPsecPeer(outerIsIPv6: outerIsIPv6, ports: Self.ports)
    try peer.associations(.gcm)
    let capture = try peer.far.start([
      "tcpdump", "--immediate-mode", "-l", "-n", "-v", "-X", "-i", "wan0", "udp port 4500",
    ])
    #expect(capture.err.waitForText("listening on"))
    try peer.output(Inner.ipv4())
    let got = try #require(try peer.receive(1).first, "\(peer.trouble)")
    #expect(got.inner == Inner.ipv4() && got.ports == Self.ports && got.spi == 10000)
    #expect(got.outer.pair == peer.back)
    #expect(eventually { capture.out.text.contains("0x0030") })
    let text = try capture.stop().out
    #expect(text.contains("UDP-encap: ESP(spi=0x00002710,seq=0x1)"), "\(text)")
    // Behind the ports the length, then the checksum. Over IPv6 the system takes nothing without a right one.
    #expect(outerIsIPv6 || text.contains("\t0x0010:  0a01 0002 1194 1195 0068 0000 "), "\(text)")
  }

  @Test(
    "T-141, T-142 keepalives and words for IKE are counted apart, short ones dropped, other ports' packets not taken; ESP comes through",
    arguments: [false, true])
  func input(_ outerIsIPv6: Bool) throws {
    let peer = try IPsecPeer(outerIsIPv6: outerIsIPv6, ports: Self.ports)
    try peer.associations(.gcm)
    let reader = try peer.near.reader("ipsec0")
    let engine = peer.near.engine
    try peer.send([0xff], ports: Self.ports)
    #expect(eventually { engine.natCounts.keepalives == 1 })
    for (index, bytes) in [[0, 0, 0, 0, 1, 2, 3, 4, 5], [0, 0, 0, 0], [1, 2, 3], [1]].enumerated() {
      try peer.send(bytes.map { UInt8($0) }, ports: Self.ports)
      #expect(eventually { engine.natCounts.ike == UInt64(index + 1) })
    }
    let stray = engine.strayPackets
    for count in 5...8 { try peer.send([UInt8](repeating: 1, count: count), ports: Self.ports) }
    #expect(eventually { engine.strayPackets == stray + 4 })
    #expect(engine.natCounts.ike == 4)
    // The far end's other port; and without UDP.
    try peer.send(try peer.sealed(Inner.ipv4()), ports: NATPorts(own: 4500, peer: 4599))
    try peer.send(try peer.sealed(Inner.ipv4()))
    #expect(eventually { engine.strayPackets == stray + 6 })
    try peer.sendInner(Inner.ipv4())
    #expect(try reader.frames(1) == [[2, 0, 0, 0] + Inner.ipv4()], "\(peer.trouble)")
    #expect(try peer.counters().inputErrors == 0)
  }

  @Test("T-059 two interfaces between the same addresses get their own packets, by the ports")
  func twoPorts() throws {
    let peer = try IPsecPeer(ports: Self.ports)
    try peer.near.create("ipsec1")
    try peer.near.perform(
      "ipsec1", .link(0, true), .tunnel("\(peer.pair.source)", 4500, "\(peer.pair.destination)", 4502), .up)
    #expect(try peer.near.policies().count == 4)
    try peer.associations(.gcm)
    let text = """
      add \(peer.pair.source) [4500] \(peer.pair.destination) [4502] esp-udp 20000 -m transport -E aes-gcm-16 "kkkkkkkkkkkkkkkkkkkk" ;
      add \(peer.pair.destination) [4502] \(peer.pair.source) [4500] esp-udp 20001 -m transport -E aes-gcm-16 "llllllllllllllllllll" ;
      """
    #expect(try peer.near.setkey(text) == [0, 0])
    let second = try peer.far.inside { try NATSocket(isIPv6: false, port: 4502) }
    try peer.output(Inner.ipv4())
    #expect(try peer.receive(1).first?.spi == 10000)
    let writer = try peer.near.reader("ipsec1")
    try writer.write([2, 0, 0, 0] + Inner.ipv4())
    let receiver = try NATReceiver()
    var count = 0
    #expect(
      eventually {
        count += receiver.receive(second)
        return count == 1
      })
    #expect(receiver.take(0, of: second)?.packet(0).bytes.be32(at: 0) == 20000)
    let reader = try peer.near.reader("ipsec0")
    try peer.sendInner(Inner.ipv4())
    #expect(try reader.frames(1).count == 1)
    #expect(try writer.frames(1, within: 0.1).count <= 1)
    // Each other's association behind the own ports is nobody's.
    let before = try peer.near.status("ipsec1").counters.inputErrors
    try peer.send(try peer.sealed(Inner.ipv4()), ports: NATPorts(own: 4500, peer: 4502))
    #expect(
      try eventually {
        try peer.near.status("ipsec1").counters.inputPackets + peer.near.status("ipsec1").counters.inputErrors > before
      })
  }

  @Test(
    "T-143 esp_frag: what is longer is cut before ESP, each piece alone, and together they are the packet; what must not be cut is answered"
  )
  func fragments() throws {
    let peer = try IPsecPeer(ports: Self.ports)
    try peer.near.perform("ipsec0", .mtu(1400))
    try peer.associations(.gcm, options: "-esp_frag 200")
    let inner = Inner.ipv4(count: 620, flags: 0)
    try peer.output(inner)
    let pieces = try peer.receive(4).compactMap(\.inner)
    #expect(pieces.count == 4 && pieces.allSatisfy { $0.count <= 180 && checksum($0[..<20]) == 0 })
    #expect(pieces.flatMap { $0[20...] } == Array(inner[20...]))
    // Must not be cut: the sender is told what fits.
    let reader = try peer.near.reader("ipsec0")
    try reader.setDirection(.out)
    #expect(throws: BPF.Failure.system(errno: EMSGSIZE, call: "ipsecif_output")) {
      try peer.output(Inner.ipv4(count: 620, flags: 0x4000))
    }
    #expect(throws: BPF.Failure.system(errno: EMSGSIZE, call: "ipsecif_output")) {
      try peer.output(Inner.ipv6(count: 1281))
    }
    try peer.output(Inner.ipv6(count: 1280))
    #expect(try peer.receive(1).first?.inner?.count == 1280)
    try peer.flush()
    for fragment in [1, 20] {
      try peer.associations(.gcm, options: "-esp_frag \(fragment)")
      #expect(throws: BPF.Failure.system(errno: ENETUNREACH, call: "ipsecif_output")) {
        try peer.output(Inner.ipv4(count: 100, flags: 0))
      }
      try peer.flush()
    }
    // 65535 is none.
    try peer.associations(.gcm, options: "-esp_frag 65535")
    try peer.output(inner)
    #expect(try peer.receive(1).first?.inner?.count == 620)
  }

  @Test("a keepalive is sent when nothing else was for so long, and not without link0")
  func keepalive() throws {
    let peer = try IPsecPeer(ports: Self.ports)
    try peer.near.engine.set("net.ipsecif.keepalive", to: 1)
    let first = try #require(try peer.receive(1, within: 10).first)
    #expect(first.esp == [0xff] && first.ports == Self.ports)
    try peer.near.engine.set("net.ipsecif.keepalive", to: 0)
    _ = try peer.receive(1, within: 0)
    #expect(try peer.receive(1, within: 1.3).isEmpty)
  }

  @Test(
    "T-129 many at once leave together, from several queues, on the wire in the order of their numbers and with TTL 64, and nothing is lost",
    .needsTool("ethtool"), arguments: [false, true])
  func trains(_ segments: Bool) throws {
    let hosts = try IPsecHosts(queues: 2)
    // What leaves as one is cut before it is on the wire, as by a network card.
    let cut = try hosts.near.host.run(["ethtool", "-K", "wan0", "tx-udp-segmentation", "off"])
    try #require(cut.status == .exited(0), "\(cut.err)")
    try hosts.tunnel(ports: (4500, 4500))
    try hosts.associations(.gcm, ports: (4500, 4500), options: "-r 4")
    for host in [hosts.near, hosts.far] { try host.engine.set("net.ipsecif.segment", to: segments ? 1 : 0) }
    #expect(try hosts.pings(innerIsIPv6: false) == [true, true], "\(hosts.troubles)")
    let before = try [hosts.near, hosts.far].map { try $0.status("ipsec0").counters.outputErrors }
    let (a, b) = hosts.lan(ipv6: false)
    func left() throws -> [UInt64] {
      try [hosts.near.status("ipsec0").counters.outputPackets, hosts.far.status("ipsec0").counters.inputPackets]
    }
    // The system's own words about the new interface have arrived.
    var start: [UInt64] = []
    _ = try eventually {
      let last = start
      start = try left()
      pause(0.1)
      return start == last
    }
    let wire = try Wiretap(hosts.near.host, "wan0", "udp port 4500 and src host \(hosts.wan.0.ipv4)")
    let sink = try UDPReceiver(in: hosts.far.host, address: b, port: 9)
    let senders = try (0..<2).map { _ in try UDPSender(in: hosts.near.host, to: b, port: 9) }
    // Not more at a time than a socket keeps for a slow reader.
    let threads = senders.map { one in
      Thread(name: "sender") {
        for _ in 0..<10 {
          try? one.send(20, size: 200)
          pause(0.02)
        }
      }
    }
    #expect(
      TCPProbe.connects(from: hosts.near.host, a, to: hosts.far.host, b, within: 10, bytes: 60_000), "\(hosts.troubles)"
    )
    for thread in threads { thread.join() }
    withExtendedLifetime(sink) {}
    let isAllThere = try eventually { Set(zip(try left(), start).map { $0 - $1 }).count == 1 }
    let end = try left()
    #expect(isAllThere, "\(end) since \(start)")
    let packets = try wire.stop()
    // Ethernet, IPv4, UDP: SPI and sequence number; keepalives have none.
    let esp = packets.filter { $0.count >= 50 }
    let numbers = esp.filter { $0[42..<46] == [0, 0, 0x27, 0x10] }.map { $0[46..<50].reduce(0) { $0 << 8 | Int($1) } }
    #expect(numbers.count >= 150 && zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "\(numbers)")
    #expect(packets.allSatisfy { $0[22] == 64 })
    // Only what left together has a checksum.
    #expect(esp.contains { $0[40] != 0 || $0[41] != 0 } == segments)
    for (index, host) in [hosts.near, hosts.far].enumerated() {
      let status = try host.status("ipsec0").counters
      #expect(status.inputErrors == 0 && status.outputErrors == before[index], "\(hosts.troubles)")
      #expect(host.engine.espCounts.dropped == 0)
    }
  }
}
