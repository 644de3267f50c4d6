// Several threads on one open bpf device; run under ThreadSanitizer too.
import Glibc
import SwBPFKern
import Synchronization
import Testing

@testable import SwBPFBPF
@testable import TestSupport

/// How long each race runs.
private let seconds = Requirement.short ? 0.3 : Requirement.sanitizer != nil ? 0.7 : 1.0

/// Taps passes of eight numbered frames of many sizes until told to stop.
private func tapper(_ wire: Wire, stop: Flag) -> Running<UInt64> {
  Running { () throws(BPF.Failure) in
    var reader = TapReader()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 * 512, alignment: 8)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0x5a)
    var next: UInt64 = 0
    while !stop.isSet {
      for index in 0..<8 { memory.storeBytes(of: next + UInt64(index), toByteOffset: index * 512, as: UInt64.self) }
      if reader.begin(wire.point) {
        for index in 0..<8 {
          let length = 60 + Int(next + UInt64(index)) % 200
          show(UnsafeRawBufferPointer(rebasing: memory[index * 512..<index * 512 + length]), .received, &reader)
        }
        reader.end()
      }
      next += 8
    }
    return next
  }
}

/// The number of a tapped frame; nil for one that is not as it was tapped, cut to `snapshot`.
private func number(_ record: ReadRecord, snapshot: Int) -> UInt64? {
  guard record.frame.count >= 8 else { return nil }
  let number = record.frame.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
  let length = 60 + Int(number % 200)
  guard record.length == length && record.captured == min(length, snapshot) else { return nil }
  return record.frame[8...].allSatisfy { $0 == 0x5a } ? number : nil
}

/// Reads until the interface has departed. - Returns: the numbers read; nil when a record was damaged.
private func reader(_ one: BPF.Descriptor, snapshot: Int = .max) -> Running<[UInt64]?> {
  Running { () throws(BPF.Failure) in
    var all: [UInt64] = []
    while true {
      do throws(BPF.Failure) {
        guard let bytes = try one.readBuffer() else { continue }
        guard let records = try? parse(bytes) else { return nil }
        let numbers = records.compactMap { number($0, snapshot: snapshot) }
        // Each buffer is a run of what was tapped, in order.
        guard numbers.count == records.count, zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
          return nil
        }
        all += numbers
      } catch {
        if error == .notAttached { return all }
        if error != .interrupted && error != .wouldBlock { throw error }
      }
    }
  }
}

@Suite("Devices and threads", .serialized, .timeLimit(.minutes(2)))
struct DeviceConcurrencyTests {
  @Test("C-045: of several readers exactly one gets each record", arguments: [false, true])
  func readers(immediate: Bool) throws {
    let wire = Wire()
    let one = try device(bufferSize: 2048, on: wire)
    one.setImmediate(immediate)
    let stop = Flag()
    let readers = (0..<3).map { _ in reader(one) }
    let tap = tapper(wire, stop: stop)
    pause(seconds)
    stop.set()
    let tapped = try tap.end()
    one.setImmediate(true)
    #expect(eventually { one.statistics.waiting == 0 })
    wire.ifnet.depart()
    var all: [UInt64] = []
    for reader in readers { all += try #require(try reader.end()) }
    let counts = one.statistics
    #expect(counts.captured == tapped && counts.addsUp)
    #expect(counts.delivered == UInt64(all.count) && Set(all).count == all.count)
    if counts.dropped == 0 { #expect(all.count == Int(tapped)) }
  }

  @Test("C-217: two threads read one descriptor with snapshot length 86 and time-out 100 ms under traffic")
  func multiRead() throws {
    let wire = Wire()
    let one = try device(on: wire)
    try one.setProgram(keeping(86))
    try one.setReadTimeout(100_000_000)
    let stop = Flag()
    let readers = (0..<2).map { _ in reader(one, snapshot: 86) }
    let tap = tapper(wire, stop: stop)
    pause(seconds)
    stop.set()
    let tapped = try tap.end()
    #expect(eventually { one.statistics.waiting == 0 }, "the time-out brings the rest")
    wire.ifnet.depart()
    var all: [UInt64] = []
    for reader in readers { all += try #require(try reader.end()) }
    #expect(one.statistics.captured == tapped && one.statistics.delivered == UInt64(all.count))
    #expect(Set(all).count == all.count && !all.isEmpty)
  }

  @Test("C-046: a flush while a reader copies waits for it and loses no buffer")
  func flush() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    wire.tap(frame(1, 90))
    wire.tap(frame(2, 90))
    var copy: Loan? = try Loan(of: one)
    let flush = Running { () throws(BPF.Failure) in one.flush() }
    #expect(flush.sleeps)
    #expect(try copy?.frames == [frame(1, 90)])
    copy = nil
    try flush.end()
    #expect(one.readableBytes == 0 && one.statistics == BPF.Statistics())
    for number in 3...5 { wire.tap(frame(UInt8(number), 90)) }
    #expect(one.statistics.dropped == 1 && one.statistics.waiting == 2, "both buffers are there")
    #expect(try one.readFrames() == [frame(3, 90)])
    #expect(try one.readNow() == [frame(4, 90)])
  }

  @Test("FIONREAD, another read and a change of size wait for a reader that copies, too")
  func others() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    for number in 1...2 { wire.tap(frame(UInt8(number), 90)) }
    var copy: Loan? = try Loan(of: one)
    let bytes = Running { () throws(BPF.Failure) in one.readableBytes }
    #expect(bytes.sleeps)
    copy = nil
    #expect(try bytes.end() == 116)

    one.setImmediate(true)
    wire.tap(frame(3, 90))
    copy = try Loan(of: one)
    let read = Reading(one)
    #expect(read.sleeps, "nothing is full, and there is no buffer to turn to")
    #expect(try copy?.frames == [frame(2, 90)])
    copy = nil
    #expect(try read.frames() == [frame(3, 90)])

    for number in 4...5 { wire.tap(frame(UInt8(number), 90)) }
    wire.ifnet.depart()
    copy = try Loan(of: one)
    let size = Running { () throws(BPF.Failure) in try one.setBufferSize(4096) }
    #expect(size.sleeps)
    #expect(try copy?.frames == [frame(4, 90)])
    copy = nil
    #expect(try size.end() == 4096 && one.readableBytes == 0)
  }

  @Test("C-047: while a reader copies, packets go to the other buffer; when that is full they are lost and counted")
  func copiesUndisturbed() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    for number in 1...2 { wire.tap(frame(UInt8(number), 20)) }
    var copy: Loan? = try Loan(of: one)
    #expect(try copy?.frames == [frame(1, 20), frame(2, 20)])
    for number in 3...20 { wire.tap(frame(UInt8(number), 90)) }
    #expect(one.statistics.dropped == 17 && one.statistics.waiting == 1)
    #expect(try copy?.frames == [frame(1, 20), frame(2, 20)])
    copy = nil
    wire.tap(frame(21, 60))
    #expect(try one.readFrames() == [frame(3, 90)])
    #expect(try one.readNow() == [frame(21, 60)])
  }

  @Test("a buffer that is being copied outlives its descriptor's last other user")
  func closedMeanwhile() throws {
    let wire = Wire()
    var one: BPF.Descriptor? = try device(bufferSize: 128, on: wire)
    weak let gone = one
    wire.tap(frame(1, 90))
    var copy: Loan? = try Loan(of: one!)
    one = nil
    wire.tap(frame(2, 90))
    #expect(try copy?.frames == [frame(1, 90)])
    copy = nil
    #expect(gone == nil && wire.interface.peerCount == 0)
  }
}

/// A buffer on loan, as a reader that copies has it.
private final class Loan {
  private let slot: BPF.Slot

  init(of one: BPF.Descriptor) throws {
    guard let slot = try one.takeSlot(rotating: true) else { throw BPF.Failure.wouldBlock }
    self.slot = slot
  }

  var frames: [[UInt8]] { get throws { try parse(Loan.copy(slot)).map(\.frame) } }

  private static func copy(_ slot: borrowing BPF.Slot) -> [UInt8] { bytes(slot.bytes) }
}
