// Reading: records, slots, waiting, readiness.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Reading", .timeLimit(.minutes(1)))
struct ReadTests {
  @Test(
    "C-095..C-097: the program's result cuts the record, never its wire length", arguments: [UInt32(1), 14, 60, .max])
  func cuts(result: UInt32) throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    try one.setProgram(keeping(result))
    wire.tap(frame(1))
    #expect(one.drain() == [Kept(bytes: Array(frame(1).prefix(Int(min(result, 60)))), wire: 60)])
    #expect(one.statistics.cut == 0)
  }

  @Test("a record is a savefile's: seconds, fraction, lengths, frame", arguments: [true, false])
  func layout(nanoseconds: Bool) throws {
    let wire = Wire()
    let one = try descriptor(nanoseconds: nanoseconds)
    try one.attach(to: wire.interface)
    wire.tap([1, 2, 3], wire: 9, at: 7_000_001_234)
    guard let slot = try one.nextSlot(timeout: .zero) else { throw BPF.Failure.notAttached }
    let words: [UInt32] = [7, nanoseconds ? 1234 : 1, 3, 9]
    #expect(bytes(slot.bytes) == words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } } + [1, 2, 3])
    #expect(slot.count == 1)
  }

  @Test("C-098: a frame larger than a slot is cut to the slot, alone in it, and counted")
  func larger() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 4)
    try one.attach(to: wire.interface)
    wire.tap(frame(1, 10))
    wire.tap(frame(2, 500))
    wire.tap(frame(3, 10))
    #expect(one.statistics.cut == 1)
    #expect(try one.read() == [Kept(bytes: frame(1, 10), wire: 10)])
    #expect(try one.read() == [Kept(bytes: Array(frame(2, 500).prefix(112)), wire: 500)])
    #expect(one.drain() == [Kept(bytes: frame(3, 10), wire: 10)])
  }

  @Test(
    "C-099..C-101, C-103: records stay whole and in order; with all slots full this frame is lost, a smaller one fits")
  func full() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 2)
    try one.attach(to: wire.interface)
    wire.tap(frame(1, 100))
    wire.tap(frame(2, 60))
    wire.tap(frame(3, 100))
    wire.tap(frame(4, 20))
    #expect(one.statistics.dropped == 1 && one.statistics.addsUp)
    #expect(try one.read()?.map(\.bytes) == [frame(1, 100)])
    #expect(one.frames == [frame(2, 60), frame(4, 20)])
  }

  @Test("C-115, C-116: without waiting: nothing, or what is stored")
  func nonBlocking() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    #expect(try one.read(timeout: .zero) == nil)
    wire.tap(frame(1))
    #expect(try one.read(timeout: .zero)?.count == 1)
  }

  @Test("C-117, C-120: a blocking reader sleeps although frames are stored, until a slot is full")
  func blocking() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 4)
    try one.attach(to: wire.interface)
    let (back, right) = (Flag(), Flag())
    let reader = Thread(name: "reader") {
      if (try? one.read(timeout: .seconds(30)))??.map(\.bytes) == [frame(1, 100)] { right.set() }
      back.set()
    }
    wire.tap(frame(1, 100))
    pause(0.05)
    #expect(!back.isSet)
    wire.tap(frame(2, 100))
    reader.join()
    #expect(right.isSet)
  }

  @Test("C-118, C-119, C-123: at the timeout a reader gets what is stored, or nothing", arguments: [false, true])
  func timeouts(immediate: Bool) throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    one.setImmediate(immediate)
    let start = monotonicSeconds()
    #expect(try one.read(timeout: .milliseconds(30)) == nil)
    #expect(monotonicSeconds() - start >= 0.03)
    wire.tap(frame(1))
    let again = monotonicSeconds()
    #expect(try one.read(timeout: .milliseconds(30))?.count == 1)
    #expect(immediate || monotonicSeconds() - again >= 0.03, "C-122: immediate mode does not sleep")
  }

  @Test("C-121: in immediate mode one frame wakes the reader")
  func immediate() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    one.setImmediate(true)
    let right = Flag()
    let reader = Thread(name: "reader") { if (try? one.read())??.count == 1 { right.set() } }
    pause(0.02)
    wire.tap(frame(1))
    reader.join()
    #expect(right.isSet)
  }

  @Test("the slot given back last is filled first")
  func reuse() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 8)
    try one.attach(to: wire.interface)
    var places: Set<UInt> = []
    for round in 0..<20 {
      wire.tap(frame(UInt8(round), 100))
      guard let slot = try one.nextSlot(timeout: .zero) else { throw BPF.Failure.notAttached }
      slot.bytes.withUnsafeBytes { _ = places.insert(UInt(bitPattern: $0.baseAddress!)) }
    }
    #expect(places.count == 2)
  }

  @Test("an event tells of the first record after silence, of a full slot and of the end")
  func follows() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 128, slots: 4)
    // A pipe is as good as an eventfd: each notice is eight bytes.
    var ends: [CInt] = [0, 0]
    #expect(pipe(&ends) == 0)
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    let event = ends[0]
    defer { close(event) }
    one.follow(event: ends[1])
    try one.attach(to: wire.interface)
    func told() -> Bool {
      var notices = [UInt64](repeating: 0, count: 64)
      return read(event, &notices, 512) > 0
    }
    _ = told()
    wire.tap(frame(1, 20))
    #expect(told(), "the first record after silence")
    wire.tap(frame(2, 20))
    #expect(!told(), "the second is not told")
    wire.tap(frame(3, 100))
    #expect(told(), "a slot is full")
    _ = one.drain()
    wire.tap(frame(4, 20))
    #expect(told())
    one.detach()
    #expect(told(), "detached")
  }
}
