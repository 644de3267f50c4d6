import Glibc
import SwBPFPackets
import Testing

@testable import SwBPFPFKey

@Suite struct PolicyMessageTests {
  private let asker = Asker()

  /// ``GoldenBytes/a`` with some bytes changed.
  private func changed(_ changes: [Int: UInt8], in bytes: [UInt8] = GoldenBytes.a) -> [UInt8] {
    var bytes = bytes
    for (offset, value) in changes { bytes[offset] = value }
    return bytes
  }

  /// ``GoldenBytes/a`` with other bytes behind its policy's head.
  private func with(requests: [UInt8]) -> [UInt8] {
    var bytes = Array(GoldenBytes.a[..<80]) + requests
    bytes[4] = UInt8(bytes.count / 8)
    bytes[64] = UInt8((bytes.count - 64) / 8)
    return bytes
  }

  @Test("T-046: a reqid is shown behind a colon when given by hand, behind a number sign when automatic")
  func suffixes() {
    #expect(RequestID.suffix(0) == "")
    #expect(RequestID.suffix(8192) == ":8192")
    #expect(RequestID.suffix(16383) == ":16383")
    #expect(RequestID.suffix(16384) == "#16384")
  }

  @Test("T-047: reqids begin with 16385, and after 65535 comes 16384")
  func wraps() {
    var ids = RequestIDs()
    var all: [UInt16?] = []
    for _ in 0..<49153 { all.append(ids.next()) }
    #expect(all[0] == 16385)
    #expect(all[49150] == 65535)
    #expect(all[49151] == 16384)
    #expect(all[49152] == 16385)
  }

  @Test("reqids that policies have are not given again")
  func skips() {
    var ids = RequestIDs()
    ids.take([PolicyRequest(.esp, .transport, .unique, reqid: 16385)])
    var next = ids.next()
    #expect(next == 16386)
    for id in 16384...UInt16.max { ids.take([PolicyRequest(.esp, .transport, .unique, reqid: id)]) }
    next = ids.next()
    #expect(next == nil)
    ids.give([PolicyRequest(.esp, .transport, .unique, reqid: 20000)])
    next = ids.next()
    #expect(next == 20000)
  }

  @Test("T-048: a reqid above 16383 is replaced by a new one; one by hand is kept; other levels have none")
  func replaced() throws {
    #expect(try asker.errno(GoldenBytes.with(reqid: 60000, in: GoldenBytes.a, at: 86)) == 0)
    #expect(try asker.heard().map { try SecurityPolicy($0).requests.first?.reqid } == [16385])
    #expect(
      try asker.errno(SecurityPolicy.out(upper: 6, PolicyRequest(.esp, .transport, .unique, reqid: 7)).addMessage())
        == 0)
    #expect(
      try asker.errno(SecurityPolicy.out(upper: 17, PolicyRequest(.esp, .transport, .use, reqid: 7)).addMessage()) == 0)
    #expect(try asker.policies().map { $0.requests.first?.reqid } == [16385, 7, 0])
  }

  @Test("T-036: a tunnel request has two addresses, which are kept")
  func tunnel() throws {
    #expect(try asker.errno(changed([84: 2])) == EINVAL)
    #expect(try asker.errno(changed([84: 2], in: GoldenBytes.a0)) == 0)
    let ends = PolicyRequest.Ends(from: Endpoint(.one), to: Endpoint(.two))
    #expect(try asker.policies().first?.requests.first?.ends == ends)
  }

  @Test(
    "T-150: an error is answered in the message, to its sender only",
    arguments: [
      (offset: 0, value: 1), (offset: 1, value: 24), (offset: 1, value: 0), (offset: 3, value: 3),
      (offset: 3, value: 1),
      (offset: 70, value: 0), (offset: 70, value: 3), (offset: 68, value: 3), (offset: 68, value: 4),
      (offset: 68, value: 5),
      (offset: 21, value: 33), (offset: 25, value: 24), (offset: 25, value: 10),
    ] as [(offset: Int, value: UInt8)])
  func errors(offset: Int, value: UInt8) throws {
    var expected = changed([offset: value])
    let answers = try {
      try asker.engine.send(expected, from: asker.socket)
      var answers: [[UInt8]] = []
      while let answer = asker.socket.receive() { answers.append(answer) }
      return answers
    }()
    expected[2] = UInt8(EINVAL)
    #expect(answers == [expected])
    #expect(try asker.heard().isEmpty)
    #expect(try asker.policies().isEmpty)
  }

  @Test("types of associations that BSD does not serve, and extensions it lacks here, are EOPNOTSUPP")
  func notSupported() throws {
    for type in [5, 6, 7, 8] as [UInt8] { #expect(try asker.errno(changed([3: type])) == EOPNOTSUPP) }
    #expect(try asker.errno(MessageHeader(.promiscuous).complete) == EOPNOTSUPP)
    for type in [10, 11, 12, 13] as [UInt8] {
      let bytes = GoldenBytes.a + [2, 0, type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
      #expect(try asker.errno(changed([4: 13], in: bytes)) == EOPNOTSUPP)
    }
  }

  @Test("a missing part of a policy is EINVAL")
  func missing() throws {
    for range in [16..<40, 40..<64, 64..<88] {
      var bytes = GoldenBytes.a
      bytes.removeSubrange(range)
      bytes[4] = UInt8(bytes.count / 8)
      #expect(try asker.errno(bytes) == EINVAL)
    }
    #expect(try asker.errno(with(requests: [])) == EINVAL)
    // Two families.
    var mixed = Array(GoldenBytes.a[..<40]) + GoldenBytes.b[56..<96] + GoldenBytes.a[64...]
    mixed[4] = UInt8(mixed.count / 8)
    #expect(try asker.errno(mixed) == EINVAL)
  }

  @Test("T-151: a second SPDADD is EEXIST; SPDUPDATE replaces and keeps one policy; one that fails leaves the old")
  func update() throws {
    #expect(try asker.errno(GoldenBytes.a) == 0)
    let first = try #require(try asker.policies().first)
    #expect(try asker.errno(GoldenBytes.a) == EEXIST)
    #expect(try asker.policies() == [first])
    #expect(try asker.errno(changed([1: 13, 84: 0])) == EINVAL)
    #expect(try asker.policies() == [first])
    #expect(try asker.errno(changed([1: 13, 85: 2])) == 0)
    let second = try asker.policies()
    #expect(second.map(\.requests) == [[PolicyRequest(.esp, .transport, .require)]])
    #expect(second.first?.id != first.id)
    #expect(asker.match(.outbound, Endpoint(.one), Endpoint(.two)) == second.first?.id)
  }

  @Test("T-152: deleting a policy that is not there is EINVAL, getting it ENOENT")
  func absent() throws {
    #expect(try asker.errno(SecurityPolicy.out().deleteMessage()) == EINVAL)
    #expect(try asker.errno(GoldenBytes.d) == EINVAL)
    #expect(try asker.errno(SecurityPolicy.message(.spdGet, id: 1)) == ENOENT)
  }

  @Test("T-153: a dump of nothing is ENOENT, to the asker only")
  func emptyDump() throws {
    #expect(try asker.errno(MessageHeader(.spdDump).complete) == ENOENT)
    #expect(try asker.errno(MessageHeader(.dump).complete) == ENOENT)
    #expect(try asker.heard().isEmpty)
  }

  @Test("T-154: modes, levels, lengths and protocols that do not exist are refused")
  func requests() throws {
    #expect(try asker.errno(changed([84: 0])) == EINVAL)
    #expect(try asker.errno(changed([84: 3])) == EINVAL)
    #expect(try asker.errno(changed([85: 4])) == EINVAL)
    #expect(try asker.errno(changed([80: 7])) == EINVAL)
    #expect(try asker.errno(changed([80: 9])) == EINVAL)
    #expect(try asker.errno(changed([82: 47])) == EPROTONOSUPPORT)
    #expect(try asker.errno(changed([82: 0x32, 83: 1])) == EPROTONOSUPPORT)
    let request: [UInt8] = [8, 0, 0x32, 0, 1, 2, 0, 0]
    #expect(try asker.errno(with(requests: request + [0, 0, 0, 0, 0, 0, 0, 0])) == EINVAL)
    #expect(try asker.errno(with(requests: request + [16, 0, 0x32, 0, 1, 2, 0, 0])) == EINVAL)
    #expect(try asker.policies().isEmpty)
    // Bytes inside of a transport request are accepted: the old shape.
    #expect(try asker.errno(GoldenBytes.a0) == 0)
    #expect(try asker.errno(GoldenBytes.b0) == 0)
    // Two requests are a bundle.
    #expect(try asker.errno(changed([20: 6, 44: 6], in: with(requests: request + request))) == 0)
    #expect(try asker.policies().map(\.requests.count) == [1, 1, 2])
  }

  @Test("T-155: the answer to SPDADD has the policy's id and goes to all sockets")
  func broadcast() throws {
    let answers = try asker.ask(GoldenBytes.a)
    let id = try #require(try asker.policies().first?.id)
    #expect(answers.map { $0.policy?.id } == [id])
    let heard = try asker.heard()
    #expect(heard.map(\.bytes) == answers.map(\.bytes))
    // Without id and reqid it is what was sent.
    var expected = GoldenBytes.a
    expected[72] = UInt8(id)
    #expect(answers[0].bytes == expected)
    for removal in [SecurityPolicy.out().deleteMessage(), MessageHeader(.spdFlush).complete] {
      #expect(try asker.errno(removal) == 0)
      #expect(try asker.heard().count == 1)
    }
  }

  @Test("a policy is shown with its id, times and place")
  func listing() throws {
    var policy = SecurityPolicy.out(PolicyRequest(.esp, .transport, .require))
    policy.lifetime = 60
    #expect(try asker.errno(policy.addMessage()) == 0)
    let id = try #require(asker.match(.outbound, Endpoint(.one), Endpoint(.two)))
    asker.inside {
      asker.engine.match(.outbound, from: Endpoint(.one), to: Endpoint(.two), upper: 4)?.takeUnretainedValue().use(
        now: 1001)
    }
    policy.id = id
    policy.created = 1000
    policy.lastUsed = 1001
    policy.messageSequence = 5
    policy.pid = 6
    let answers = try asker.ask(SecurityPolicy.message(.spdGet, id: id, sequence: 5, pid: 6))
    #expect(try answers.map { try SecurityPolicy($0) } == [policy])
  }

  @Test("a policy ends with its lifetime, and after its idle time without packets")
  func lifetimes() throws {
    #expect(try asker.errno(MessageHeader(.register, .esp).complete) == 0)
    var policy = SecurityPolicy.out()
    policy.lifetime = 60
    #expect(try asker.errno(policy.addMessage()) == 0)
    policy = .out(upper: 41)
    policy.idleTime = 30
    #expect(try asker.errno(policy.addMessage()) == 0)
    asker.engine.tick(now: 1020)
    asker.inside {
      asker.engine.match(.outbound, from: Endpoint(.one), to: Endpoint(.two), upper: 41)?.takeUnretainedValue().use(
        now: 1020)
    }
    asker.engine.tick(now: 1049)
    #expect(try asker.policies().count == 2)
    asker.engine.tick(now: 1050)
    #expect(try Asker.received(asker.socket).map(\.header.type) == [21])
    #expect(try asker.policies().count == 1)
    asker.engine.tick(now: 1060)
    #expect(try asker.policies().isEmpty)
  }
}
