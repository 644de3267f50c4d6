import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFLiveCapture
import Testing

@testable import TestSupport

@Suite("The ring of an interface", .needsNamespaces)
struct RingTests {
  @Test("captured plus named losses equal what was sent, with buffers too small", .timeLimit(.minutes(1)))
  func bufferLosses() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let slow = try wire.far.reader(engine, "vb", .in, .init(slotSize: 4096, slots: 2))
    let fast = try wire.far.reader(engine, "vb", .in)
    try wire.send(0..<2000)
    let all = try fast.collect(2000)
    #expect(all.compactMap(\.number) == Array(0..<2000))
    let counts = slow.statistics
    #expect(counts.captured == 2000)
    #expect(counts.dropped > 0)
    #expect(counts.captured == counts.delivered + counts.dropped + counts.waiting)
    // What is kept are the oldest frames, in order, without a hole.
    let kept = try slow.collect(Int(counts.waiting)).compactMap(\.number)
    #expect(kept == (0..<counts.waiting).map { $0 })
    #expect(slow.statistics.delivered == counts.waiting && slow.statistics.waiting == 0)
    engine.close()
  }

  @Test("captured plus named losses equal what was sent, with a ring too small", .timeLimit(.minutes(1)))
  func ringLosses() throws {
    let wire = try Wire()
    var options = RingOptions()
    options.size = 128 << 10
    let engine = try wire.far.engine(options)
    let reader = try wire.far.reader(engine, "vb", .in, .init(slotSize: 1 << 20, slots: 64))
    let count: UInt64 = 20000
    try wire.send(0..<count, size: 1500)
    let settled = eventually {
      let ring = engine.statistics(of: "vb")
      return ring.accepted + ring.dropped == count && ring.processed == ring.accepted
    }
    let ring = engine.statistics(of: "vb")
    #expect(settled, "\(ring)")
    #expect(reader.statistics.captured == ring.accepted)
    let numbers = try reader.collect(Int(ring.accepted)).compactMap(\.number)
    #expect(numbers.count == Int(reader.statistics.delivered))
    #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
    engine.close()
  }

  @Test(
    "C-039 the ring is closed some time after the last reader left, and opened again by the next",
    .timeLimit(.minutes(1)))
  func linger() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    try wire.far.inside { try engine.prepare("vb") }
    #expect(try wire.far.mappedRings() == 0)
    let first = try wire.far.reader(engine, "vb")
    #expect(try wire.far.mappedRings() == 1)
    try wire.send(0..<5)
    #expect(try first.collect(5).count == 5)
    first.detach()
    #expect(try wire.far.mappedRings() == 1)
    #expect(try eventually { try wire.far.mappedRings() == 0 })
    // Its socket is there but takes nothing: it is bound to no interface, and to a protocol that no frame has.
    let sockets = wire.far.inside { readText("/proc/thread-self/net/packet") }.split(separator: "\n").dropFirst()
    #expect(sockets.allSatisfy { $0.split(separator: " ")[3] != "0003" }, "\(sockets)")
    // On a busy machine frames cross the cable a moment after they were sent: another engine says when they are over.
    let other = try wire.far.engine()
    let witness = try wire.far.reader(other, "vb")
    try wire.send(5..<10)
    #expect(try witness.collect(5).count == 5)
    // A socket without a ring hears nothing, of any interface.
    #expect(engine.statistics(of: "vb").accepted == 5)
    other.close()
    #expect(try wire.far.mappedRings() == 0)
    let second = try wire.far.reader(engine, "vb")
    try wire.send(10..<15)
    #expect(try second.collect(5).compactMap(\.number) == Array(10..<15))
    #expect(try wire.far.mappedRings() == 1)
    #expect(engine.statistics(of: "vb").accepted == 10)
    engine.close()
    #expect(try wire.far.mappedRings() == 0)
  }

  @Test("an engine that is let go of leaves no socket and no ring", .timeLimit(.minutes(1)))
  func leavesNothing() throws {
    let wire = try Wire()
    func sockets() -> Int {
      wire.far.inside { readText("/proc/thread-self/net/packet") }.split(separator: "\n").count - 1
    }
    for closes in [true, false] {
      var engine: CaptureEngine? = try wire.far.engine()
      let one = try wire.far.reader(engine!, "vb")
      let all = try BPF.Descriptor()
      try wire.far.inside { try engine!.attachToAll(all) }
      #expect(sockets() == 4)
      one.detach()
      all.detach()
      if closes { engine?.close() }
      engine = nil
      #expect(eventually { sockets() == 0 }, "\(closes)")
      #expect(try wire.far.mappedRings() == 0)
    }
  }

  @Test("a VLAN tag that the kernel stripped is back before the program runs", .timeLimit(.minutes(1)))
  func vlan() throws {
    let wire = try Wire()
    let engine = try wire.far.engine()
    let byOffset = try wire.far.reader(engine, "vb", filter: "ether[14:2] = 5")
    let byWord = try wire.far.reader(engine, "vb", filter: "vlan 5")
    let any = try wire.far.reader(engine, "vb", filter: "vlan")
    let all = try wire.far.reader(engine, "vb")
    let own = try wire.near.engine()
    let leaving = try wire.near.reader(own, "va", .out, filter: "vlan 5")
    try wire.send(0..<3)
    try wire.send(3..<6, vlans: [5])
    try wire.send(6..<9, vlans: [7])
    try wire.send(9..<12, vlans: [5, 9])
    let wanted: [UInt64] = [3, 4, 5, 9, 10, 11]
    #expect(try byOffset.collect(6).compactMap(\.number) == wanted)
    #expect(try byWord.collect(6).compactMap(\.number) == wanted)
    #expect(try leaving.collect(6).compactMap(\.number) == wanted)
    #expect(try any.collect(9).compactMap(\.number) == Array(3..<12))
    let frames = try all.collect(12)
    #expect(frames.map(\.bytes) == (0..<12).map { wire.numbered(UInt64($0), vlans: [[], [5], [7], [5, 9]][$0 / 3]) })
    #expect(frames.allSatisfy { $0.length == $0.bytes.count })
    engine.close()
    own.close()
  }

  @Test("without rings the same frames come by recvmmsg, and it is said once", .timeLimit(.minutes(1)))
  func fallback() throws {
    let wire = try Wire()
    let events = Events()
    let withRing = try wire.far.engine()
    let reference = try wire.far.reader(withRing, "vb")
    let descriptor = try BPF.Descriptor()
    let again = try BPF.Descriptor()
    let engine = try wire.far.inside {
      precondition(swpcap_refuse_rings() == 0)
      let engine = try CaptureEngine { events.add($0) }
      for one in [descriptor, again] {
        one.setImmediate(true)
        try engine.attach(one, to: "vb")
      }
      return engine
    }
    let reply = try FrameSender(in: wire.far, interface: "vb")
    for round in 0..<50 as Range<UInt64> {
      try wire.send((4 * round)..<(4 * round + 2))
      try wire.send((4 * round + 2)..<(4 * round + 3), vlans: [5])
      try wire.send((4 * round + 3)..<(4 * round + 4), vlans: [6, 7], size: 1492)
      try reply.send(wire.numberedBack(round))
    }
    let wanted = try reference.collect(250)
    #expect(wanted.count == 250)
    let seen = try descriptor.collect(250)
    #expect(seen == wanted)
    #expect(try again.collect(250) == wanted)
    let notices = events.all.filter { if case .notice = $0 { true } else { false } }
    #expect(notices.count == 1, "\(notices)")
    #expect(engine.statistics.accepted == 250 && engine.statistics.processed == 250)
    #expect(try wire.far.mappedRings() == 1)
    engine.close()
    withRing.close()
  }
}
