// The tap: directions, programs, counters, births, cooked records.
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Tap", .timeLimit(.minutes(5)))
struct TapTests {
  @Test(
    "C-056, C-059, C-060: a direction shows its ways only; see-sent is part of it",
    arguments: [(BPF.Direction.in, [UInt8(1)]), (.inOut, [1, 2]), (.out, [2])])
  func directions(direction: BPF.Direction, seen: [UInt8]) throws {
    let wire = Wire()
    let one = try descriptor()
    #expect(one.direction == .inOut)
    try one.setDirection(direction)
    try one.attach(to: wire.interface)
    #expect(one.direction == direction && one.seesSent == (direction != .in))
    wire.tap(frame(1), .received)
    wire.tap(frame(2), .sent)
    #expect(one.frames.map(\.[0]) == seen)
    #expect(one.statistics.hidden == UInt64(2 - seen.count) && one.statistics.offered == 2)
  }

  @Test("C-056: the raw values are BSD's; C-057: there is no other")
  func rawValues() {
    #expect(BPF.Direction.allCases.map(\.rawValue) == [0, 1, 2] && BPF.Direction(rawValue: 3) == nil)
  }

  @Test("C-061: a hidden frame leaves received, captured, dropped and the buffers alone")
  func hidden() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.setSeesSent(false)
    try one.attach(to: wire.interface)
    wire.tap(frame(1), .sent)
    let count = one.statistics
    #expect(count.offered == 1 && count.hidden == 1 && count.received == 0 && count.captured == 0)
    #expect(one.storedBytes == 0 && count.addsUp)
  }

  @Test("C-062, C-063, C-064: peers are served by the direction that the tap was told, each by its own setting")
  func independent() throws {
    let (a, b) = (Wire("a"), Wire("b"))
    let (received, sent) = (try descriptor(), try descriptor())
    try received.setDirection(.in)
    try sent.setDirection(.out)
    try received.attach(to: a.interface)
    try sent.attach(to: a.interface)
    try sent.attachAlso(to: b.interface, cooked: false)
    a.tap(frame(1), .received)
    b.tap(frame(1), .sent)
    #expect(received.frames == [frame(1)] && sent.frames == [frame(1)])
    #expect(sent.statistics.hidden == 1)
  }

  @Test("C-066, C-067: a direction binds the next frame, flushes nothing and survives program, flush and attach")
  func survives() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    wire.tap(frame(1), .sent)
    try one.setDirection(.in)
    wire.tap(frame(2), .sent)
    #expect(one.frames == [frame(1)])
    try one.setProgram(whole)
    one.flush()
    try one.attach(to: wire.interface)
    #expect(one.direction == .in)
  }

  @Test("C-071, C-076: a tap without peers opens no pass; a frame of no length is nothing")
  func empty() throws {
    let wire = Wire()
    var reader = TapReader()
    let idle = reader.begin(wire.point)
    #expect(!idle)
    let one = try descriptor()
    try one.attach(to: wire.interface)
    let bytes = frame(1)
    bytes.withUnsafeBytes { raw in
      let opened = reader.begin(wire.point)
      #expect(opened)
      show(raw, .received, &reader, wire: 0)
      reader.end()
    }
    #expect(one.statistics == BPF.Statistics())
  }

  @Test("C-078, C-079: newest peers come first in the list, and no tap changes the bytes")
  func untouched() throws {
    let wire = Wire()
    let peers = try (0..<3).map { _ in try descriptor() }
    for peer in peers { try peer.attach(to: wire.interface) }
    let list = wire.point.gate.pointee.peers.load(ordering: .acquiring).assumingMemoryBound(to: PeerList.self)
    let order = (0..<3).map { PeerList.nodes(of: list)[$0].pointee.buffers }
    #expect(order == peers.reversed().map(\.buffers))
    let bytes = frame(9, 200)
    wire.tap(bytes)
    #expect(bytes == frame(9, 200))
    for peer in peers { #expect(peer.frames == [bytes]) }
  }

  @Test("C-080..C-083: offered, refused, captured, dropped, delivered and waiting add up")
  func counters() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 2)
    try one.attach(to: wire.interface)
    try one.setProgram(starting(with: 1))
    for _ in 0..<3 { wire.tap(frame(1, 100)) }
    wire.tap(frame(2, 100))
    var count = one.statistics
    #expect(count.offered == 4 && count.refused == 1 && count.captured == 3 && count.dropped == 1)
    #expect(count.received == 4 && count.waiting == 2 && count.addsUp)
    #expect(one.drain().count == 2)
    count = one.statistics
    #expect(count.delivered == 2 && count.waiting == 0 && count.addsUp)
  }

  @Test("C-084: flush and a new program zero the counters; a program that does not flush does not")
  func resets() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    wire.tap(frame(1))
    try one.setProgram(whole, flushing: false)
    #expect(one.statistics.captured == 1)
    try one.setProgram(whole)
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0)
    wire.tap(frame(1))
    one.flush()
    #expect(one.statistics == BPF.Statistics() && one.drain().isEmpty)
  }

  @Test(
    "a flush, and a departure or move, during a pass discards what the pass found",
    arguments: ["flush", "move", "depart"])
  func duringPass(what: String) throws {
    let (wire, other) = (Wire("a"), Wire("b"))
    let one = try descriptor()
    try one.attach(to: wire.interface)
    var reader = TapReader()
    let bytes = frame(1)
    try bytes.withUnsafeBytes { raw in
      let opened = reader.begin(wire.point)
      #expect(opened)
      show(raw, .received, &reader)
      // Requests come from other threads: they take locks, and the one inside a pass may not.
      try onNewThread {
        switch what {
        case "flush": one.flush()
        case "move": try one.attach(to: other.interface)
        default: wire.ifnet.depart()
        }
      }
      show(raw, .received, &reader)
      reader.end()
    }
    #expect(one.statistics == BPF.Statistics() && one.storedBytes == 0)
  }

  @Test("C-037, C-039, C-041: the last peer closes during a pass; its program is freed after the pass")
  func closedDuringPass() throws {
    let wire = Wire()
    var reader = TapReader()
    let bytes = frame(1)
    try bytes.withUnsafeBytes { raw in
      var one: BPF.Descriptor? = try descriptor()
      try one?.attach(to: wire.interface)
      try one?.setProgram(starting(with: 1))
      let opened = reader.begin(wire.point)
      #expect(opened)
      onNewThread { one = nil }
      #expect(!wire.interface.hasPeers)
      show(raw, .received, &reader)
      #expect(onNewThread { Epoch.shared.pendingCount } > 0)
      reader.end()
    }
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("C-040: a program that is replaced during a pass judges the pass to its end")
  func swapDuringPass() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    try one.setProgram(whole)
    var reader = TapReader()
    let bytes = frame(1)
    try bytes.withUnsafeBytes { raw in
      let opened = reader.begin(wire.point)
      #expect(opened)
      try onNewThread { try one.setProgram(nothing, flushing: false) }
      show(raw, .received, &reader)
      reader.end()
    }
    wire.tap(frame(2))
    #expect(one.frames == [frame(1)] && one.statistics.refused == 1)
  }

  @Test("frames stamped before the birth are counted nowhere; a whole younger pass ends the look")
  func births() throws {
    let wire = Wire(retireTime: 60_000_000_000)
    let one = try descriptor(clock: { 5_000_000_000 })
    try one.attach(to: wire.interface)
    wire.tap(frame(1), at: 4_999_999_999)
    #expect(one.statistics == BPF.Statistics())
    wire.tap(frame(2), at: 5_000_000_000)
    wire.tap(frame(3), at: 1_000_000_000)
    #expect(one.frames == [frame(2), frame(3)])
    one.flush()
    wire.tap(frame(4), at: 1_000_000_000)
    #expect(one.statistics == BPF.Statistics(), "a flush is a birth")
  }

  @Test("after two retire times old stamps count: the clock was set back")
  func clockSetBack() throws {
    let wire = Wire(retireTime: 20_000_000)
    let one = try descriptor(clock: { 5_000_000_000 })
    try one.attach(to: wire.interface)
    wire.tap(frame(1), at: 1)
    pause(0.06)
    wire.tap(frame(2), at: 1)
    #expect(one.frames == [frame(2)])
  }

  @Test("cooked records are LINUX_SLL2, byte for byte")
  func cooked() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface, cooked: true)
    var reader = TapReader()
    let bytes = frame(1, 20)
    bytes.withUnsafeBytes { raw in
      let opened = reader.begin(wire.point)
      #expect(opened)
      show(
        raw, .sent, &reader, wire: 90,
        metadata: FrameMetadata(
          packetType: 4, protocolType: 0x0800, hardwareType: 1, interfaceIndex: 0x0102_0304, addressLength: 6,
          address: 0x0000_6655_4433_2211))
      reader.end()
    }
    let header: [UInt8] = [8, 0, 0, 0, 1, 2, 3, 4, 0, 1, 4, 6, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0, 0]
    #expect(one.drain() == [Kept(bytes: header + bytes[14...], wire: 90 - 14 + 20)])
  }

  @Test("more peers than a pass has room for at first are all served")
  func manyPeers() throws {
    let wire = Wire()
    let peers = try (0..<(Requirement.sanitizer == "thread" ? 300 : 4200)).map { _ in
      try descriptor(slotSize: 128, slots: 2)
    }
    for peer in peers { try peer.attach(to: wire.interface) }
    wire.tap(frame(1))
    #expect(peers.allSatisfy { $0.statistics.captured == 1 && $0.frames == [frame(1)] })
  }
}
