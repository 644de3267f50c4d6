import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct AcquireTests {
  private let asker = Asker()

  private func acquire() throws {
    let id = try #require(asker.match(.outbound, Endpoint(.one), Endpoint(.two)))
    let policy = try #require(asker.engine.lock.withLock { asker.engine.policies.byID[id] })
    asker.engine.acquire(policy.requests[0], of: policy, from: Endpoint(.one), to: Endpoint(.two))
  }

  @Test("who registered is asked for an association, once in 20 seconds, and again when one came or it gave up")
  func asks() throws {
    #expect(try asker.errno(GoldenBytes.a) == 0)
    try acquire()
    #expect(try asker.errno(MessageHeader(.register, .esp).complete) == 0)
    _ = try asker.heard()
    try acquire()
    let asked = try Asker.received(asker.socket)
    #expect(asked.map(\.header.type) == [6])
    let message = try #require(asked.first)
    #expect(try message.address(.addressSource)?.endpoint == Endpoint(.one))
    #expect(try message.address(.addressDestination)?.endpoint == Endpoint(.two))
    #expect(message.sa2?.reqid == 16385)
    #expect(message.policy?.id == asker.match(.outbound, Endpoint(.one), Endpoint(.two)))
    try acquire()
    #expect(try Asker.received(asker.socket).isEmpty)
    // It gave up.
    try asker.engine.send(MessageHeader(.acquire, .esp, sequence: message.header.sequence).complete, from: asker.socket)
    try acquire()
    #expect(try Asker.received(asker.socket).count == 1)
    // One came.
    #expect(try asker.add(.cbc(1000, reqid: 16385)) == 0)
    try acquire()
    #expect(try Asker.received(asker.socket).count == 1)
    asker.engine.tick(now: 1019)
    try acquire()
    #expect(try Asker.received(asker.socket).isEmpty)
    asker.engine.tick(now: 1020)
    try acquire()
    #expect(try Asker.received(asker.socket).count == 1)
    #expect(try asker.heard().map(\.header.type) == [3])
  }

  @Test("T-131 twelve packets later it is asked for again, though no time has passed")
  func asksAgain() throws {
    #expect(try asker.errno(GoldenBytes.a) == 0)
    #expect(try asker.errno(MessageHeader(.register, .esp).complete) == 0)
    for expected in [1, 1, 1] {
      try acquire()
      #expect(try Asker.received(asker.socket).count == expected)
      for _ in 2...12 { try acquire() }
      #expect(try Asker.received(asker.socket).isEmpty)
    }
  }

  @Test("registering twice is EEXIST; the answer says what is offered; a closed socket hears no more")
  func register() throws {
    func offered(_ type: SAType) throws -> [UInt8] {
      let answer = try #require(try asker.ask(MessageHeader(.register, type).complete).first)
      #expect(answer.has(.supportedAuth))
      let offered = try #require(answer.range(of: .supportedEncrypt))
      return stride(from: offered.lowerBound + 8, to: offered.upperBound, by: 8).map { answer.bytes[$0] }
    }
    // ChaCha20-Poly1305 is not unless it is asked for.
    #expect(try offered(.esp) == [11, 12, 13, 20])
    asker.engine[.chacha20Poly1305] = true
    #expect(try offered(.unspecified) == [11, 12, 13, 20, 28])
    #expect(try asker.heard().isEmpty)
    #expect(try asker.errno(MessageHeader(.register, .esp).complete) == EEXIST)
    #expect(try asker.errno(MessageHeader(.register, .ah).complete) == 0)
    #expect(try asker.errno(MessageHeader(.register).complete) == 0)
    asker.engine.close(asker.socket)
    #expect(try asker.errno(MessageHeader(.spdDump).complete) == ENOENT)
    #expect(asker.socket.receive() == nil)
  }

  @Test("a queue that is full drops: those who listen count it, the asker is told ENOBUFS")
  func full() throws {
    let small = asker.engine.open(limit: 100)
    #expect(try asker.errno(GoldenBytes.a) == 0)
    #expect(try asker.errno(GoldenBytes.c) == 0)
    #expect(small.dropped == 1)
    do throws(PFKeyError) {
      try asker.engine.send(GoldenBytes.b, from: small)
      Issue.record("the answer had no room")
    } catch { #expect(error.errno == ENOBUFS) }
    #expect(try asker.policies().count == 3)
    #expect(try Asker.received(small).count == 1)
    #expect(try asker.errno(MessageHeader(.spdFlush).complete) == 0)
    #expect(try Asker.received(small).count == 1)
  }

  @Test("a list that is longer than the queue's limit is given when nothing else waits")
  func longList() throws {
    for spi in 1000..<1010 as Range<UInt32> { #expect(try asker.add(.cbc(spi)) == 0) }
    let small = asker.engine.open(limit: 100)
    try asker.engine.send(MessageHeader(.dump).complete, from: small)
    #expect(throws: PFKeyError.noBuffers) { try asker.engine.send(MessageHeader(.dump).complete, from: small) }
    #expect(try Asker.received(small).map { $0.sa?.spi } == (1000..<1010).map { UInt32($0) })
    #expect(small.dropped == 10)
  }
}
