// What a tap takes: nothing, headers of its own, frames that nobody is to see.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFBPF

@Suite("Shapes of taps", .timeLimit(.minutes(1)))
struct TapShapeTests {
  @Test("C-071: a tap that nobody listens to has no effect, and is over after one look")
  func nobody() throws {
    let wire = Wire()
    let gone = try descriptor()
    try gone.attach(to: wire.interface)
    gone.detach()
    let before = BPF.globalStatistics
    for _ in 0..<10 { wire.tap(frame(1)) }
    #expect(BPF.globalStatistics == before && gone.statistics == BPF.Statistics())
  }

  @Test("C-073: header and packet make one frame, and the program sees the header first")
  func header() throws {
    let wire = Wire()
    let raw = try wire.ifnet.attach(linkType: 12, headerLength: 0)
    let (one, two) = (try descriptor(), try descriptor())
    for peer in [one, two] { try peer.attach(to: raw) }
    try two.setProgram(starting(with: 0x45))
    let header: [UInt8] = [0xfe, 1, 2, 3, 4, 5]
    let packet: [UInt8] = [0x45] + [UInt8](repeating: 7, count: 30)
    // ld [4] spans header and packet.
    try one.setProgram(
      Program([
        Instruction(code: 0x20, k: 4), Instruction(code: 0x15, jt: 0, jf: 1, k: 0x0405_4507),
        Instruction(code: 0x06, k: .max), Instruction(code: 0x06, k: 0),
      ]))
    var reader = TapReader()
    let isOpen = reader.begin(raw.pointOfDriver)
    #expect(isOpen)
    header.withUnsafeBytes { first in
      packet.withUnsafeBytes { second in reader.tap([first, second], .received, stamp: 1) }
    }
    reader.end()
    #expect(one.drain() == [Kept(bytes: header + packet, wire: 37)])
    #expect(two.statistics.refused == 1, "byte 0 is the header's")
  }

  @Test("C-076: a frame of no length is nobody's", arguments: [BPF.Way.received, .sent])
  func nothingAtAll(way: BPF.Way) throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    wire.tap(frame(1), way, wire: 0)
    wire.tap(frame(2), way)
    #expect(one.statistics.offered == 1 && one.frames == [frame(2)])
  }

  @Test("C-077: a frame written with feedback is seen once, as received, and never on its way out")
  func feedback() throws {
    let driver = FeedbackDriver()
    let ifnet = BPF.Ifnet(name: "out", index: 3, driver: driver)
    let point = try ifnet.attach(linkType: 1, headerLength: 14)
    let (writer, inOnly, outOnly) = (try descriptor(), try descriptor(), try descriptor())
    try inOnly.setDirection(.in)
    try outOnly.setDirection(.out)
    for one in [writer, inOnly, outOnly] { try one.attach(to: point) }
    writer.setFeedback(1)
    writer.setHeaderComplete(true)
    try writer.write(frame(1))
    #expect(writer.frames == [frame(1)] && inOnly.frames == [frame(1)] && outOnly.frames.isEmpty)
    #expect(writer.statistics.offered == 1, "the one on its way out is counted nowhere")
    #expect(outOnly.statistics.offered == 1 && outOnly.statistics.hidden == 1)
    // Out only: the driver shows it on its way out, and feedback shows it again to those who see received frames.
    try writer.setDirection(.out)
    try writer.write(frame(2))
    #expect(writer.frames == [frame(2)] && outOnly.frames == [frame(2)] && inOnly.frames == [frame(2)])
    #expect(driver.unseen == [true, false])
  }

  @Test("C-078: the newest is served first, and stays so when others leave and come")
  func order() throws {
    let wire = Wire()
    let peers = try (0..<4).map { _ in try descriptor() }
    for peer in peers { try peer.attach(to: wire.interface) }
    #expect(wire.order == peers.reversed().map(\.buffers))
    peers[2].detach()
    #expect(wire.order == [peers[3], peers[1], peers[0]].map(\.buffers))
    try peers[2].attach(to: wire.interface)
    #expect(wire.order == [peers[2], peers[3], peers[1], peers[0]].map(\.buffers))
  }

  @Test("C-079: no tap changes a byte, whatever peers there are")
  func untouched() throws {
    let wire = Wire()
    let plain = try descriptor()
    try plain.attach(to: wire.interface)
    let cooked = try descriptor()
    try cooked.attach(to: wire.interface, cooked: true)
    let device = try BPF.Descriptor(.device())
    try device.attach(to: wire.interface)
    try device.setProgram(keeping(20))
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7) }
    for way in [BPF.Way.received, .sent] { wire.tap(bytes, way) }
    #expect(bytes == (0..<200).map { UInt8(truncatingIfNeeded: $0 * 7) })
    #expect(plain.frames == [bytes, bytes] && cooked.drain().count == 2)
  }
}

extension Wire {
  /// The peers in the order in which a tap serves them.
  fileprivate var order: [UnsafeMutablePointer<BufferState>] {
    let list = point.gate.pointee.peers.load(ordering: .acquiring).assumingMemoryBound(to: PeerList.self)
    return (0..<list.pointee.count).map { PeerList.nodes(of: list)[$0].pointee.buffers }
  }
}

/// A driver that taps what it sends, unless it is to be unseen: as a packet socket's ring does.
private final class FeedbackDriver: BPF.Driver, @unchecked Sendable {
  private(set) var unseen: [Bool] = []
  let retireTime: Int64 = 10_000_000
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    BPF.OutputState(isUp: true, maximumPayload: 1500, address: [])
  }

  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    self.unseen.append(unseen)
    guard !unseen, let point = interface.defaultInterface else { return }
    var reader = TapReader()
    guard reader.begin(point.pointOfDriver) else { return }
    frame.withUnsafeBytes {
      show($0, .sent, &reader)
      reader.end()
    }
  }
}
