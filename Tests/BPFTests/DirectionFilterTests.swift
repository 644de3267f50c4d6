// OpenBSD's direction filter.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("OpenBSD's direction filter", .timeLimit(.minutes(1)))
struct DirectionFilterTests {
  private let get: UInt32 = 0x4004_427c
  private let set: UInt32 = 0x8004_427d

  private func reader(_ wire: Wire) throws -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration.device(.openbsd, settings: BPF.Settings())
    configuration.clock = { 0 }
    let one = try BPF.Descriptor(configuration)
    try one.attach(to: wire.interface)
    return one
  }

  private func ask(_ one: BPF.Descriptor, _ request: UInt32, _ word: UInt32 = 0) throws -> UInt32 {
    var bytes = withUnsafeBytes(of: word.littleEndian) { Array($0) }
    try one.ioctl(request: request, argument: &bytes)
    return bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  @Test(
    "C-070: 1 hides what is received, 2 what is sent, 3 everything; other bits are ignored; the default is 0",
    arguments: [UInt32(0), 1, 2, 3, 4, 0xffff_fffc, 0xffff_fffd, 0xffff_fffe, .max])
  func masks(mask: UInt32) throws {
    let wire = Wire()
    let one = try reader(wire)
    #expect(try ask(one, get) == 0)
    _ = try ask(one, set, mask)
    #expect(try ask(one, get) == mask & 3)
    wire.tap(frame(1), .received)
    for _ in 0..<2 { wire.tap(frame(2), .sent) }
    let seen = (mask & 1 == 0 ? 1 : 0) + (mask & 2 == 0 ? 2 : 0)
    let count = one.statistics
    #expect(count.captured == UInt64(seen) && count.hidden == UInt64(3 - seen) && count.addsUp)
    #expect(count.received == UInt64(seen))
  }

  @Test("C-070: it binds the next frame, flushes nothing, and the driver hears what is wanted")
  func next() throws {
    let wire = Wire()
    let one = try reader(wire)
    wire.tap(frame(1))
    _ = try ask(one, set, 3)
    wire.tap(frame(1))
    wire.tap(frame(1), .sent)
    #expect(one.statistics.captured == 1 && one.statistics.hidden == 2)
    #expect(wire.ifnet.withDemand { !$0.sent && !$0.received && $0.peers == 1 })
    _ = try ask(one, set, 1)
    #expect(wire.ifnet.withDemand { $0.sent && !$0.received } && wire.driver.widened.last?.sent == true)
    wire.tap(frame(1), .sent)
    #expect(one.statistics.captured == 2 && one.direction == .out)
    #expect(BPF.peers.contains { $0.statistics == one.statistics })
  }

  @Test("C-070: hiding everything goes for a descriptor of whole slots, too, beside others")
  func slots() throws {
    let wire = Wire()
    let (one, other) = (try descriptor(), try descriptor())
    try one.attach(to: wire.interface)
    try one.setDirectionFilter(3)
    wire.tap(frame(1))
    try other.attach(to: wire.interface)
    wire.tap(frame(2))
    try one.setDirectionFilter(0)
    wire.tap(frame(3))
    #expect(one.frames == [frame(3)] && other.frames == [frame(2), frame(3)] && one.statistics.hidden == 2)
  }

  @Test("C-070: it is OpenBSD's only, and locked descriptors may be asked but not told")
  func profiles() throws {
    let wire = Wire()
    let one = try reader(wire)
    one.lockRequests()
    #expect(refusal { _ = try ask(one, set, 3) } == EPERM)
    #expect(try ask(one, get) == 0)
    let two = try BPF.Descriptor(.device(.netbsd))
    // The same number is NetBSD's BIOCGFEEDBACK.
    two.setFeedback(7)
    #expect(try ask(two, get) == 7)
  }
}
