import Glibc
import SwBPFKern
import SwBPFPackets
import Synchronization
import TestSupport
import Testing

@testable import SwBPFTunnels

@Suite("A CPU's cached route", .timeLimit(.minutes(1)))
struct CachedRouteTests {
  private let four = IPAddress(v4: 0x0a01_0009)
  private let any = IPAddress(v4: 0)

  /// An answer whose every word is another one for another number.
  private static func answer(_ number: UInt32) -> RouteAnswer {
    var answer = RouteAnswer()
    answer.interface = number
    answer.pathMTU = number &+ 1
    answer.errno = CInt(bitPattern: number)
    answer.isLocal = number & 1 != 0
    answer.interfaceName = InterfaceName((UInt64(number) &* 3, UInt64(number) &* 5))
    return answer
  }

  @Test("T-026 all parts of the question count, and the answer comes back as it was kept")
  func question() throws {
    let route = TunnelRoute()
    defer { route.free() }
    let six = try #require(IPAddress("fd00:1::9"))
    // The same bytes as `four`.
    let mapped = IPAddress(v6: 0, four.low)
    let answer = Self.answer(0x8000_0001)
    route.withLock { $0.keep(four, from: any, 7, answer) }
    #expect(route.hit(four, from: any, 7) == answer)
    #expect(route.withLock { $0.look(four, from: any, 7) } == answer)
    for other in [six, mapped, IPAddress(v4: 0x0a01_0008), IPAddress(v6: four.low, 0)] {
      #expect(route.hit(other, from: any, 7) == nil)
      #expect(route.hit(four, from: other, 7) == nil)
    }
    // Bytes that differ in both halves, and whose differences cancel out.
    route.withLock { $0.keep(six, from: six, 7, answer) }
    #expect(route.hit(six, from: six, 7) == answer)
    #expect(route.hit(IPAddress(v6: six.high ^ 2, six.low ^ 2), from: six, 7) == nil)
    #expect(route.hit(IPAddress(v6: six.low, six.high), from: six, 7) == nil)
    #expect(route.hit(six, from: IPAddress(v6: six.high ^ 8, six.low ^ 8), 7) == nil)
    #expect(route.hit(six, from: six, 8) == nil)
    // A miss without the lock changes and counts nothing.
    #expect(route.hit(six, from: six, 7) == answer)
    #expect(route.withLock { $0.statistics } == RouteStatistics(hits: 4, misses: 0, invalidations: 0))
  }

  @Test("T-027 nothing is kept of a generation that nothing can be relied on in, nor after a flush")
  func nothingKept() {
    let route = TunnelRoute()
    defer { route.free() }
    route.withLock { $0.keep(four, from: any, .max, Self.answer(1)) }
    #expect(route.hit(four, from: any, .max) == nil)
    route.withLock { $0.keep(four, from: any, 1, Self.answer(1)) }
    route.withLock { $0.flush(IPAddress(v6: 0, four.low)) }
    #expect(route.hit(four, from: any, 1) != nil)
    route.withLock { $0.flush(four) }
    #expect(route.hit(four, from: any, 1) == nil)
  }

  @Test("T-025 who looks without the lock while others keep and flush gets the answer to his question, or none")
  func torn() {
    let route = TunnelRoute()
    defer { route.free() }
    let ends = Atomic<Bool>(false)
    let hits = Atomic<Int>(0)
    let wrong = Atomic<Int>(0)
    let any = any
    let threads = (0..<3).map { reader in
      Thread(name: "looks") {
        var number = UInt32(reader)
        while !ends.load(ordering: .relaxed) {
          for _ in 0..<200 {
            number = (number &+ 1) % 4
            guard let known = route.hit(IPAddress(v6: UInt64(number), UInt64(number)), from: any, 7) else { continue }
            hits.wrappingAdd(1, ordering: .relaxed)
            // The answer's number has the question's in it.
            if known != Self.answer(known.interface) || known.interface % 4 != number {
              wrong.wrappingAdd(1, ordering: .relaxed)
            }
          }
          sched_yield()
        }
      }
    }
    for round in 0..<(Requirement.short ? 20_000 : 100_000) as Range<UInt32> {
      route.withLock { route in
        let number = round &* 2_654_435_761
        route.keep(IPAddress(v6: UInt64(number % 4), UInt64(number % 4)), from: any, 7, Self.answer(number))
        if round % 16 == 0 { route.flush(nil) }
      }
      if round % 64 == 0 { usleep(20) }
    }
    #expect(eventually { hits.load(ordering: .relaxed) > 100 })
    ends.store(true, ordering: .relaxed)
    for thread in threads { thread.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }
}
