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

  @Test("as fast as it can: what the ring cannot hold has a name", .timeLimit(.minutes(1)))
  func fastest() throws {
    let report = try run(
      plan {
        $0.rate = nil
        $0.seconds = 1
        $0.mix = [.attach, .read]
      })
    #expect(report.held, "\(report.reading.broken)")
    #expect(report.reading.sent > 10_000)
  }

  @Test("it ends after so many cycles", .timeLimit(.minutes(1)))
  func cycles() throws {
    let report = try run(
      plan {
        ($0.cycles, $0.seconds) = (100, nil)
        $0.threads = 3
        $0.mix = [.attach, .flush, .program]
      })
    #expect(report.held, "\(report.reading.broken)")
    #expect(report.reading.cycles >= 100)
    #expect(report.reading.operations.keys.allSatisfy { [.flush, .program].contains($0) })
  }

  @Test("the same seed makes each thread decide the same, another seed does not", .timeLimit(.minutes(1)))
  func seeds() throws {
    let trails = try ([3, 3, 4] as [UInt64]).map { seed in
      let plan = plan {
        $0.seed = seed
        $0.seconds = 20
        // With these some attachments fail, and when is a matter of time.
        $0.mix.subtract([.down, .delete])
      }
      let report = try Host("stress").inside { try StressRun.run(plan) { $0.trails.count == 2 } }
      #expect(report.held, "\(report.reading.broken)")
      return report.reading.trails
    }
    #expect(trails[0].count == 2 && trails[0] == trails[1] && trails[0] != trails[2])
  }

  @Test("with the old design's model beside it every check holds, and the exit status is 1", .timeLimit(.minutes(1)))
  func model() throws {
    let plan = plan {
      $0.runsModel = true
      $0.peers = 2
      $0.seconds = 20
      $0.mix = [.attach, .delete]
    }
    let report = try Host("stress").inside {
      try StressRun.run(plan) { ($0.model?.nilUses ?? 0) > 0 && ($0.model?.staleUses ?? 0) > 0 }
    }
    let counts = try #require(report.reading.model)
    #expect(report.held, "\(report.reading.broken)")
    #expect(report.exitStatus == 1 && counts.nilUses > 0 && counts.staleUses > 0, "\(counts)")
  }

  @Test("the sender dies: the run ends, and nothing is claimed", .timeLimit(.minutes(1)))
  func senderDies() throws {
    let report = try run(plan { $0.senderDiesAfter = 3000 })
    #expect(!report.held && report.exitStatus == 1)
    #expect(report.reading.broken[.end]?.example.contains("the sender died") == true, "\(report.reading.broken)")
    #expect(report.reading.seconds < 1.5)
  }

  @Test("the interface goes in mid-run: the run ends, and nothing is claimed", .timeLimit(.minutes(1)))
  func interfaceGoes() throws {
    let host = try Host("stress")
    var isGone = false
    let report = try host.inside {
      try StressRun.run(plan { $0.seconds = 10 }) { _ in
        if !isGone { isGone = (try? host.ip("link del stress0")) != nil }
        return false
      }
    }
    #expect(!report.held && report.reading.broken[.end] != nil, "\(report.reading.broken)")
    #expect(report.reading.seconds < 8)
  }

  @Test("what is left behind is reported", .timeLimit(.minutes(1)))
  func leftover() throws {
    var kept: OpenFile?
    let report = try Host("stress").inside {
      try StressRun.run(plan { $0.seconds = 0.3 }) { _ in
        if kept == nil { kept = OpenFile() }
        return false
      }
    }
    #expect(report.reading.broken[.leftovers]?.example.contains("/dev/null") == true, "\(report.reading.broken)")
    withExtendedLifetime(kept) {}
  }

  @Test("live traffic: two witnesses see the same, and nothing is sent", .timeLimit(.minutes(1)))
  func live() throws {
    let (near, far) = (try Host("near"), try Host("far"))
    let (_, farEnd) = try Host.link(near, "va", far, "vb")
    let sender = try UDPSender(in: near, to: farEnd.ipv4, port: 9)
    let plan = plan {
      $0.place = .live("vb")
      $0.seconds = 1
      $0.mix.subtract([.inject, .down, .delete])
    }
    let report = try far.inside { try StressRun.run(plan) { _ in (try? sender.send(20)) == nil } }
    #expect(report.held, "\(report.reading.broken)")
    #expect(report.reading.compared > 100 && report.reading.cycles > 20 && report.reading.sent == 0)
  }

  @Test("live traffic that does not come is no proof of anything", .timeLimit(.minutes(1)))
  func silence() throws {
    let host = try Host("quiet")
    let report = try host.inside {
      try StressRun.run(plan { ($0.place, $0.seconds, $0.mix) = (.live("lo"), 0.3, [.attach]) })
    }
    #expect(!report.held && report.reading.broken[.end]?.example.contains("no frame came") == true)
  }
}

extension StressOperation {
  fileprivate var isRare: Bool { self == .down || self == .delete }
}
