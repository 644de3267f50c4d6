import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct LifetimeTests {
  private let asker = Asker()
  private let request = PolicyRequest(.esp, .transport, .require)

  private func add(hard: Lifetime, soft: Lifetime) throws {
    var new = SecurityAssociation.cbc(1000)
    new.hard = hard
    new.soft = soft
    #expect(try asker.add(new) == 0)
    _ = try asker.heard()
  }

  /// Sends a packet with the association; false: it must not be used.
  private func send(bytes: Int) -> Bool? {
    asker.inside {
      asker.engine.association(for: request, from: Endpoint(.one), to: Endpoint(.two))?.takeUnretainedValue()
        .record(bytes: bytes, now: asker.engine.now)
    }
  }

  @Test("a soft lifetime makes it dying and a hard one ends it; who registered hears both")
  func time() throws {
    #expect(try asker.errno(MessageHeader(.register, .esp).complete) == 0)
    try add(hard: Lifetime(addTime: 10), soft: Lifetime(addTime: 5))
    _ = try Asker.received(asker.socket)
    asker.engine.tick(now: 1004)
    #expect(try Asker.received(asker.socket).isEmpty)
    asker.engine.tick(now: 1005)
    var told = try Asker.received(asker.socket)
    #expect(told.map(\.header.type) == [8])
    #expect(told.first?.lifetime(.lifetimeSoft) == Lifetime(addTime: 5))
    #expect(told.first?.lifetime(.lifetimeCurrent)?.addTime == 1000)
    #expect(told.first?.sa?.state == SAState.dying.rawValue)
    // Dying, it still serves; it is told once.
    #expect(asker.spi(request, Endpoint(.one), Endpoint(.two)) == 1000)
    asker.engine.tick(now: 1009)
    #expect(try Asker.received(asker.socket).isEmpty)
    asker.engine.tick(now: 1010)
    told = try Asker.received(asker.socket)
    #expect(told.first?.lifetime(.lifetimeHard) == Lifetime(addTime: 10))
    #expect(told.first?.sa?.state == SAState.dead.rawValue)
    #expect(asker.spi(request, Endpoint(.one), Endpoint(.two)) == nil)
    #expect(try asker.dump().isEmpty)
    // Who did not register heard nothing.
    #expect(try asker.heard().isEmpty)
  }

  @Test("the time of use begins with the first packet")
  func use() throws {
    try add(hard: Lifetime(useTime: 10), soft: Lifetime(useTime: 5))
    asker.engine.tick(now: 2000)
    #expect(try asker.dump().map(\.state) == [.mature])
    #expect(send(bytes: 1) == true)
    asker.engine.tick(now: 2005)
    #expect(try asker.dump().map(\.state) == [.dying])
    #expect(try asker.dump().first?.current == Lifetime(allocations: 1, bytes: 1, addTime: 1000, useTime: 2000))
    asker.engine.tick(now: 2010)
    #expect(try asker.dump().isEmpty)
  }

  @Test(
    "bytes and packets end it, and no packet goes beyond the hard limit before the clock ticks",
    arguments: [
      (Lifetime(bytes: 200), Lifetime(bytes: 100)), (Lifetime(allocations: 2), Lifetime(allocations: 1)),
    ])
  func amounts(hard: Lifetime, soft: Lifetime) throws {
    try add(hard: hard, soft: soft)
    #expect(send(bytes: 100) == true)
    asker.engine.tick(now: 1001)
    #expect(try asker.dump().map(\.state) == [.dying])
    #expect(send(bytes: 100) == true)
    #expect(send(bytes: 100) == false)
    asker.engine.tick(now: 1002)
    #expect(try asker.dump().isEmpty)
  }

  @Test("a clock that goes back ends nothing")
  func back() throws {
    try add(hard: Lifetime(addTime: 10), soft: Lifetime(addTime: 5))
    asker.engine.tick(now: 0)
    #expect(try asker.dump().map(\.state) == [.mature])
  }
}
