// OpenBSD's wait time-out.
import Glibc
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("OpenBSD's wait time-out", .timeLimit(.minutes(1)))
struct WaitTimeoutTests {
  private let set: UInt32 = 0x8010_427e
  private let get: UInt32 = 0x4010_427e
  private let remove: UInt32 = 0x2000_427e

  private func reader(_ wire: Wire) throws -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration.device(.openbsd, settings: BPF.Settings())
    configuration.clock = { 0 }
    let one = try BPF.Descriptor(configuration)
    try one.attach(to: wire.interface)
    return one
  }

  private func time(_ seconds: Int64, _ microseconds: Int64) -> [UInt8] { little(seconds) + little(microseconds) }

  /// Bytes of the next read, and how long it took, ns.
  private func read(_ one: BPF.Descriptor) throws -> (count: Int, took: Int64) {
    var buffer = [UInt8](repeating: 0, count: one.bufferSize)
    let start = Clock.monotonic()
    return (try one.read(into: &buffer), Clock.monotonic() - start)
  }

  @Test("C-130: it reads back; none is ENXIO; 0 is immediate mode; over 300 s and what is no time are EINVAL")
  func requests() throws {
    let one = try reader(Wire())
    #expect(one.refusal(get, time(0, 0)) == ENXIO)
    #expect(one.refusal(set, time(2, 5)) == 0)
    #expect(try one.answer(get) == time(2, 5))
    #expect(!one.isImmediate)
    #expect(one.refusal(set, time(301, 0)) == EINVAL)
    #expect(one.refusal(set, time(0, 1_000_000)) == EINVAL)
    #expect(one.refusal(set, time(-1, 0)) == EINVAL)
    #expect(try one.answer(get) == time(2, 5))
    #expect(one.refusal(set, time(0, 0)) == 0)
    #expect(one.isImmediate)
    #expect(try one.answer(get) == time(0, 0))
    #expect(one.refusal(remove, []) == 0)
    #expect(!one.isImmediate && one.refusal(get, time(0, 0)) == ENXIO)
    #expect(one.refusal(set, time(1, 0)) == 0)
    one.setImmediate(false)
    #expect(one.refusal(get, time(0, 0)) == ENXIO)
  }

  @Test("C-130: a batch is ready when its first record has waited so long, without a full buffer")
  func batch() throws {
    let wire = Wire()
    let one = try reader(wire)
    try one.setWaitTimeout(200_000_000)
    let event = try one.pollDescriptor()
    // Nothing is stored: the time does not run.
    #expect(Event.wait(for: event, timeout: 300_000_000) == .timedOut)
    let start = Clock.monotonic()
    wire.tap(frame(1))
    wire.tap(frame(2))
    #expect(Event.wait(for: event, timeout: 0) == .timedOut)
    #expect(Event.wait(for: event, timeout: 10_000_000_000) == .set)
    #expect(Clock.monotonic() - start >= 190_000_000)
    let (count, took) = try read(one)
    #expect(count > 120 && took < 100_000_000)
  }

  @Test("C-130: a sleeping read returns what is stored when the batch's time is over; requests do not prolong it")
  func sleeping() throws {
    let wire = Wire()
    let one = try reader(wire)
    try one.setWaitTimeout(300_000_000)
    wire.tap(frame(1))
    let start = Clock.monotonic()
    for _ in 0..<3 { _ = try one.answer(0x4004_4266) }
    let (count, _) = try read(one)
    #expect(count > 60)
    #expect((250_000_000..<5_000_000_000).contains(Clock.monotonic() - start))
    // The next batch has a time of its own.
    wire.tap(frame(2))
    #expect(try read(one).took >= 250_000_000)
  }

  @Test("C-130: without it a read waits until the buffer is full, as before")
  func removed() throws {
    let wire = Wire()
    let one = try reader(wire)
    try one.setWaitTimeout(50_000_000)
    try one.setWaitTimeout(nil)
    try one.setReadTimeout(400_000_000)
    wire.tap(frame(1))
    let (count, took) = try read(one)
    #expect(count > 60 && took >= 350_000_000)
  }

  @Test("C-130: 0 makes each record ready at once")
  func immediate() throws {
    let wire = Wire()
    let one = try reader(wire)
    try one.setWaitTimeout(0)
    wire.tap(frame(1))
    #expect(try read(one).count > 60)
  }
}
