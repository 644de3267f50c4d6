import Glibc
import SwBPFLiveCapture
import SwBPFStress
import Testing

@testable import TestSupport

@Suite("A stress run holds", .needsNamespaces)
struct RunTests {
  private func plan(_ change: (inout StressPlan) -> Void = { _ in }) -> StressPlan {
    var plan = StressPlan()
    plan.seconds = Requirement.short ? 1 : 2
    plan.rate = 20_000
    plan.seed = 7
    change(&plan)
    return plan
  }

  private func run(_ plan: StressPlan) throws -> StressReport {
    try Host("stress").inside { try StressRun.run(plan) }
  }

  @Test("C-035 C-036 every operation together: witnesses miss nothing that has no name", .timeLimit(.minutes(1)))
  func everything() throws {
    let report = try run(plan())
    #expect(report.held, "\(report.reading.broken)")
    #expect(report.exitStatus == 0)
    let reading = report.reading
    #expect(reading.sent > 1000 && reading.accepted > 1000 && reading.cycles > 20 && reading.pauses >= 1, "\(reading)")
    #expect(reading.seen.count == 3 && reading.seen.allSatisfy { $0 > 0 })
    for operation in StressOperation.allCases where operation != .attach && !operation.isRare {
      #expect(reading.operations[operation] ?? 0 > 0, "\(operation)")
    }
    #expect(reading.longestPass > 0 && reading.attach.longest > 0 && reading.detach.longest > 0)
  }
}

extension StressOperation {
  fileprivate var isRare: Bool { self == .down || self == .delete }
}
