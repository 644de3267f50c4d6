// read(2) of an open bpf device: when it waits, when it returns, what.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

private let milli: Int64 = 1_000_000

@Suite("Reading of devices", .timeLimit(.minutes(1)))
struct DeviceReadTests {
  @Test("C-113: a read of another size is refused, attached or not, data or not", arguments: [0, 1, 1023, 1025, 4096])
  func size(count: Int) throws {
    let wire = Wire()
    let one = try device(bufferSize: 1024)
    var buffer = [UInt8](repeating: 0, count: count)
    let refusal = BPF.Failure.invalid("a read of \(count) bytes")
    #expect(throws: refusal) { try one.read(into: &buffer) }
    try one.attach(to: wire.interface)
    #expect(throws: refusal) { try one.read(into: &buffer) }
    one.setImmediate(true)
    wire.tap(frame(1))
    #expect(throws: refusal) { try one.read(into: &buffer) }
    #expect(try one.readFrames() == [frame(1)])
    #expect(refusal.errno == EINVAL)
  }

  @Test("C-114: an unattached read is ENXIO", arguments: [false, true])
  func unattached(nonBlocking: Bool) throws {
    let one = try device()
    one.setNonBlocking(nonBlocking)
    #expect(throws: BPF.Failure.notAttached) { try one.readBuffer() }
    #expect(BPF.Failure.notAttached.errno == ENXIO)
  }

  @Test("C-115, C-116: a read that does not wait: EAGAIN, or the buffers turn")
  func nonBlocking() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setNonBlocking(true)
    #expect(throws: BPF.Failure.wouldBlock) { try one.readBuffer() }
    #expect(BPF.Failure.wouldBlock.errno == EAGAIN)
    wire.tap(frame(1))
    wire.tap(frame(2))
    #expect(try one.readFrames() == [frame(1), frame(2)])
    #expect(throws: BPF.Failure.wouldBlock) { try one.readBuffer() }
    try one.setReadTimeout(3600 * 1000 * milli)
    #expect(throws: BPF.Failure.wouldBlock) { try one.readBuffer() }
  }

  @Test("C-117: without time-out a read sleeps though packets are stored, until one does not fit")
  func full() throws {
    let wire = Wire()
    let one = try device(bufferSize: 256, on: wire)
    wire.tap(frame(1, 100))
    let read = Reading(one)
    #expect(read.sleeps)
    wire.tap(frame(2, 80))
    #expect(read.sleeps)
    wire.tap(frame(3, 100))
    #expect(try read.frames() == [frame(1, 100), frame(2, 80)])
    #expect(one.statistics.waiting == 1)
  }

  @Test("C-118, C-123: nothing arrives: 0 bytes after the time-out and not before", arguments: [false, true])
  func timesOut(immediate: Bool) throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(immediate)
    try one.setReadTimeout(60 * milli)
    #expect(one.readTimeout == 60 * milli)
    let start = Clock.monotonic()
    #expect(try one.readBuffer() == nil)
    #expect(Clock.monotonic() - start >= 60 * milli)
  }

  @Test("C-119: packets that do not fill the buffer come at the time-out, not before, and do not extend it")
  func fillsPartly() throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setReadTimeout(300 * milli)
    let start = Clock.monotonic()
    let read = Reading(one)
    for number in 1...5 {
      wire.tap(frame(UInt8(number)))
      pause(0.01)
    }
    let frames = try read.frames()
    #expect(Clock.monotonic() - start >= 300 * milli)
    // A machine that stood still may have tapped late; what was read is the beginning all the same.
    #expect(frames == (1...frames.count).map { frame(UInt8($0)) })
  }

  @Test("C-120: a buffer that fills before the time-out comes at once")
  func fillsEarly() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    try one.setReadTimeout(3600 * 1000 * milli)
    let read = Reading(one)
    #expect(read.sleeps)
    wire.tap(frame(1, 90))
    wire.tap(frame(2, 90))
    #expect(try read.frames() == [frame(1, 90)])
  }

  @Test("C-121: in immediate mode one accepted packet ends the read")
  func immediate() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    let read = Reading(one)
    #expect(read.sleeps)
    wire.tap(frame(1))
    #expect(try read.frames() == [frame(1)])
  }

  @Test("C-122: in immediate mode what is stored comes without sleep", arguments: [Int64(0), 3600 * 1000 * milli])
  func immediateStored(timeout: Int64) throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setReadTimeout(timeout)
    wire.tap(frame(1))
    wire.tap(frame(2))
    one.setImmediate(true)
    #expect(try one.readFrames() == [frame(1), frame(2)])
  }

  @Test("immediate mode switched on wakes a reader for which something is stored, and no other")
  func immediateWhileAsleep() throws {
    let wire = Wire()
    let one = try device(on: wire)
    let read = Reading(one)
    #expect(read.sleeps)
    one.setImmediate(true)
    #expect(read.sleeps)
    one.setImmediate(false)
    wire.tap(frame(1))
    #expect(read.sleeps)
    one.setImmediate(true)
    #expect(try read.frames() == [frame(1)])
  }

  @Test("C-124: a packet that the program refuses neither wakes the reader nor restarts the time-out")
  func refused() throws {
    let wire = Wire()
    let one = try device(on: wire)
    one.setImmediate(true)
    try one.setProgram(starting(with: 1))
    let read = Reading(one)
    wire.tap(frame(2))
    #expect(read.sleeps)
    wire.tap(frame(1))
    #expect(try read.frames() == [frame(1)])
    try one.setReadTimeout(200 * milli)
    let timed = Reading(one)
    // Until it is over: were the time-out restarted, it never would be.
    #expect(
      eventually(within: 30) {
        wire.tap(frame(2))
        return timed.isBack
      })
    #expect(try timed.end() == nil)
  }

  @Test("a change of the blocking mode binds the next read; one that sleeps stays asleep")
  func toggled() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    let read = Reading(one)
    #expect(read.sleeps)
    one.setNonBlocking(true)
    #expect(read.sleeps)
    #expect(throws: BPF.Failure.wouldBlock) { try one.readBuffer() }
    one.setNonBlocking(false)
    wire.tap(frame(1, 90))
    wire.tap(frame(2, 90))
    #expect(try read.frames() == [frame(1, 90)])
  }

  @Test("a time-out beyond all time is for ever", arguments: [Int64.max, Int64.max - 1])
  func forEver(timeout: Int64) throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    try one.setReadTimeout(timeout)
    wire.tap(frame(1, 90))
    let read = Reading(one)
    #expect(one.poll(.readable).isEmpty)
    #expect(read.sleeps)
    wire.tap(frame(2, 90))
    #expect(try read.frames() == [frame(1, 90)])
  }

  @Test("a negative time-out is refused and changes nothing")
  func negative() throws {
    let one = try device()
    try one.setReadTimeout(5)
    #expect(throws: BPF.Failure.invalid("a time-out of -1 ns")) { try one.setReadTimeout(-1) }
    #expect(one.readTimeout == 5)
  }

  @Test(
    "C-129: a read to a bad address is EFAULT; its buffer is free again and its data gone",
    arguments: [UInt64(0), 1, 1 << 62])
  func badAddress(address: UInt64) throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    wire.tap(frame(1, 90))
    wire.tap(frame(2, 90))
    #expect(throws: BPF.Failure.badAddress) { try one.read(toAddress: address, size: 128) }
    #expect(BPF.Failure.badAddress.errno == EFAULT)
    wire.tap(frame(3, 90))
    #expect(try one.readFrames() == [frame(2, 90)])
    #expect(try one.readNow() == [frame(3, 90)])
    #expect(one.statistics.dropped == 0)
  }

  @Test("a read to an address writes the buffer there and nothing behind it")
  func goodAddress() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    one.setImmediate(true)
    wire.tap(frame(1, 40))
    var buffer = [UInt8](repeating: 0xee, count: 200)
    let count = try buffer.withUnsafeMutableBytes {
      try one.read(toAddress: UInt64(UInt(bitPattern: $0.baseAddress!)), size: 128)
    }
    #expect(count == 66)
    #expect(try parse(Array(buffer[..<66])).map(\.frame) == [frame(1, 40)])
    #expect(buffer[66...].allSatisfy { $0 == 0xee })
  }
}
