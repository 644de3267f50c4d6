import SwBPFKern
import SwBPFPackets
import TestSupport
import Testing

@testable import SwBPFTunnels

/// NetBSD's tests/net/route/t_rtcache.sh: one address at two hosts, and a router that has to choose the right one each time.
@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct RouteCacheInvalidationTests {
  @Test("T-028 rtcache_invalidation: the cached way follows a more specific route and its end, as the packets do")
  func invalidation() throws {
    let forwarder = try Host("fwd")
    let destinations = try [Host("dst1"), Host("dst2")]
    for (number, destination) in destinations.enumerated() {
      try Host.link(forwarder, "v\(number + 1)", destination, "eth0", net: UInt8(number + 1))
      try destination.ip("addr add 10.0.3.1/32 dev lo")
    }
    let receivers = try destinations.map { try UDPReceiver(in: $0, address: "10.0.3.1", port: 7000) }
    let memory = PerCPUMemory(cpus: 2)
    let routing = try forwarder.inside { try Routing() }
    let cache = RouteCache(routing, in: memory)
    let target = try #require(IPAddress("10.0.3.1"))

    /// Who gets the next datagrams, and what both CPUs say of the way. The socket, connected once, finds its way itself.
    var sender: UDPSender?
    func expect(_ number: Int) throws {
      #expect(routing.events.settle())
      let names = try (0..<2).map { cpu in
        try onNewThread { () throws -> String in
          memory.bindThread(to: cpu)
          return cache.lookup(target).interfaceName.text
        }
      }
      #expect(names == ["v\(number)", "v\(number)"])
      if sender == nil { sender = try UDPSender(in: forwarder, to: "10.0.3.1", port: 7000) }
      try sender?.send(3)
      #expect(try receivers[number - 1].receive(3).count == 3)
      #expect(try receivers[2 - number].receive(1, timeout: 0.05).isEmpty)
    }

    try forwarder.ip("route add default via 10.1.0.2")
    try expect(1)
    try forwarder.ip("route add 10.0.3.0/24 via 10.2.0.2")
    try expect(2)
    try forwarder.ip("route del 10.0.3.0/24")
    try expect(1)
    #expect(cache.statistics == RouteStatistics(hits: 0, misses: 6, invalidations: 4))
  }
}
