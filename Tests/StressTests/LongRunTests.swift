import Glibc
import SwBPFStress
import Testing

@testable import TestSupport

/// `make verify` sets seed and length.
@Suite("A long stress run holds", .needsNamespaces)
struct LongRunTests {
  private static func number(_ name: String) -> UInt64? { Tool.environment(name).flatMap { UInt64($0) } }

  @Test("C-035 C-036 every operation, for as long as is asked for", .timeLimit(.minutes(30)))
  func long() throws {
    let seconds = LongRunTests.number("SWBPF_STRESS_SECONDS") ?? 1
    let seed = LongRunTests.number("SWBPF_STRESS_SEED") ?? 11
    let end = monotonicSeconds() + Double(seconds)
    var runs: UInt64 = 0
    // Each begins and ends anew, with other peers and rates.
    repeat {
      var plan = StressPlan()
      plan.seed = seed &+ runs
      plan.threads = 2 + Int(runs % 3)
      plan.peers = 4 << Int(runs % 4)
      plan.rate = [20_000, nil, 5000, 60_000][Int(runs % 4)]
      plan.seconds = min(20, max(0.5, end - monotonicSeconds()))
      let report = try Host("stress").inside { try StressRun.run(plan) }
      #expect(report.held, "seed \(plan.seed): \(report.reading.broken)")
      #expect(report.reading.cycles > 0 && report.reading.pauses > 0)
      runs += 1
      if !report.held { return }
    } while monotonicSeconds() < end
  }
}
