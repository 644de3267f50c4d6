import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("Directions and filters over a cable", .needsNamespaces)
struct DirectionTests {
  @Test("C-060 C-062 two readers on one interface have directions and filters of their own", .timeLimit(.minutes(1)))
  func twoReaders() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let sent = try wire.near.reader(engine, "va", .out, filter: "ether[14:4] = 0 and ether[21] & 1 = 0")
    let received = try wire.near.reader(engine, "va", .in)
    let reply = try FrameSender(in: wire.far, interface: "vb")
    for number in 0..<UInt64(20) {
      try wire.send(number..<(number + 1))
      try reply.send(wire.numberedBack(number))
    }
    #expect(try sent.collect(10).compactMap(\.number) == stride(from: 0, to: 20, by: 2).map { $0 })
    #expect(try received.collect(20).compactMap(\.number) == (0..<20).map { $0 | back })
    let counts = sent.statistics
    #expect(counts.offered == counts.hidden + counts.refused + counts.captured && counts.captured == 10)
    #expect(counts.refused == 10)
    #expect(received.statistics.captured == 20)
    engine.close()
  }

  @Test(
    "C-066 see-sent toggled 1000 times around a pausing sender: no wrong and no missing frame", .timeLimit(.minutes(1)))
  func toggling() throws {
    let wire = try Wire()
    let rounds = Requirement.short ? 200 : 1000
    let engine = try wire.near.engine()
    let reader = try wire.near.reader(engine, "va")
    let reply = try FrameSender(in: wire.far, interface: "vb")
    var seen: [UInt64] = []
    var wanted: [UInt64] = []
    for round in 0..<UInt64(rounds) {
      // Some pauses are longer than the time after which the kernel stops offering sent frames.
      if round % 50 == 7 { pause(0.015) }
      try reader.setSeesSent(round % 2 == 1)
      try wire.send(round..<(round + 1))
      try reply.send(wire.numberedBack(round))
      if round % 2 == 1 { wanted.append(round) }
      wanted.append(round | back)
      // The received frame is the last of the round: when it is here, the sender has stopped and the ring is empty.
      while seen.last != round | back {
        guard let slot = try reader.nextSlot(timeout: .seconds(5)) else { break }
        seen += reader.frames(slot).compactMap(\.number)
      }
    }
    #expect(seen == wanted)
    #expect(engine.statistics.dropped == 0)
    engine.close()
  }

  @Test(
    "the kernel stops offering sent frames when no reader wants them, and starts again at once", .timeLimit(.minutes(1))
  )
  func ignoreOutgoing() throws {
    let wire = try Wire()
    let engine = try wire.near.engine()
    let first = try wire.near.reader(engine, "va", .in)
    let second = try wire.near.reader(engine, "va", .in)
    func accepted() -> UInt64 { engine.statistics(of: "va").accepted }
    try wire.send(0..<20)
    pause(0.05)
    #expect(accepted() == 0)

    try first.setDirection(.inOut)
    try wire.send(20..<40)
    #expect(try first.collect(20).compactMap(\.number) == Array(20..<40))
    #expect(accepted() == 20)
    #expect(second.statistics.captured == 0)

    try first.setSeesSent(false)
    #expect(try eventually { try quiet() })
    try second.setDirection(.out)
    try wire.send(60..<70)
    #expect(try second.collect(10).compactMap(\.number) == Array(60..<70))
    #expect(first.statistics.captured == 20)

    // The one that wants them leaves.
    second.detach()
    #expect(try eventually { try quiet() })
    engine.close()

    func quiet() throws -> Bool {
      pause(0.03)
      let before = accepted()
      try wire.send(100..<103)
      return accepted() == before
    }
  }

  @Test("C-147 promiscuous mode is on while a reader wants it, and gone after it left", .timeLimit(.minutes(1)))
  func promiscuous() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    func promiscuity() throws -> String {
      let words = try wire.far.ip("-d link show dev vb").split(whereSeparator: \.isWhitespace)
      return words.firstIndex(of: "promiscuity").map { String(words[$0 + 1]) } ?? "?"
    }
    let first = try wire.far.reader(engine, "vb")
    #expect(try promiscuity() == "0")
    try first.setPromiscuous()
    try first.setPromiscuous()
    #expect(try promiscuity() == "1")
    let second = try wire.far.reader(engine, "vb")
    try second.setPromiscuous()
    #expect(try promiscuity() == "1")
    first.detach()
    #expect(try promiscuity() == "1")
    second.detach()
    #expect(try promiscuity() == "0")
    #expect(throws: BPF.Failure.self) { try first.setPromiscuous() }
    engine.close()
  }
}
