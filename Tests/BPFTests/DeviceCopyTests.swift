// While a reader copies a buffer of an open bpf device, it has it for itself. (`bd_hbuf_in_use`)
import SwBPFKern
import Testing

@testable import SwBPFBPF
@testable import TestSupport

@Suite("Devices while a reader copies", .timeLimit(.minutes(1)))
struct DeviceCopyTests {
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
