import Glibc
import SwBPFKern
import SwBPFPackets
import Synchronization
import TestSupport
import Testing

@testable import SwBPFPFKey

/// What readers and the writer of one test tell each other.
private final class Progress: Sendable {
  let isDone = Atomic<Bool>(false)
  let started = Atomic<Int>(0)
  let wrong = Atomic<Int>(0)
}

@Suite struct LookupTests {
  private let asker = Asker()

  private func add(_ text: String, _ destination: AddressRange, upper: UInt8 = 255) throws -> UInt32 {
    let parts = text.split(separator: "/")
    let source = AddressRange(
      try #require(IPAddress(String(parts[0]))), prefix: parts.count == 2 ? UInt8(parts[1]) : nil)
    let policy = SecurityPolicy(Selector(.outbound, from: source, to: destination, upper: upper), .none)
    return try #require(try asker.ask(policy.addMessage()).first?.policy?.id)
  }

  @Test("the first policy that matches wins, whether it is for one pair of addresses or for many")
  func order() throws {
    let range = try add("10.0.0.0/24", AddressRange(.two, port: 80))
    let pair = try add("10.0.0.1", AddressRange(.two), upper: 6)
    let rest = try add("0.0.0.0/0", AddressRange(.two, prefix: 0))
    let hidden = try add("10.0.0.1", AddressRange(.two))
    #expect(asker.match(.outbound, Endpoint(.one), Endpoint(.two, port: 80), upper: 6) == range)
    #expect(asker.match(.outbound, Endpoint(.one), Endpoint(.two, port: 81), upper: 6) == pair)
    #expect(asker.match(.outbound, Endpoint(.one), Endpoint(.two, port: 81), upper: 17) == rest)
    #expect(asker.match(.outbound, Endpoint(.two), Endpoint(.two)) == rest)
    #expect(asker.match(.outbound, Endpoint(.six1), Endpoint(.six2)) == nil)
    #expect(asker.match(.inbound, Endpoint(.one), Endpoint(.two)) == nil)
    _ = try asker.ask(SecurityPolicy.message(.spdDelete2, id: rest))
    #expect(asker.match(.outbound, Endpoint(.one), Endpoint(.two), upper: 17) == hidden)
  }

  @Test("an association is found by its reqid, or by its addresses alone; the oldest serves")
  func reqids() throws {
    for (spi, reqid) in [(1000, 1), (1001, 2), (1002, 2), (1003, 0)] as [(UInt32, UInt16)] {
      #expect(try asker.add(.cbc(spi, reqid: reqid)) == 0)
    }
    func found(_ level: PolicyLevel, _ reqid: UInt16, _ mode: SAMode = .transport) -> UInt32? {
      asker.spi(PolicyRequest(.esp, mode, level, reqid: reqid), Endpoint(.one), Endpoint(.two))
    }
    #expect(found(.unique, 1) == 1000)
    #expect(found(.unique, 2) == 1001)
    #expect(found(.unique, 3) == nil)
    #expect(found(.require, 0) == 1000)
    #expect(found(.require, 0, .tunnel) == nil)
    #expect(asker.spi(PolicyRequest(.ah, .transport, .require), Endpoint(.one), Endpoint(.two)) == nil)
    #expect(asker.spi(PolicyRequest(.esp, .transport, .require), Endpoint(.two), Endpoint(.one)) == nil)
    #expect(try asker.errno(SecurityAssociation.cbc(1001).nameMessage(.delete)) == 0)
    #expect(found(.unique, 2) == 1002)
  }

  @Test("a packet that came finds its association by destination, SPI and protocol")
  func inbound() throws {
    #expect(try asker.add(.cbc(1000)) == 0)
    #expect(try asker.add(.ah(1000)) == 0)
    func found(_ address: IPAddress, _ spi: UInt32, _ proto: SecurityProtocol) -> SecurityProtocol? {
      asker.inside { asker.engine.association(to: address, spi: spi, proto: proto)?.takeUnretainedValue().proto }
    }
    #expect(found(.two, 1000, .esp) == .esp)
    #expect(found(.two, 1000, .ah) == .ah)
    #expect(found(.two, 1000, .ipcomp) == nil)
    #expect(found(.two, 1001, .esp) == nil)
    #expect(found(.one, 1000, .esp) == nil)
  }

  @Test("lookups go on while associations and policies come and go")
  func concurrent() throws {
    let engine = asker.engine
    let progress = Progress()
    let request = PolicyRequest(.esp, .transport, .require)
    // These stay.
    #expect(try asker.add(.cbc(999)) == 0)
    let stays = try #require(try asker.ask(GoldenBytes.a).first?.policy?.id)
    try withThreads(2) {
      let reader = engine.epoch.reader()
      progress.started.wrappingAdd(1, ordering: .relaxed)
      while !progress.isDone.load(ordering: .relaxed) {
        reader.enter()
        let out = engine.association(for: request, from: Endpoint(.one), to: Endpoint(.two))?.takeUnretainedValue()
        let into = engine.association(to: .two, spi: 1010, proto: .esp)?.takeUnretainedValue()
        let policy = engine.match(.outbound, from: Endpoint(.one), to: Endpoint(.two), upper: 4)?.takeUnretainedValue()
        if out?.spi != 999 || policy?.id != stays
          || into.map({ $0.spi != 1010 || $0.encryptionKey.copy()[0] != 0x5e }) == true
        {
          progress.wrong.wrappingAdd(1, ordering: .relaxed)
        }
        reader.leave()
      }
    } while: {
      defer { progress.isDone.store(true, ordering: .relaxed) }
      while progress.started.load(ordering: .relaxed) < 2 { usleep(100) }
      for round in 0..<(Requirement.short ? 25 : 100) {
        for spi in 1000..<1030 as Range<UInt32> { #expect(try asker.add(.cbc(spi)) == 0) }
        let other = try add("0.0.0.0/0", AddressRange(.two), upper: 6)
        for spi in 1000..<1030 as Range<UInt32> {
          #expect(try asker.errno(SecurityAssociation.cbc(round % 2 == 0 ? spi : 2029 - spi).nameMessage(.delete)) == 0)
        }
        _ = try asker.ask(SecurityPolicy.message(.spdDelete2, id: other))
        while asker.listener.receive() != nil {}
      }
    }
    #expect(progress.wrong.load(ordering: .relaxed) == 0)
  }

  /// Runs `work` on some threads while `body` runs on this one.
  private func withThreads(_ count: Int, _ work: @escaping @Sendable () -> Void, while body: () throws -> Void) throws {
    let threads = (0..<count).map { SwBPFKern.Thread(name: "lookup-\($0)") { work() } }
    defer { for thread in threads { thread.join() } }
    try body()
  }
}
