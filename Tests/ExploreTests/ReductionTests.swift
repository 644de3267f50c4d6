import SwBPFKern
import Testing

/// The explorer itself: what it leaves out is equal to something that it runs.
@Suite("The explorer's reduction", .serialized, .timeLimit(.minutes(5)))
struct ReductionTests {
  private enum Act {
    case load(Int)
    case store(Int)
    /// Under a lock: loads, and stores one more.
    case increment(Int)
    case sleep
    case wake

    /// Steps that it takes at least.
    var steps: Int {
      switch self {
      case .load, .store: 1
      case .increment: 3
      case .sleep, .wake: 2
      }
    }
  }

  /// A small program for each thread, over two words, a lock and a condition.
  private static func programs(_ generator: inout some RandomNumberGenerator, threads: Int) -> [[Act]] {
    while true {
      let programs = draw(&generator, threads: threads)
      // About so many orders there are.
      var (orders, all) = (1.0, 0.0)
      for program in programs {
        for step in 1...(program.reduce(1) { $0 + $1.steps }) {
          all += 1
          orders *= all / Double(step)
        }
      }
      if (20...2000).contains(orders) { return programs }
    }
  }

  private static func draw(_ generator: inout some RandomNumberGenerator, threads: Int) -> [[Act]] {
    (0..<threads).map { thread in
      (0..<Int.random(in: 1...4, using: &generator)).map { _ in
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<3: .load(Int.random(in: 0..<2, using: &generator))
        case 3..<6: .store(Int.random(in: 0..<2, using: &generator))
        case 6..<8: .increment(Int.random(in: 0..<2, using: &generator))
        case 8: thread == 0 ? .sleep : .wake
        default: .wake
        }
      }
    }
  }

  /// Everything that threads loaded and what is in memory at the end, of every order that is run.
  private static func results(of programs: [[Act]], isReduced: Bool) throws -> (Set<[Int]>, Outcome) {
    var all: Set<[Int]> = []
    let explorer = Explorer(threads: programs.count, isReduced: isReduced)
    let note = Box()
    let scenario = Scenario(name: isReduced ? "reduced" : "every order") { explorer in
      var memory = [0, 0]
      var isAwake = false
      var loaded = programs.map { _ in [Int]() }
      let shared = Shared()
      let threads = programs.indices.map { thread in
        (
          name: "\(thread)",
          body: {
            for (number, act) in programs[thread].enumerated() {
              switch act {
              case .load(let word):
                explorer.model("load", UInt(16 + word), writes: false)
                loaded[thread].append(memory[word])
              case .store(let word):
                explorer.model("store", UInt(16 + word), writes: true)
                memory[word] = thread * 10 + number + 1
              case .increment(let word):
                shared.lock.withLock {
                  explorer.model("load", UInt(16 + word), writes: false)
                  let value = memory[word]
                  explorer.model("store", UInt(16 + word), writes: true)
                  memory[word] = value + 100
                }
              case .sleep:
                shared.lock.withLock { while !isAwake { _ = shared.lock.wait(shared.condition) } }
              case .wake:
                shared.lock.withLock { isAwake = true }
                shared.condition.broadcast()
              }
            }
          }
        )
      }
      return Scenario.Run(
        threads: threads, check: { note.body?(loaded.flatMap { [-1] + $0 } + memory) ?? nil }, end: {})
    }
    note.body = {
      all.insert($0)
      return nil
    }
    let outcome = try explorer.explore(scenario, limit: 400_000)
    if let finding = outcome.finding { all.insert([finding.text.utf8.count]) }
    return (all, outcome)
  }

  private final class Shared: Sendable {
    let lock = Lock(rank: .leaf)
    let condition = Condition()
  }

  private final class Box: @unchecked Sendable {
    var body: (([Int]) -> String?)?
  }

  @Test("it reaches every result that running all orders reaches, in fewer", arguments: [2, 3])
  func same(_ threads: Int) throws {
    var generator = Seeded(state: UInt64(threads))
    var (few, many) = (0, 0)
    for _ in 0..<40 {
      let programs = ReductionTests.programs(&generator, threads: threads)
      let (whole, all) = try ReductionTests.results(of: programs, isReduced: false)
      let (reduced, some) = try ReductionTests.results(of: programs, isReduced: true)
      // A program whose threads can hang is found to hang by both.
      #expect((all.finding == nil) == (some.finding == nil), "\(programs)")
      if all.finding != nil { continue }
      #expect(whole == reduced && all.isExhaustive && some.isExhaustive, "\(programs)")
      few += some.orders
      many += all.orders
    }
    print("reduction: \(few) orders reach what \(many) reach")
    #expect(few < many)
  }
}

/// A generator whose numbers are the same each time. (xorshift64)
private struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 29
  }
}
