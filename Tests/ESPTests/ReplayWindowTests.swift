import SwBPFPFKey
import Testing

@testable import SwBPFESP

/// The window as a set of all that came.
private struct Model {
  let size: UInt64
  var seen: Set<UInt64> = []
  var top: UInt64 = 0

  mutating func accepts(_ number: UInt64) -> ESPDrop? {
    if size == 0 { return nil }
    if number == 0 || (number <= top && top - number >= size) { return .late }
    if seen.contains(number) { return .replayed }
    seen.insert(number)
    top = max(top, number)
    return nil
  }
}

@Suite struct ReplayWindowTests {
  @Test("T-136 a window tells what came, what is too late and 0 from what is new, at every size", arguments: 0...255)
  func model(bytes: Int) {
    var random = SplitMix(seed: UInt64(bytes))
    let window = ReplayWindow(size: bytes * 8, isExtended: false)
    var model = Model(size: UInt64(bytes * 8))
    var next: UInt64 = 1
    for _ in 0..<400 {
      let number: UInt64
      switch random.next() % 8 {
      case 0: number = 0
      case 1: number = UInt64(UInt32(truncatingIfNeeded: next &+ random.next() % 5000))
      case 2...4: number = next
      default: number = next - min(next, random.next() % UInt64(bytes * 8 + 3))
      }
      next = max(next, number + 1)
      let expected = model.accepts(number)
      #expect(window.judge(number) == expected)
      #expect(window.accept(number) == expected)
    }
  }

  @Test("the edges of a window of 32: the oldest is in it, the one before it is late")
  func edges() {
    let window = ReplayWindow(size: 32, isExtended: false)
    #expect(window.accept(100) == nil)
    #expect(window.judge(69) == nil)
    #expect(window.judge(68) == .late)
    #expect(window.accept(69) == nil)
    #expect(window.judge(69) == .replayed)
    #expect(window.accept(UInt64(UInt32.max)) == nil)
    #expect(window.judge(100) == .late)
    #expect(window.judge(UInt64(UInt32.max) - 31) == nil)
  }

  @Test(
    "the high half of an extended number is the one that brings it nearest to the window", arguments: [0, 32, 64, 2040])
  func extended(size: Int) {
    var random = SplitMix(seed: UInt64(size))
    let reach = size == 0 ? UInt64(1) << 31 - 1 : UInt64(size - 1)
    for start in [1, 0x7fff_fff0, 0xffff_ff00, 0x1_0000_0010, 0x5_ffff_fff0, 0x5_8000_0000] as [UInt64] {
      let window = ReplayWindow(size: size, isExtended: true)
      #expect(window.accept(start) == nil)
      var top = start
      for _ in 0..<200 {
        let back = min(top - 1, random.next() % (reach + 1))
        #expect(window.number(low: UInt32(truncatingIfNeeded: top - back)) == top - back)
        // Up to this far ahead it can be told.
        let ahead = top + 1 + random.next() % (1 << 32 - reach - 2)
        if top >= reach { #expect(window.number(low: UInt32(truncatingIfNeeded: ahead)) == ahead) }
        top += random.next() % 3 == 0 ? random.next() % 0x4000_0000 : 1
        _ = window.accept(top)
      }
    }
  }

  @Test("what an association without a window and without extended numbers gets is taken")
  func none() {
    let window = ReplayWindow(size: 0, isExtended: false)
    for number in [5, 5, 0, 1] as [UInt64] {
      #expect(window.judge(number) == nil)
      #expect(window.accept(number) == nil)
    }
  }
}
