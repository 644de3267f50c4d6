// One act of a run: an engine, witnesses, a sender and the storm, from nothing to nothing.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture
import Synchronization

final class Act: @unchecked Sendable {
  let plan: StressPlan
  let ground: Ground
  let findings: Findings
  let model: Model2006?
  let engine: CaptureEngine
  let sender: Sender?
  /// Set by ``start()``.
  private(set) var witnesses: [Witness] = []
  private(set) var threads: [StormThread] = []
  let twins: Twins?
  /// What program replacement picks from.
  let programs: [Program?]
  private let main: BPF.Interface
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var side: BPF.Interface?
  private var outage: UInt64 = 0
  private var nextDisturbance = Clock.monotonic() + 50_000_000
  /// One at a time: a pause of the sender, or a disturbance of an interface.
  private let isBusy = Atomic<Bool>(false)
  // Frames that peers write.
  private let isQuiet = Atomic<Bool>(false)
  private let writing = Atomic<Int>(0)
  private let injected = Atomic<UInt64>(0)
  private let injectedInVain = Atomic<UInt64>(0)
  private let sentBefore: UInt64
  private let promiscuityBefore: UInt32
  /// Pauses of the sender at which everything was compared.
  let pauses = Atomic<UInt64>(0)

  /// An engine for an act on this ground. It starts no thread.
  static func engine(_ ground: Ground, _ findings: Findings) throws -> CaptureEngine {
    let mainName = ground.main
    return try CaptureEngine { event in
      if case .gone(mainName) = event { findings.report(.end, "\(mainName): the interface went away") }
    }
  }

  init(
    _ plan: StressPlan, _ ground: Ground, _ findings: Findings, _ engine: CaptureEngine, model: Model2006?
  ) throws {
    self.engine = engine
    (self.plan, self.ground, self.findings, self.model) = (plan, ground, findings, model)
    let odd = Program.stressed(testing: 24, 1)
    programs = [
      nil, odd, Program.stressed(testing: 24, 2), Program.stressed(returning: 40), Program.stressed(returning: 0),
    ]
    let isOwn = ground.isOwn
    main = try engine.interface(named: ground.main)
    sentBefore = isOwn ? ground.packetsSent(by: ground.mainPeer) ?? 0 : 0
    promiscuityBefore = ground.promiscuity(of: ground.main) ?? 0
    sender = isOwn ? try Sender(ground, plan, model: model, findings: findings) : nil
    twins = isOwn ? nil : Twins(findings)
    if isOwn {
      witnesses = try [BPF.Direction.inOut, .in, .out].map { try Witness($0, findings) }
    } else {
      witnesses = try [false, true].map { try Witness(.inOut, findings, twins: twins, second: $0) }
    }
    for witness in witnesses { try witness.descriptor.attach(to: main) }
    let share = max(1, plan.peers / plan.threads)
    threads = (0..<plan.threads).map { StormThread(self, number: $0, peers: share) }
  }

  /// - Throws: when not every thread could be started. Then none is left, and the engine is closed.
  func start() throws(StressFailure) {
    do throws(StressFailure) {
      for witness in witnesses { try witness.start() }
      try sender?.start()
      for thread in threads { try thread.start() }
    } catch {
      for thread in threads { thread.stop() }
      sender?.stop()
      close()
      throw error
    }
  }

  /// Ends everything, with a last comparison. The engine is closed.
  func stop() {
    for thread in threads { thread.stop() }
    compare(isLast: true)
    sender?.stop()
    if !ground.isOwn { engine.drain() }
    close()
  }

  /// Sender and storm have ended.
  private func close() {
    for witness in witnesses { witness.stop() }
    judgePromiscuity()
    side = nil
    engine.close()
    threads = []
    witnesses = []
  }

  private func judgePromiscuity() {
    let references = main.ifnet.promiscuousReferences
    if references != 0 { findings.report(.promiscuous, "\(references) references on \(ground.main) are left") }
    if let kernel = ground.promiscuity(of: ground.main), ground.isOwn, kernel != promiscuityBefore {
      findings.report(
        .promiscuous, "the kernel counts \(kernel) references on \(ground.main), \(promiscuityBefore) before")
    }
  }

  // MARK: For storm threads

  func interface(side wantsSide: Bool) throws -> BPF.Interface {
    if !wantsSide { return main }
    if let known = lock.withLock({ side }), !known.ifnet.isGone { return known }
    let found = try engine.interface(named: ground.side)
    // The old one ends outside of the lock.
    let old = lock.withLock {
      defer { side = found }
      return side
    }
    withExtendedLifetime(old) {}
    return found
  }

  /// Whether a request may fail so on what the mix does.
  func isExpected(_ failure: BPF.Failure, onSide: Bool) -> Bool {
    switch failure {
    case .wouldBlock, .interrupted: true
    // An interface that is being deleted, or has no traffic any more.
    case .departed, .notAttached, .noSuchInterface, .noTapPoint: onSide && plan.mix.contains(.delete)
    case .invalid("not attached"): onSide && plan.mix.contains(.delete)
    case .system(let error, _):
      [ENODEV, ENXIO, EADDRNOTAVAIL].contains(error) && onSide && plan.mix.contains(.delete)
        || error == ENETDOWN && plan.mix.contains(.down)
        || error == ENOBUFS
    default: false
    }
  }

  func inject(through peer: StormPeer) throws {
    if peer.isOnSide { return }
    writing.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { writing.wrappingSubtract(1, ordering: .releasing) }
    if isQuiet.load(ordering: .sequentiallyConsistent) { return }
    do {
      try peer.descriptor.write(NumberedFrame.injected(injected.load(ordering: .relaxed)))
      injected.wrappingAdd(1, ordering: .relaxed)
    } catch {
      // It may have been shown to taps before it was refused.
      injectedInVain.wrappingAdd(1, ordering: .relaxed)
      throw error
    }
  }

  /// Frames that others than peers count as lost.
  var excusedLosses: UInt64 {
    let losses = losses()
    return losses.wire + losses.ring + losses.outage + losses.unsure
      + (sender?.isInterrupted.load(ordering: .acquiring) == true ? 1 << 32 : 0)
  }

  /// - Returns: false when it was not the time for it.
  func disturb(_ operation: StressOperation, side: Bool) -> Bool {
    let now = Clock.monotonic()
    let isDue = lock.withLock {
      guard now >= nextDisturbance else { return false }
      nextDisturbance = now + 100_000_000
      return true
    }
    guard isDue, !isBusy.exchange(true, ordering: .acquiring) else { return false }
    defer { isBusy.store(false, ordering: .releasing) }
    do {
      if operation == .delete {
        model?.depart()
        try ground.recreateSide()
        model?.arrive()
      } else if side {
        try ground.interrupt(ground.side)
      } else {
        try interruptMain()
      }
    } catch StressFailure.system(let error, let call) {
      findings.report(.end, "\(call): \(unsafe String(cString: strerror(error)))")
    } catch {}
    return true
  }

  /// Frames that are sent meanwhile may be lost: as many as that is the loss called outage.
  private func interruptMain() throws(StressFailure) {
    guard let sender else { return }
    sender.isInterrupted.store(true, ordering: .releasing)
    sender.pause()
    usleep(2000)
    let before = sender.arriving.load(ordering: .acquiring) + sender.leaving.load(ordering: .acquiring)
    let writtenBefore = injected.load(ordering: .relaxed)
    sender.resume()
    try ground.interrupt(ground.main)
    let after = sender.arriving.load(ordering: .acquiring) + sender.leaving.load(ordering: .acquiring)
    let written = injected.load(ordering: .relaxed) - writtenBefore
    // One batch may have been under way.
    lock.withLock { outage += after - before + written + 64 }
    sender.isInterrupted.store(false, ordering: .releasing)
  }

  // MARK: Comparing

  func losses() -> Losses {
    var losses = Losses()
    guard let sender else { return losses }
    losses.ring = engine.statistics(of: ground.main).dropped
    losses.outage = lock.withLock { outage }
    losses.unsure = sender.unsure.load(ordering: .acquiring) + injectedInVain.load(ordering: .relaxed)
    if let left = ground.packetsSent(by: ground.mainPeer) {
      let sent = sender.arriving.load(ordering: .acquiring)
      losses.wire = sent - min(sent, left - min(left, sentBefore))
    }
    return losses
  }

  /// Pauses the sender, waits until everything is read, and compares what was sent with what was seen.
  func compare(isLast: Bool = false) {
    if let twins {
      if witnesses.contains(where: { $0.descriptor.statistics.dropped > 0 }) {
        twins.isExcused.store(true, ordering: .relaxed)
      }
    }
    guard let sender else { return }
    while isBusy.exchange(true, ordering: .acquiring) { usleep(1000) }
    defer { isBusy.store(false, ordering: .releasing) }
    isQuiet.store(true, ordering: .sequentiallyConsistent)
    sender.pause()
    while writing.load(ordering: .acquiring) > 0 { usleep(100) }
    defer {
      isQuiet.store(false, ordering: .releasing)
      if !isLast { sender.resume() }
    }
    if !settle() {
      if findings.endsRun { return }
      return findings.report(.sent, "frames are still on their way 10 s after the sender paused")
    }
    let losses = losses()
    let arriving = sender.arriving.load(ordering: .acquiring)
    let leaving = sender.leaving.load(ordering: .acquiring)
    for witness in witnesses {
      let balance = witness.balance(
        arriving: arriving, leaving: leaving, injected: injected.load(ordering: .acquiring), losses)
      if let fault = balance.fault { findings.report(.sent, fault) }
    }
    pauses.wrappingAdd(1, ordering: .relaxed)
  }

  /// Waits until the ring is empty and every witness has looked at all it has, twice in a row.
  private func settle() -> Bool {
    let deadline = Clock.monotonic() + 10_000_000_000
    var calm = 0
    var before: UInt64 = 0
    while Clock.monotonic() < deadline && !findings.endsRun {
      usleep(12_000)
      let ring = engine.statistics(of: ground.main)
      let isCalm = ring.processed >= ring.accepted && ring.accepted == before
      before = ring.accepted
      calm = isCalm && witnesses.allSatisfy(\.isCaughtUp) ? calm + 1 : 0
      if calm == 2 { return true }
    }
    return false
  }
}

extension Program {
  /// Accepts frames in which a byte has some bits.
  fileprivate static func stressed(testing offset: UInt32, _ bits: UInt32) -> Program? {
    try? Program([
      .statement(0x30, offset), .jump(0x45, bits, 0, 1), .statement(0x06, 0xffff), .statement(0x06, 0),
    ])
  }

  /// Accepts so many bytes of every frame.
  fileprivate static func stressed(returning count: UInt32) -> Program? { try? Program([.statement(0x06, count)]) }
}
