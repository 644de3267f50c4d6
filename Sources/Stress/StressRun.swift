// A whole run: its ground, a rehearsal, the act, and the report. Called by the command and by tests, from one thread.
import Glibc
import SwBPFBPF
import SwBPFKern
import SwBPFLiveCapture
import Synchronization

/// A stress run. Make it, ``start()``, ask for ``reading`` and ``tick()`` until ``isOver``, then ``finish(interrupted:)``.
package final class StressRun {
  private let plan: StressPlan
  private let ground: Ground
  private let findings = Findings()
  private let model: Model2006?
  private let before: Holdings
  private var act: Act?
  private var began: Int64 = 0
  private var lastComparison: Int64 = 0

  /// Makes cables and sockets and attaches the witnesses; a rehearsal first touches everything that a process does only once.
  /// - Parameter drop: gives up rights that a run on live traffic does not need any more; no thread was started by then.
  /// - Throws: ``StressFailure``; what attaching throws.
  package init(_ plan: StressPlan, dropping drop: () throws -> Void = {}) throws {
    self.plan = plan
    model = plan.runsModel ? Model2006() : nil
    switch plan.place {
    case .own: ground = try Ground.own()
    case .live(let name): ground = Ground.live(name)
    }
    do {
      let rehearsal = try Act.engine(ground, Findings())
      let engine = try Act.engine(ground, findings)
      if !ground.isOwn { try rehearsal.prepare(from: ground) }
      let unprepared = Holdings.now
      if !ground.isOwn {
        try engine.prepare(from: ground)
        try drop()
      }
      let prepared = Holdings.now
      try StressRun.rehearse(plan, ground, rehearsal)
      // The sockets that the act will close are no part of what was there before it.
      before = Holdings.now.without(prepared, since: unprepared)
      act = try Act(plan, ground, findings, engine, model: model)
    } catch {
      ground.remove()
      throw error
    }
  }

  /// A short act, so that malloc, thread stacks and the epoch's thread are as they stay.
  private static func rehearse(_ plan: StressPlan, _ ground: Ground, _ engine: CaptureEngine) throws {
    var plan = plan
    plan.senderDiesAfter = nil
    plan.mix.subtract([.down, .delete])
    let rehearsal = try Act(plan, ground, Findings(), engine, model: nil)
    try rehearsal.start()
    usleep(100_000)
    rehearsal.stop()
    _ = Holdings.now
  }

  /// - Throws: ``StressFailure`` when the system has no thread or no memory left; then the run is over.
  package func start() throws(StressFailure) {
    began = Clock.monotonic()
    lastComparison = began
    do throws(StressFailure) { try act?.start() } catch {
      act = nil
      ground.remove()
      throw error
    }
  }

  /// From time to time: compares what was sent with what was seen, at a pause of the sender.
  package func tick() {
    guard let act, Clock.monotonic() - lastComparison > 1_000_000_000 else { return }
    act.compare()
    lastComparison = Clock.monotonic()
  }

  /// The time or the cycles are over, or the run cannot go on.
  package var isOver: Bool {
    if findings.endsRun { return true }
    if let seconds = plan.seconds, elapsed >= seconds { return true }
    guard let cycles = plan.cycles, let act else { return false }
    return act.threads.reduce(0) { $0 + $1.soFar.cycles } >= cycles
  }

  private var elapsed: Double { Double(Clock.monotonic() - began) / 1e9 }

  /// How it stands.
  package var reading: StressReading {
    var reading = StressReading()
    reading.seconds = elapsed
    reading.broken = findings.all
    if let model { reading.model = model.counts }
    guard let act else { return reading }
    for thread in act.threads {
      let tally = thread.soFar
      reading.cycles += tally.cycles
      reading.peers += tally.attached
      reading.attach.add(tally.attach)
      reading.detach.add(tally.detach)
      reading.operations.merge(tally.operations, uniquingKeysWith: +)
      if let trail = tally.trail.value { reading.trails.append(trail) }
    }
    let ring = act.engine.statistics(of: ground.main)
    reading.accepted = ring.accepted
    reading.longestPass = ring.longestPass
    reading.sent = act.sender.map { $0.arriving.load(ordering: .relaxed) + $0.leaving.load(ordering: .relaxed) } ?? 0
    reading.losses = act.losses()
    reading.losses.ring = ring.dropped
    for witness in act.witnesses {
      let seen = witness.soFar
      reading.seen.append(seen.records)
      reading.losses.slots += witness.descriptor.statistics.dropped
    }
    reading.pauses = act.pauses.load(ordering: .relaxed)
    reading.compared = act.twins?.compared ?? 0
    return reading
  }

  /// Ends everything and says what was found.
  /// - Parameter interrupted: by the user, before the time was over.
  package func finish(interrupted: Bool) -> StressReport {
    let elapsed = elapsed
    for thread in act?.threads ?? [] { thread.stop() }
    act?.compare(isLast: false)
    var last = reading
    if last.accepted == 0 { findings.report(.end, "no frame came: nothing was tested") }
    act?.stop()
    last.broken = [:]
    act = nil
    var report = StressReport(plan: plan, reading: last, isInterrupted: interrupted)
    report.reading.seconds = elapsed
    let left = Holdings.left(since: before)
    if !left.isEmpty { findings.report(.leftovers, left.joined(separator: "; ")) }
    let after = Holdings.now
    report.heapGrowth = Int64(after.heap) - Int64(before.heap)
    ground.remove()
    if let model { report.reading.model = model.counts }
    report.reading.broken = findings.all
    return report
  }

  /// The whole of it, without a display.
  package static func run(
    _ plan: StressPlan, until isEnough: (StressReading) -> Bool = { _ in false }
  ) throws -> StressReport {
    let run = try StressRun(plan)
    try run.start()
    while !run.isOver && !isEnough(run.reading) {
      usleep(20_000)
      run.tick()
    }
    return run.finish(interrupted: false)
  }
}

extension CaptureEngine {
  /// Opens the sockets of a user's interfaces: from then on no capability is needed.
  fileprivate func prepare(from ground: Ground) throws {
    try prepare(ground.main)
    if ground.side != ground.main { try prepare(ground.side) }
  }
}
