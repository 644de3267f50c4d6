// What the kernel lets through to a packet socket: widened before a request is published, narrowed when things are quiet.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

extension PacketDriver {
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    let mayBeCut = try lock.withLock { () throws(BPF.Failure) in try widen(to: demand) }
    if mayBeCut { waitForCutFrames(isSeamless: demand.isSeamless) }
  }

  func holdOpen(sent: Bool, wishes: [Union.Wish]?) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    version += 1
    holds += 1
    if running == nil || (sent && ignoresSent && !isLoopback) { return false }
    return covers(wishes) && (wishes == nil || !holdsCutFrames)
  }

  func release() {
    lock.lock()
    defer { lock.unlock() }
    holds -= 1
  }

  func mayNarrow(_ interface: BPF.Ifnet) {
    lock.lock()
    defer { lock.unlock() }
    version += 1
    scheduleNarrowing()
  }

  /// Whether the socket's filter lets through what is asked for. The lock is held.
  private func covers(_ wishes: [Union.Wish]?) -> Bool {
    guard let installed else { return false }
    if installed.isOpen { return true }
    guard canPush, let wishes else { return false }
    return installed.covers(wishes, isCooked: isCooked)
  }

  /// Whether frames that were cut by a filter of before are still to be tapped. The lock is held.
  private var holdsCutFrames: Bool {
    if taken >= cutUntil { cutUntil = 0 }
    return cutUntil > 0
  }

  /// The lock is held. Returns whether frames that are in the ring may have been cut for less than the demand.
  private func widen(to demand: BPF.Demand) throws(BPF.Failure) -> Bool {
    version += 1
    if running == nil {
      try start(demand)
      return false
    }
    if let running, shape(for: demand) != running.shape { scheduleNarrowing() }
    var cutsLess = false
    if covers(demand.wishes) {
      // It may let through what nobody wants any more.
      if installed?.isOpen == false || (canPush && demand.wishes != nil) { scheduleNarrowing() }
    } else {
      let old = installed?.cut ?? .max
      try check(install(union(for: demand)), "SO_ATTACH_FILTER")
      cutsLess = old < installed?.cut ?? 0
      if cutsLess { cutUntil = .max }
    }
    if demand.sent && ignoresSent && !isLoopback {
      counted.filterChanges += 1
      for each in boundSockets { try check(swpcap_packet_ignore_outgoing(each, 0), "PACKET_IGNORE_OUTGOING") }
      ignoresSent = false
    }
    return cutsLess || (holdsCutFrames && demand.isSeamless)
  }

  /// Has one narrowing on its way to the control thread. The lock is held.
  func scheduleNarrowing() {
    if isNarrowing { return }
    isNarrowing = true
    narrowLater()
  }

  /// Looks whether it is quiet in 10 ms. The lock is held.
  private func narrowLater() {
    let seen = version
    work.schedule(after: 10_000_000) { [weak self] in self?.narrow(seen) }
  }

  /// Nothing that comes from now on is cut by the filter of before. If frames of before are to be judged by what is
  /// published next, waits for them, too: a program would not find in them what it reads.
  private func waitForCutFrames(isSeamless: Bool) {
    swpcap_packet_settle_filters()
    let accepted = lock.withLock {
      cutUntil = countAccepted()
      return cutUntil
    }
    guard isSeamless else { return }
    let deadline = Clock.monotonic() + 50_000_000 + 4 * retireTime
    while Clock.monotonic() < deadline && lock.withLock({ taken }) < accepted { usleep(500) }
    lock.withLock { cutUntil = 0 }
  }

  /// On the control thread, when the peers have been quiet: have the kernel refuse what nobody wants, or close an idle ring.
  private func narrow(_ seen: UInt64) {
    let ifnets = lock.withLock { interfaces }
    var demand = BPF.Demand()
    for ifnet in ifnets { ifnet.withDemand { demand.add($0) } }
    let isIdle = lock.withLock {
      // This needs no quiet.
      if demand.peers > 0 { suit(shape(for: demand)) }
      if version != seen || holds > 0 {
        narrowLater()
        return false
      }
      isNarrowing = false
      if running == nil { return false }
      if demand.peers == 0 { return true }
      if installed != nil {
        let wanted = union(for: demand)
        if wanted != installed { _ = install(wanted) }
      }
      if !demand.sent && !ignoresSent {
        counted.filterChanges += 1
        ignoresSent = boundSockets.allSatisfy { swpcap_packet_ignore_outgoing($0, 1) == 0 }
      }
      return false
    }
    let linger = lock.withLock { options.linger }
    if isIdle { work.schedule(after: linger) { [weak self] in self?.stop(ifStill: seen) } }
  }

  /// An unbound ring has to show frames of interfaces that nobody knows yet.
  private var canPush: Bool { scope == .one }

  func union(for demand: BPF.Demand) -> Union {
    guard canPush, let wishes = demand.wishes else { return .everything }
    return Union(of: wishes, isCooked: isCooked, memory: filterMemory)
  }

  /// Puts a union before the sockets; if the kernel refuses it, everything is let through. The lock is held.
  func install(_ union: Union) -> CInt {
    counted.filterChanges += 1
    var result: CInt = 0
    for each in boundSockets where result == 0 { result = apply(union, to: each) }
    if result == 0 {
      installed = union
      if union.refuses { counted.isNarrowed = true }
      return 0
    }
    result = 0
    for each in boundSockets where result == 0 { result = applyOpenFilter(to: each) }
    if result == 0 { installed = .everything }
    return result
  }

  /// One socket lets through what a union says; nil: nothing.
  func apply(_ union: Union?, to socket: CInt) -> CInt {
    guard let union else {
      let none = [swpcap_insn(code: 0x06, jt: 0, jf: 0, k: 0)]
      return unsafe swpcap_packet_filter(socket, none, 1)
    }
    guard let code = union.code else { return applyOpenFilter(to: socket) }
    let program = code.map { swpcap_insn(code: $0.code, jt: $0.jt, jf: $0.jf, k: $0.k) }
    return unsafe swpcap_packet_filter(socket, program, UInt16(program.count))
  }

  /// The kernel filter when nothing is refused: none, or a test for the interfaces of the list.
  private func applyOpenFilter(to socket: CInt) -> CInt {
    guard case .all(let only) = scope, !only.isEmpty else { return swpcap_packet_unfilter(socket) }
    var code = [swpcap_insn(code: 0x20, jt: 0, jf: 0, k: UInt32(bitPattern: -0x1000 + 8))]
    for (place, index) in only.enumerated() {
      code.append(swpcap_insn(code: 0x15, jt: UInt8(clamping: only.count - place), jf: 0, k: index))
    }
    code.append(swpcap_insn(code: 0x06, jt: 0, jf: 0, k: 0))
    code.append(swpcap_insn(code: 0x06, jt: 0, jf: 0, k: UInt32.max))
    return unsafe swpcap_packet_filter(socket, code, UInt16(code.count))
  }
}
