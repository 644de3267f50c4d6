import SwBPFStress
import Testing

@Suite("The checker notices what is wrong")
struct CheckTests {
  @Test("a stream in order has no fault")
  func order() {
    var check = StreamCheck(from: 0)
    for number in 0..<100 as Range<UInt64> { #expect(check.see(number) == nil) }
    #expect(check.seen == 100 && check.missing == 0)
  }

  @Test("a frame that comes again, or late, is a fault")
  func again() {
    for (numbers, fault) in [([0, 1, 1], 1), ([0, 2, 1], 1), ([5, 4], 4)] as [([UInt64], UInt64)] {
      var check = StreamCheck()
      let faults = numbers.compactMap { check.see($0) }
      #expect(faults.map(\.number) == [fault])
    }
  }

  @Test("a hole counts as missing; after a flush it does not")
  func hole() {
    var check = StreamCheck()
    for number in [10, 11, 15] as [UInt64] { #expect(check.see(number) == nil) }
    #expect(check.missing == 3)
    check.jump()
    #expect(check.see(100) == nil && check.missing == 3)
    #expect(check.see(102) == nil && check.missing == 4)
    #expect(check.see(102) != nil)
  }

  private func balance(sent: UInt64, seen: UInt64, _ change: (inout Balance) -> Void = { _ in }) -> Balance {
    var balance = Balance()
    (balance.name, balance.sent, balance.seen, balance.seesAll) = ("witness", sent, seen, true)
    change(&balance)
    return balance
  }

  @Test("a witness that loses one frame without a name for it is reported")
  func lostFrame() {
    #expect(balance(sent: 1000, seen: 1000).fault == nil)
    #expect(balance(sent: 1000, seen: 999).fault?.contains("1 of 1000 frames are missing") == true)
    #expect(balance(sent: 1000, seen: 1001).fault?.contains("1001 frames seen of 1000") == true)
  }

  @Test("the gap equals the named losses, no more and no less")
  func named() {
    for (seen, fails) in [(980, false), (979, true), (981, true)] as [(UInt64, Bool)] {
      let one = balance(sent: 1000, seen: seen) { ($0.losses.ring, $0.losses.slots, $0.losses.wire) = (10, 7, 3) }
      #expect((one.fault != nil) == fails)
    }
  }

  @Test("an outage is a bound: up to so many may be missing")
  func outage() {
    for (seen, fails) in [(1000, false), (950, false), (949, true)] as [(UInt64, Bool)] {
      #expect((balance(sent: 1000, seen: seen) { $0.losses.outage = 50 }.fault != nil) == fails)
    }
  }

  @Test("a witness of one direction need not have lost what the ring lost, but what its slots lost")
  func oneDirection() {
    let losses = { (one: inout Balance) in
      one.seesAll = false
      (one.losses.ring, one.losses.slots) = (10, 5)
    }
    for (seen, fails) in [(995, false), (985, false), (984, true), (996, true)] as [(UInt64, Bool)] {
      #expect((balance(sent: 1000, seen: seen, losses).fault != nil) == fails)
    }
  }

  @Test("counters that do not add up are reported")
  func counters() {
    func fault(_ offered: UInt64, _ waiting: UInt64) -> String? {
      PeerCheck.fault(
        offered: offered, hidden: 1, refused: 2, captured: 7, delivered: 3, dropped: 2, waiting: waiting)
    }
    #expect(fault(10, 2) == nil)
    #expect(fault(11, 2)?.hasPrefix("offered 11") == true)
    #expect(fault(10, 3)?.hasPrefix("captured 7") == true)
  }

  @Test("twins on live traffic: equal from the second one's first frame on, or reported")
  func twins() {
    var check = TwinCheck()
    #expect(check.see([1, 2, 3, 4], second: false, excused: false) == nil)
    #expect(check.see([3, 4, 5], second: true, excused: false) == nil)
    #expect(check.compared == 2)
    #expect(check.see([5, 6], second: false, excused: false) == nil)
    #expect(check.see([7], second: true, excused: false) != nil)
    var lossy = TwinCheck()
    #expect(lossy.see([1, 2, 3, 4], second: false, excused: true) == nil)
    #expect(lossy.see([1, 4], second: true, excused: true) == nil)
    #expect(lossy.compared == 2)
  }

  @Test("what a run leaves behind is named")
  func leftovers() {
    var before = Holdings()
    before.descriptors = ["socket:": 2]
    before.heap = 1 << 20
    var after = before
    #expect(after.left(since: before).isEmpty)
    after.descriptors["socket:"] = 3
    after.threads = ["swbpf-ring 12"]
    after.ringMappings = 1
    after.heap += Holdings.heapAllowance + 1
    after.memory += Holdings.memoryAllowance + 1
    after.codeMappings = 1
    let left = after.left(since: before)
    #expect(left.count == 6, "\(left)")
    #expect(left.contains("descriptors: 3 of socket:, 2 before") && left.contains("thread: swbpf-ring 12"))
  }

  @Test("this process's own descriptors and memory are seen")
  func holdings() throws {
    let before = Holdings.now
    #expect(before.descriptors.values.reduce(0, +) > 2 && before.memory > 0)
    let kept = try #require(OpenFile())
    #expect(Holdings.left(since: before, within: 0).contains { $0.contains("/dev/null") })
    withExtendedLifetime(kept) {}
  }

  @Test("percentiles of latencies are right within a sixteenth")
  func latencies() {
    var latencies = Latencies()
    for value in 1...10_000 as ClosedRange<Int64> { latencies.add(value * 100) }
    for (share, value) in [(500, 500_000), (990, 990_000), (999, 999_000)] as [(UInt64, Int64)] {
      let found = latencies.permille(share)
      #expect(found >= value && found <= value + value / 15, "\(share): \(found)")
    }
    #expect(latencies.permille(1000) == 1_000_000 && latencies.longest == 1_000_000 && latencies.count == 10_000)
    var sum = Latencies()
    sum.add(5)
    sum.add(latencies)
    #expect(sum.count == 10_001 && sum.permille(0) == 5)
    #expect(Latencies().permille(500) == 0)
  }

  @Test("a seed determines the numbers")
  func seed() {
    var (a, b, c) = (SeededRandom(seed: 3), SeededRandom(seed: 3), SeededRandom(seed: 4))
    let numbers = (0..<8).map { _ in a.next() }
    #expect(numbers == (0..<8).map { _ in b.next() } && numbers != (0..<8).map { _ in c.next() })
  }
}
