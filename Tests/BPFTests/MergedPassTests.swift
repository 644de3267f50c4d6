// Peers whose programs are merged: each still sees and counts what it would alone. Run under ThreadSanitizer too.
import Glibc
import SwBPFFilterMachine
import SwBPFKern
import Synchronization
import TestSupport
import Testing

@testable import SwBPFBPF

/// How long the race runs.
private let seconds = Requirement.short ? 0.5 : Requirement.sanitizer != nil ? 1.0 : 2.0

/// Accepts frames whose first byte is `value`, and keeps `take` bytes of them.
private func starting(with value: UInt32, take: UInt32) -> Program {
  try! Program([.statement(0x30, 0), .jump(0x15, value, 0, 1), .statement(6, take), .statement(6, 0)])
}

/// Returns the second byte of frames whose first one is large: nobody knows without running it.
private let byLength = try! Program([
  .statement(0x30, 0), .jump(0x35, 5, 0, 2), .statement(0x30, 1), .statement(0x16, 0), .statement(6, 0),
])

private func opened(slotSize: Int) throws -> BPF.Descriptor { try descriptor(slotSize: slotSize, slots: 8) }

extension Wire {
  /// One pass of several parts. The frames' first bytes are 0 to 9 in turn, every third frame is sent.
  fileprivate func tapMany(_ count: Int, merged: Bool?) -> [([UInt8], BPF.Way)] {
    var reader = TapReader()
    guard reader.begin(point) else { return [] }
    if let merged { #expect(reader.members.isUsed == merged) }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 64, alignment: 8)
    defer { memory.deallocate() }
    var shown: [([UInt8], BPF.Way)] = []
    for index in 0..<count {
      let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[index * 64..<index * 64 + 20 + index % 44])
      bytes.copyBytes(from: frame(UInt8(index % 10), 20 + index % 44))
      let way: BPF.Way = index % 3 == 0 ? .sent : .received
      show(UnsafeRawBufferPointer(bytes), way, &reader)
      shown.append((Array(bytes), way))
    }
    reader.end()
    return shown
  }

  fileprivate var isMerged: Bool { interface.point.gate.pointee.merge.load(ordering: .acquiring) != nil }
}

private final class Count: Sendable {
  private let number = Atomic<UInt64>(0)
  func add() { number.wrappingAdd(1, ordering: .relaxed) }
  var value: UInt64 { number.load(ordering: .relaxed) }
}

/// A peer and what it has been told.
private struct Asked {
  let descriptor: BPF.Descriptor
  var program: Program?
  var hidden: UInt32 = 0

  init(_ wire: Wire, _ program: Program?) throws {
    descriptor = try opened(slotSize: 1 << 16)
    self.program = program
    try descriptor.setProgram(program)
    try descriptor.attach(to: wire.interface)
  }

  mutating func hide(_ mask: UInt32) throws {
    hidden = mask
    try descriptor.setDirectionFilter(mask)
  }

  /// Compares what it has got and counted since the last time with what it is owed.
  func check(_ shown: [([UInt8], BPF.Way)]) {
    var owed: [[UInt8]] = []
    var (hiddenFrames, refused) = (0, 0)
    for (bytes, way) in shown {
      if hidden & (way == .sent ? 2 : 1) != 0 {
        hiddenFrames += 1
        continue
      }
      let take = program?.run(bytes.span.bytes) ?? .max
      if take == 0 { refused += 1 } else { owed.append(Array(bytes.prefix(Int(take)))) }
    }
    let count = descriptor.statistics
    #expect(descriptor.frames == owed)
    #expect(count.addsUp && count.offered == shown.count && count.captured == owed.count)
    #expect(count.hidden == hiddenFrames && count.refused == refused && count.dropped == 0)
    descriptor.flush()
  }
}

@Suite("Merged programs in a pass", .serialized, .timeLimit(.minutes(1)))
struct MergedPassTests {
  /// Many peers: with a constant of their own, equal ones, ones that cut, one that must be run, one without a program.
  private func peers(_ wire: Wire) throws -> [Asked] {
    var all = try (0..<10).map { try Asked(wire, starting(with: UInt32($0), take: 1000)) }
    all += try (0..<4).map { try Asked(wire, starting(with: UInt32($0), take: 7 + UInt32($0))) }
    for program in [starting(with: 3, take: 1000), byLength, nothing, keeping(9), nil, nil] {
      all.append(try Asked(wire, program))
    }
    try all[1].hide(2)
    try all[2].hide(1)
    try all[3].hide(3)
    try all[11].hide(1)
    return all
  }

  @Test("each of many peers stores and counts what it would alone, whatever its direction")
  func exact() throws {
    let wire = Wire()
    let all = try peers(wire)
    for merged in [false, true] {
      if merged { wire.interface.merge() }
      for count in [1, 127, 128, 129, 700] {
        // Before, it may come at any moment.
        let shown = wire.tapMany(count, merged: merged ? true : nil)
        for peer in all { peer.check(shown) }
      }
    }
  }

  @Test("C-036: programs, directions and peers that change after the form was made are obeyed at once")
  func changes() throws {
    let wire = Wire()
    var all = try peers(wire)
    var random = SystemRandomNumberGenerator()
    for round in 0..<60 {
      if round % 6 == 0 { wire.interface.merge() }
      let place = Int.random(in: all.indices, using: &random)
      switch round % 4 {
      case 0:
        let next = starting(with: UInt32.random(in: 0...9, using: &random), take: 11)
        all[place].program = next
        try all[place].descriptor.setProgram(next)
      case 1: try all[place].hide(UInt32.random(in: 0...3, using: &random))
      case 2: all.append(try Asked(wire, starting(with: UInt32(round % 10), take: 1000)))
      default: all.remove(at: place).descriptor.detach()
      }
      let shown = wire.tapMany(150, merged: true)
      for peer in all { peer.check(shown) }
    }
  }

  @Test("a way that no merged peer sees is counted as hidden and nobody's", arguments: [1, 2, 3] as [UInt32])
  func unseen(mask: UInt32) throws {
    let wire = Wire()
    var all = try (0..<4).map { try Asked(wire, starting(with: $0, take: 50)) }
    for index in all.indices { try all[index].hide(mask) }
    wire.interface.merge()
    let shown = wire.tapMany(300, merged: true)
    for peer in all { peer.check(shown) }
  }

  @Test("the form is made by itself a moment after two programs are there, and goes when they do")
  func byItself() throws {
    let wire = Wire()
    let one = try Asked(wire, starting(with: 1, take: 50))
    #expect(!wire.isMerged)
    let two = try Asked(wire, starting(with: 2, take: 50))
    #expect(eventually { wire.isMerged })
    let shown = wire.tapMany(300, merged: true)
    one.check(shown)
    two.check(shown)
    two.descriptor.detach()
    #expect(eventually { !wire.isMerged })
    one.check(wire.tapMany(300, merged: false))
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }

  @Test("a peer whose birth is not settled judges for itself, and frames before its birth are nobody's")
  func births() throws {
    let wire = Wire(retireTime: 1_000_000_000)
    let old = try (0..<2).map { try Asked(wire, starting(with: $0, take: 50)) }
    let young = try descriptor(clock: { 1_000_000_001 })
    try young.setProgram(starting(with: 0, take: 50))
    try young.attach(to: wire.interface)
    wire.interface.merge()
    let shown = wire.tapMany(40, merged: true)
    for peer in old { peer.check(shown) }
    #expect(young.statistics == BPF.Statistics())
    wire.tap(frame(0), at: 1_000_000_002)
    #expect(young.statistics.captured == 1 && young.statistics.offered == 1)
    wire.tap(frame(1), at: 1_000_000_003)
    #expect(young.statistics.captured == 1 && young.statistics.offered == 2)
    withExtendedLifetime(old) {}
  }

  @Test(
    "programs, directions and peers change while frames flow: nobody gets what it did not ask for, who stays misses none"
  )
  func race() throws {
    let wire = Wire()
    let stays = try (0..<3).map { _ in try descriptor(slotSize: 1 << 16, slots: 8) }
    for (index, one) in stays.enumerated() {
      try one.setProgram(starting(with: UInt32(index), take: 40))
      try one.attach(to: wire.interface)
    }
    let stop = Flag()
    let (shown, bad, merges) = (Count(), Count(), Count())
    do {
      var threads = (0..<2).map { _ in
        Thread(name: "tap") {
          var reader = TapReader()
          let frames = UnsafeMutableRawBufferPointer.allocate(byteCount: 150 * 64, alignment: 8)
          defer { frames.deallocate() }
          for index in 0..<150 { frames[index * 64..<index * 64 + 64].copyBytes(from: frame(UInt8(index % 10), 64)) }
          while !stop.isSet {
            guard reader.begin(wire.point) else { continue }
            if reader.members.isUsed { merges.add() }
            for index in 0..<150 {
              let bytes = UnsafeRawBufferPointer(rebasing: frames[index * 64..<index * 64 + 64])
              show(bytes, index % 2 == 0 ? .received : .sent, &reader)
            }
            reader.end()
            shown.add()
          }
        }
      }
      for number in 0..<3 as Range<UInt32> {
        threads.append(
          Thread(name: "requests") {
            var round: UInt32 = number
            while !stop.isSet {
              do {
                let one = try descriptor(slotSize: 1 << 14, slots: 4)
                try one.setProgram(starting(with: 2 * number + 4 + round % 2, take: 30))
                try one.attach(to: wire.interface)
                for _ in 0..<20 {
                  round += 1
                  try one.setProgram(starting(with: 2 * number + 4 + round % 2, take: 30), flushing: round % 5 == 0)
                  try one.setDirection(BPF.Direction.allCases[Int(round % 3)])
                  usleep(round % 7 == 0 ? 15_000 : 200)
                  if !one.statistics.addsUp { bad.add() }
                  for kept in one.drain() where kept.bytes.count != 30 || !(4...9).contains(kept.bytes[0]) {
                    bad.add()
                  }
                }
              } catch { bad.add() }
            }
          })
      }
      let end = monotonicSeconds() + seconds
      var wrong = 0
      while monotonicSeconds() < end {
        for (index, one) in stays.enumerated() {
          if !one.statistics.addsUp { wrong += 1 }
          for kept in one.drain() where kept.bytes.count != 40 || kept.bytes[0] != UInt8(index) { wrong += 1 }
        }
      }
      stop.set()
      for thread in threads { thread.join() }
      #expect(wrong == 0)
    }
    let passes = shown.value
    for one in stays {
      let count = one.statistics
      #expect(count.addsUp && count.offered == passes * 150 && count.captured == passes * 15 && count.hidden == 0)
    }
    #expect(bad.value == 0 && merges.value > 0)
    #expect(eventually { Epoch.shared.pendingCount == 0 })
  }
}
