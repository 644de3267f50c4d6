// Packets in pieces, and packets behind a header of the tap's own.
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF

@Suite("Taps of pieces", .timeLimit(.minutes(1)))
struct PiecesTests {
  /// Shows a packet cut at the given places, in a pass of its own.
  private func tap(_ packet: [UInt8], at cuts: [Int], to wire: Wire) {
    var reader = TapReader()
    guard reader.begin(wire.point) else { return }
    packet.withUnsafeBytes { whole in
      let borders = [0] + cuts.sorted() + [packet.count]
      let pieces = zip(borders, borders.dropFirst()).map { UnsafeRawBufferPointer(rebasing: whole[$0..<$1]) }
      reader.tap(pieces, .received, stamp: 1_000_000_000)
      reader.end()
    }
  }

  @Test("C-072: a chain of pieces is the frame that its bytes make, however it is cut")
  func chain() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    let packet = (0..<100).map { UInt8($0) }
    let cuts = [[], [1], [50], [99], [0, 100], [10, 20, 20, 30], Array(1..<100)]
    for cut in cuts { tap(packet, at: cut, to: wire) }
    #expect(one.drain() == cuts.map { _ in Kept(bytes: packet, wire: 100) })
  }

  @Test("C-072: a program sees across the borders of pieces")
  func program() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    // ld [4]; jeq #0x04050607; ret -1 or 0
    try one.setProgram(
      Program([
        Instruction(code: 0x20, k: 4), Instruction(code: 0x15, jt: 0, jf: 1, k: 0x0405_0607),
        Instruction(code: 0x06, k: .max), Instruction(code: 0x06, k: 0),
      ]))
    let packet = (0..<16).map { UInt8($0) }
    for cut in 0...16 { tap(packet, at: [cut], to: wire) }
    #expect(one.statistics.captured == 17)
  }

  @Test("C-074: the address family comes first, in host order", arguments: [UInt32(2), 24])
  func family(family: UInt32) throws {
    let wire = Wire()
    let null = try wire.ifnet.attach(linkType: 0, headerLength: 4)
    let one = try descriptor()
    try one.attach(to: null)
    var reader = TapReader()
    let isOpen = reader.begin(null.pointOfDriver)
    #expect(isOpen)
    let packet: [UInt8] = [0x45, 1, 2, 3]
    packet.withUnsafeBytes { reader.tap(family: family, $0, .sent, stamp: 1) }
    reader.end()
    #expect(one.drain() == [Kept(bytes: withUnsafeBytes(of: family) { Array($0) } + packet, wire: 8)])
  }

  @Test("C-076: a packet without bytes is ignored")
  func empty() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    tap([], at: [], to: wire)
    tap([], at: [0, 0], to: wire)
    #expect(one.statistics.offered == 0)
  }

  @Test("C-079: a tap leaves the packet as it was, and has done with it when it returns")
  func untouched() throws {
    let wire = Wire()
    let one = try descriptor()
    try one.attach(to: wire.interface)
    var reader = TapReader()
    let isOpen = reader.begin(wire.point)
    #expect(isOpen)
    var packet = [UInt8](repeating: 7, count: 60)
    packet.withUnsafeBytes { reader.tap([$0], .received, stamp: 1) }
    #expect(packet == [UInt8](repeating: 7, count: 60))
    // Changed before the pass ends: the record holds what was shown.
    for index in packet.indices { packet[index] = 8 }
    reader.end()
    #expect(one.frames == [[UInt8](repeating: 7, count: 60)])
  }

  @Test("a pass may join more than its room holds; what is longer than the room is cut there")
  func room() throws {
    let wire = Wire()
    let one = try descriptor(slotSize: 1 << 20, slots: 4)
    try one.attach(to: wire.interface)
    var reader = TapReader()
    let isOpen = reader.begin(wire.point)
    #expect(isOpen)
    for number in 0..<20 {
      [UInt8](repeating: UInt8(number), count: 60_000).withUnsafeBytes { reader.tap([$0], .received, stamp: 1) }
    }
    [UInt8](repeating: 99, count: 300_000).withUnsafeBytes { reader.tap([$0], .received, stamp: 1) }
    reader.end()
    let kept = one.drain()
    #expect(kept.dropLast().map(\.bytes) == (0..<20).map { [UInt8](repeating: UInt8($0), count: 60_000) })
    #expect(kept.last == Kept(bytes: [UInt8](repeating: 99, count: 256 << 10), wire: 300_000))
  }
}
