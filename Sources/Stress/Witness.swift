// A witness: a peer that stays attached and looks at every frame.
import SwBPFBPF
import SwBPFKern
import SwBPFLiveCapture
import Synchronization

/// Reads all that one peer of the main interface is shown, on a thread of its own.
package final class Witness: @unchecked Sendable {
  /// What it saw so far.
  package struct Seen: Sendable {
    package var arriving = StreamCheck(from: 0)
    package var leaving = StreamCheck(from: 0)
    package var injected: UInt64 = 0
    package var foreign: UInt64 = 0
    package var records: UInt64 = 0
  }

  package let descriptor: BPF.Descriptor
  package let direction: BPF.Direction
  private let name: String
  private let findings: Findings
  private let twins: Twins?
  private let isSecond: Bool
  private let lock = Lock(rank: .leaf)
  /// Guarded by `lock`.
  private var seen = Seen()
  private let isStopping = Atomic<Bool>(false)
  private var thread: Thread?

  package init(_ direction: BPF.Direction, _ findings: Findings, twins: Twins? = nil, second: Bool = false) throws {
    self.direction = direction
    self.findings = findings
    self.twins = twins
    isSecond = second
    name = "the witness of \(direction == .inOut ? "both directions" : direction == .in ? "received" : "sent") frames"
    descriptor = try BPF.Descriptor(.init(slotSize: 1 << 20, slots: 16))
    try descriptor.setDirection(direction)
  }

  package func start() throws(StressFailure) {
    thread = try Thread(stress: "swbpf-witness") { [weak self] in self?.run() }
  }

  package func stop() {
    isStopping.store(true, ordering: .releasing)
    thread?.join()
    descriptor.detach()
  }

  package var soFar: Seen { lock.withLock { seen } }

  /// Every frame that was captured for it has been looked at.
  package var isCaughtUp: Bool {
    let counts = descriptor.statistics
    return counts.waiting == 0 && lock.withLock { seen.records } == counts.delivered
  }

  /// Its part of what was sent.
  package func balance(arriving: UInt64, leaving: UInt64, injected: UInt64, _ losses: Losses) -> Balance {
    let (seen, counts) = (soFar, descriptor.statistics)
    var balance = Balance()
    balance.name = name
    balance.seesAll = direction == .inOut
    balance.foreign = seen.foreign
    balance.losses = losses
    balance.losses.slots = counts.dropped
    if direction.seesReceived {
      balance.sent += arriving
      balance.seen += seen.arriving.seen
    } else {
      balance.losses.wire = 0
    }
    if direction.seesSent {
      balance.sent += leaving + injected
      balance.seen += seen.leaving.seen + seen.injected
    } else {
      balance.losses.unsure = 0
    }
    return balance
  }

  private func run() {
    while true {
      // Read before the slots: who sets it knows that what is stored by then is looked at.
      let stopping = isStopping.load(ordering: .acquiring)
      do {
        if let slot = try descriptor.nextSlot(timeout: .milliseconds(20)) {
          if twins == nil { look(at: slot) } else { mark(slot) }
        } else if stopping {
          return
        }
      } catch {
        if !stopping { findings.report(.end, "\(name) lost its interface: it went away") }
        return
      }
      if let text = PeerCheck.fault(of: descriptor.statistics) { findings.report(.counters, "\(name): \(text)") }
    }
  }

  private func look(at slot: borrowing BPF.Slot) {
    var now = soFar
    slot.eachRecord { record in
      now.records += 1
      guard let frame = NumberedFrame(record.frame) else {
        now.foreign += 1
        return
      }
      var fault: StreamCheck.Fault?
      switch frame.stream {
      case .arriving: fault = now.arriving.see(frame.number)
      case .leaving: fault = now.leaving.see(frame.number)
      case .injected: now.injected += 1
      case .side: findings.report(.direction, "\(name) saw a frame of another interface")
      }
      if frame.stream == .arriving ? !direction.seesReceived : !direction.seesSent {
        findings.report(.direction, "\(name) saw frame \(frame.number) of the other direction")
      }
      if let fault {
        findings.report(.frames, "\(name) saw \(frame.stream) frame \(fault.number) after \(fault.expected - 1)")
      }
    }
    lock.withLock { seen = now }
  }

  /// Live traffic: stamps and lengths tell frames apart.
  private func mark(_ slot: borrowing BPF.Slot) {
    var marks: [UInt64] = []
    slot.eachRecord { record in
      let stamp = UInt64(record.seconds) &* 1_000_000_000 &+ UInt64(record.nanoseconds)
      marks.append(stamp << 11 ^ UInt64(truncatingIfNeeded: record.wireLength))
    }
    lock.withLock { seen.records += UInt64(marks.count) }
    twins?.see(marks, second: isSecond)
  }
}

/// The two witnesses of live traffic.
package final class Twins: @unchecked Sendable {
  private let findings: Findings
  private let lock = Lock(rank: .descriptor)
  /// Guarded by `lock`.
  private var check = TwinCheck()
  /// One of them has losses.
  let isExcused = Atomic<Bool>(false)

  init(_ findings: Findings) { self.findings = findings }

  var compared: UInt64 { lock.withLock { check.compared } }

  func see(_ marks: [UInt64], second: Bool) {
    let fault = lock.withLock {
      check.see(marks, second: second, excused: isExcused.load(ordering: .relaxed))
    }
    if let fault { findings.report(.frames, fault) }
  }
}
