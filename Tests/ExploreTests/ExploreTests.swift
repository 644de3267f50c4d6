import Glibc
import SwBPFKern
import Testing

/// One exploration at a time: the scheduler is the process's.
@Suite("Every order of a few threads", .serialized, .timeLimit(.minutes(5)))
struct ExploreTests {
  private func explore(_ scenario: Scenario, fault: Step.Fault? = nil, threads: Int) throws -> Outcome {
    let outcome = try Explorer(threads: threads).explore(scenario, fault: fault)
    print(outcome)
    return outcome
  }

  private func show(_ outcome: Outcome) {
    for line in outcome.finding?.trace ?? [] { print("    \(line)") }
  }

  static let two: [Scenario] = [
    Scenarios.attachAndTap, Scenarios.detachAndTap, Scenarios.programAndTap, Scenarios.flushingProgramAndTap,
    Scenarios.flushAndTap, Scenarios.flushAndOlderTap, Scenarios.readAndTap, Scenarios.followAndTap,
  ]
  static let three: [Scenario] = [
    Scenarios.detachAttachAndTap, Scenarios.programDetachAndTap, Scenarios.departDetachAndTap,
    Scenarios.twoTapsAndDetach, Scenarios.readTapAndDetach, Scenarios.readTapAndDepart,
    Scenarios.twoReadersAndTap, Scenarios.moveAndTaps, Scenarios.attachDepartAndTap, Scenarios.attachAttachAndTap,
    Scenarios.runDetachAndFlush, Scenarios.followTapAndDetach, Scenarios.deviceReadTapAndDetach,
    Scenarios.closeAndWakeUp, Scenarios.mergeProgramAndTap,
  ]

  @Test(
    "two threads: no order uses freed memory, loses a peer or a frame, or misses a wake-up", arguments: two.indices)
  func ofTwo(_ index: Int) throws {
    let outcome = try explore(ExploreTests.two[index], threads: 2)
    show(outcome)
    #expect(outcome.finding == nil && outcome.isExhaustive && outcome.orders > 1)
  }

  @Test(
    "three threads: no order uses freed memory, loses a peer or a frame, or misses a wake-up", arguments: three.indices)
  func ofThree(_ index: Int) throws {
    let outcome = try explore(ExploreTests.three[index], threads: 3)
    show(outcome)
    #expect(outcome.finding == nil && outcome.isExhaustive && outcome.orders > 1)
  }

  @Test(
    "a direction that shows more is in the kernel before it is shown, and narrowing does not take it away",
    arguments: [true, false], [true, false])
  func widening(_ pushed: Bool, _ isNarrow: Bool) throws {
    let outcome = try explore(Scenarios.widenNarrowAndTap(pushed: pushed, isNarrow: isNarrow), threads: 3)
    show(outcome)
    #expect(outcome.finding == nil && outcome.isExhaustive && outcome.orders > 1)
  }

  @Test("a driver that narrows to what was wanted a moment ago is found")
  func narrowing() throws {
    let outcome = try explore(
      Scenarios.widenNarrowAndTap(pushed: false, isNarrow: false, forgetsVersion: true), threads: 3)
    show(outcome)
    #expect(outcome.finding != nil)
  }

  @Test("the design of 2006: the order in which the last detach makes the kernel panic is found")
  func oldDesign() throws {
    let outcome = try explore(Scenarios.oldDesign(isPermanent: false), threads: 2)
    show(outcome)
    #expect(outcome.finding?.text.contains("NULL") == true)
    let mended = try explore(Scenarios.oldDesign(isPermanent: true), threads: 2)
    #expect(mended.finding == nil && mended.isExhaustive)
  }

  static let faults: [(Step.Fault, Scenario, Int)] = [
    (.loadsBeforeEntering, Scenarios.detachAndTap, 2),
    (.freesWithoutWaiting, Scenarios.detachAndTap, 2),
    (.retiresBeforeSwapping, Scenarios.detachAndTap, 2),
    (.appendsAfterDetach, Scenarios.detachAndTap, 2),
    (.freesProgramAtOnce, Scenarios.programAndTap, 2),
    (.appendsAfterFlush, Scenarios.flushingProgramAndTap, 2),
    (.publishesBeforeWidening, Scenarios.widenNarrowAndTap(pushed: true, isNarrow: true), 3),
    (.wakesBeforeAppending, Scenarios.readAndTap, 2),
    (.departsSilently, Scenarios.readTapAndDepart, 3),
    (.forgetsPin, Scenarios.closeAndWakeUp, 3),
  ]

  @Test("each mistake put into the code is found", arguments: faults.indices)
  func fault(_ index: Int) throws {
    let (fault, scenario, threads) = ExploreTests.faults[index]
    print("with a mistake: \(fault)")
    let outcome = try explore(scenario, fault: fault, threads: threads)
    show(outcome)
    #expect(outcome.finding != nil)
  }

  @Test("every mistake there is has its exploration")
  func allFaults() {
    #expect(Set(ExploreTests.faults.map(\.0)) == Set(Step.Fault.allCases))
  }
}
