import Testing

@testable import SwBPFCommands

@Suite("Records of several interfaces by stamp")
struct StampMergeTests {
  private struct Out: Equatable {
    let stamp: Int64
    let byte: UInt8
  }

  private func release(_ merge: inout StampMerge, all: Bool = false) -> [Out] {
    var out: [Out] = []
    merge.release(all: all) { stamp, _, frame in
      out.append(Out(stamp: stamp, byte: frame.unsafeLoad(fromByteOffset: 0, as: UInt8.self)))
      return true
    }
    return out
  }

  private func add(_ merge: inout StampMerge, _ source: Int, _ stamp: Int64, _ byte: UInt8) {
    [byte].withUnsafeBytes {
      merge.add(
        source, seconds: UInt32(stamp / 1_000_000_000), nanoseconds: UInt32(stamp % 1_000_000_000), length: 1, $0)
    }
  }

  @Test("a record waits until no other source can have an older one")
  func waits() {
    var merge = StampMerge(sources: 2)
    add(&merge, 0, 10, 1)
    add(&merge, 0, 30, 2)
    #expect(release(&merge).isEmpty)
    add(&merge, 1, 20, 3)
    #expect(release(&merge) == [Out(stamp: 10, byte: 1), Out(stamp: 20, byte: 3)])
    merge.reached(1, 40)
    #expect(release(&merge) == [Out(stamp: 30, byte: 2)])
    #expect(merge.isEmpty && merge.byteCount == 0)
  }

  @Test("records of one stamp keep the order in which they came")
  func keepsOrder() {
    var merge = StampMerge(sources: 2)
    for byte in 0..<4 as Range<UInt8> { add(&merge, Int(byte) % 2, 7, byte) }
    #expect(release(&merge).map(\.byte) == [0, 1, 2, 3])
  }

  @Test("a source that has ended holds nobody up, until it is back")
  func ends() {
    var merge = StampMerge(sources: 2)
    add(&merge, 0, 5, 1)
    merge.ended(1)
    #expect(release(&merge).map(\.byte) == [1])
    merge.resumed(1)
    add(&merge, 0, 6, 2)
    #expect(release(&merge).isEmpty)
    #expect(release(&merge, all: true).map(\.byte) == [2])
  }

  @Test("what is held is bounded: the older half goes out")
  func isBounded() {
    var merge = StampMerge(sources: 2, limit: 8)
    for byte in 0..<10 as Range<UInt8> { add(&merge, 0, Int64(byte), byte) }
    #expect(release(&merge).map(\.byte) == [0, 1, 2, 3, 4])
    #expect(release(&merge).isEmpty)
  }

  @Test("sources that are taken at any moments come out in order, and whole")
  func randomTakes() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      var merge = StampMerge(sources: 3)
      var next = [0, 0, 0] as [Int64]
      var out: [Out] = []
      var added = 0
      for now in stride(from: 0 as Int64, to: 2000, by: 20) {
        let source = Int.random(in: 0..<3, using: &generator)
        // Everything of before now that this source has.
        while next[source] < now {
          add(&merge, source, next[source], UInt8(source))
          added += 1
          next[source] += Int64.random(in: 1...30, using: &generator)
        }
        merge.reached(source, now - 1)
        out += release(&merge)
      }
      out += release(&merge, all: true)
      #expect(out.count == added)
      #expect(zip(out, out.dropFirst()).allSatisfy { $0.stamp <= $1.stamp })
    }
  }
}
