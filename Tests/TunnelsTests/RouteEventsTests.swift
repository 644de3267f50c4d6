import Glibc
import SwBPFKern
import Synchronization
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite(.needsNamespaces, .timeLimit(.minutes(1)))
struct RouteEventsTests {
  private let host: Host

  init() throws {
    host = try Host()
    try host.ip("link add va type veth peer name vb")
    try host.ip("link set vb up")
  }

  /// Whether a change is heard.
  private func raises(_ events: RouteEvents, _ change: () throws -> Void) throws -> Bool {
    let settled = events.settle()
    let before = events.generation
    try change()
    return events.settle() && settled && events.generation > before
  }

  @Test("T-027 each kind of change raises the generation, IPv4 and IPv6")
  func changes() throws {
    let events = try host.inside { try RouteEvents() }
    let changes = [
      "link set va up", "addr add 10.9.0.1/24 dev va", "route add 10.8.0.0/16 via 10.9.0.2",
      "route replace 10.8.0.0/16 via 10.9.0.3", "route del 10.8.0.0/16", "-6 addr add fd00:9::1/64 dev va nodad",
      "-6 route add fd00:8::/64 via fd00:9::2", "-6 route del fd00:8::/64", "rule add from 10.9.0.1 lookup 100",
      "-6 rule add from fd00:9::1 lookup 100", "link set va mtu 1400", "addr del 10.9.0.1/24 dev va",
      "link set va down",
      "link del va",
    ]
    for change in changes {
      #expect(try raises(events) { try host.ip(change) }, "\(change)")
    }
    #expect(events.lost == 0)
  }

  @Test("nothing raises the generation of another namespace, or while nothing changes")
  func others() throws {
    let other = try Host()
    let events = try other.inside { try RouteEvents() }
    #expect(try !raises(events) { try host.ip("link set va up") })
    #expect(try !raises(events) { _ = try other.ip("route show") })
  }

  @Test("T-027, T-172 lost events raise the generation, too, and are counted")
  func lost() throws {
    let (entered, mayGo) = (Gate(), Gate())
    // While the first change is being told, the thread hears no more.
    let events = try host.inside {
      try RouteEvents(room: 4096) {
        entered.open()
        mayGo.wait()
      }
    }
    try host.ip("link set va up")
    #expect(entered.wait(upTo: 5))
    let before = events.generation
    try host.run(
      ["ip", "-batch", "-"], input: (1...200).map { "addr add 10.9.0.\($0)/32 dev va\n" }.joined())
    mayGo.open()
    #expect(events.settle())
    #expect(events.lost > 0)
    #expect(events.generation > before)
    #expect(events.generation - before < 100)
    // It hears as before.
    #expect(try raises(events) { try host.ip("route add 10.7.0.0/16 dev va") })
  }

  @Test("settling from many threads ends for each of them")
  func settling() throws {
    let events = try host.inside { try RouteEvents() }
    let settled = Atomic<Int>(0)
    let threads = (0..<8).map { _ in
      Thread(name: "settler") { for _ in 0..<50 where events.settle() { settled.wrappingAdd(1, ordering: .relaxed) } }
    }
    for thread in threads { thread.join() }
    #expect(settled.load(ordering: .relaxed) == 400)
  }
}
