import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFPFKey
@testable import SwBPFTunnels

/// Tunnels and ports that change while packets flow. Lockdebug is on in debug builds: a report would end the process.
@Suite(.needsNamespaces, .timeLimit(.minutes(10)))
struct IPsecChangeTests {
  /// Sends datagrams to the inner far end until told to stop.
  private final class Traffic {
    private let isDone = Gate()
    private let thread: Thread

    init(_ host: Host, to address: String) throws {
      let sender = try UDPSender(in: host, to: address, port: 9)
      thread = Thread(name: "traffic") { [isDone] in
        while !isDone.wait(upTo: 0) {
          // An interface that is changing is nothing to stop for.
          try? sender.send(8, size: 32)
          usleep(100)
        }
      }
    }

    func stop() {
      isDone.open()
      thread.join()
    }
  }

  private var isLong: Bool { Tool.environment("SWBPF_LONG") == "1" }

  @Test(
    "T-054, T-061, T-051 ports and tunnels change under traffic, 10,000 times in the long form: no report, no packet with one old and one new port or address, nothing in clear, no policy left over",
    arguments: [false, true])
  func ports(_ outerIsIPv6: Bool) throws {
    let first = NATPorts(own: 4500, peer: 4501)
    let peer = try IPsecPeer(outerIsIPv6: outerIsIPv6, ports: first, queues: 2)
    try peer.associations(.gcm)
    let (a, b) = ("\(peer.pair.source)", "\(peer.pair.destination)")
    let text = """
      add \(a) [4500] \(b) [4502] esp-udp 20000 -m transport -E aes-gcm-16 "kkkkkkkkkkkkkkkkkkkk" ;
      add \(b) [4502] \(a) [4500] esp-udp 20001 -m transport -E aes-gcm-16 "llllllllllllllllllll" ;
      """
    #expect(try peer.near.setkey(text) == [0, 0])
    let second = try peer.far.inside { try NATSocket(isIPv6: outerIsIPv6, port: 4502) }
    let traffic = try Traffic(peer.near.host, to: GifHosts.inner4.1)
    let changes = isLong ? 5000 : Requirement.short ? 50 : 250
    var seen: [UInt16: Set<UInt32>] = [:]
    let receiver = try NATReceiver()
    for number in 1...changes {
      let port: UInt16 = number % 2 == 0 ? 4501 : 4502
      try peer.near.perform("ipsec0", .tunnel(a, 4500, b, port))
      if number % 7 == 0 { try peer.near.perform("ipsec0", .deleteTunnel) }
      if number % 11 == 0 { try peer.near.perform("ipsec0", .link(2, false), .link(2, true)) }
      if number % 10 == 0 {
        for arrival in try peer.receive(0, within: 0) { seen[4501, default: []].insert(arrival.spi) }
        for index in 0..<receiver.receive(second) {
          guard let piece = receiver.take(index, of: second) else { continue }
          seen[4502, default: []].insert(piece.packet(0).bytes.be32(at: 0))
        }
      }
    }
    traffic.stop()
    #expect(seen[4501, default: []].isSubset(of: [10000]) && seen[4502, default: []].isSubset(of: [20000]), "\(seen)")
    #expect(try peer.clearPackets() == 0)
    try peer.near.perform("ipsec0", .tunnel(a, 4500, b, 4501))
    #expect(try peer.near.policies().count == 4)
    try peer.output(Inner.ipv4())
    #expect(try !peer.receive(1).isEmpty)
    try peer.near.destroy("ipsec0")
    #expect(try peer.near.policies().isEmpty)
  }

  @Test("T-062 while it is switched what leaves is ENETDOWN and what comes in is dropped and counted; then it goes on")
  func switching() throws {
    let peer = try IPsecPeer()
    try peer.associations(.gcm)
    let (isSwitching, mayGoOn) = (Gate(), Gate())
    // A key socket is told of the new policies in the middle of the switch, under the engine's lock.
    let listener = peer.near.keys.open {
      isSwitching.open()
      mayGoOn.wait()
    }
    let before = try peer.counters()
    let (stray, sealed) = (peer.near.engine.strayPackets, try peer.sealed(Inner.ipv4()))
    let writer = try peer.near.reader("ipsec0")
    let near = peer.near
    let change = Thread(name: "change") { try? near.perform("ipsec0", .link(0, true)) }
    #expect(isSwitching.wait())
    #expect(throws: BPF.Failure.system(errno: ENETDOWN, call: "ipsecif_output")) {
      try writer.write([2, 0, 0, 0] + Inner.ipv4())
    }
    try peer.send(sealed)
    #expect(eventually { peer.near.engine.strayPackets > stray })
    mayGoOn.open()
    change.join()
    peer.near.keys.close(listener)
    let after = try peer.counters()
    #expect(after.inputErrors >= before.inputErrors + 1 && after.inputPackets == before.inputPackets)
    #expect(after.outputErrors >= before.outputErrors + 1)
    #expect(try writer.frames(1, within: 0.1).isEmpty)
    #expect(try peer.near.status("ipsec0").flags.contains(.link0))
  }

  @Test(
    "T-022 the per-CPU memory of gif, l2tp and ipsec is enlarged 1000 times under their traffic, and nothing is reported"
  )
  func enlarged() throws {
    let hosts = try IPsecHosts(queues: 2)
    try hosts.tunnel()
    try hosts.associations(.gcm)
    for (host, isNear) in [(hosts.near, true), (hosts.far, false)] {
      let (a, b) = isNear ? (hosts.wan.0.ipv6, hosts.wan.1.ipv6) : (hosts.wan.1.ipv6, hosts.wan.0.ipv6)
      try host.create("gif0")
      try host.perform("gif0", .tunnel(a, b), .address(isNear ? "172.20.0.1" : "172.20.0.2", 24))
      try host.create("l2tp0")
      try host.perform(
        "l2tp0", .tunnel(a, b), .session(L2TPSession(local: isNear ? 1 : 2, remote: isNear ? 2 : 1)),
        .address(isNear ? "172.21.0.1" : "172.21.0.2", 24))
    }
    let names = ["gif0", "l2tp0", "ipsec0"]
    let far = ["172.20.0.2", "172.21.0.2", GifHosts.inner4.1]
    for address in far { #expect(try hosts.near.pings(address), "\(address)") }
    func routes() throws -> [UInt] {
      try names.map { try #require(hosts.near.engine.tunnels[$0]).routes.route.identity }
    }
    func moved() throws -> [UInt64] {
      try names.flatMap { name in
        [
          try hosts.near.status(name).counters.outputPackets, try hosts.far.status(name).counters.inputPackets,
        ]
      }
    }
    let (places, before) = (try routes(), try moved())
    let traffic = try far.map { try Traffic(hosts.near.host, to: $0) }
    for round in 0..<(Requirement.short ? 100 : 1000) {
      hosts.near.engine.shared.memory.enlarge()
      if round % 10 == 0 { hosts.far.engine.shared.memory.enlarge() }
    }
    // Traffic of every kind got through meanwhile or gets through now, and no route has moved.
    #expect(try eventually(within: 20) { zip(try moved(), before).allSatisfy { $0 > $1 } })
    for one in traffic { one.stop() }
    #expect(try routes() == places)
    for address in far { #expect(try hosts.near.pings(address), "\(address)") }
  }
}
