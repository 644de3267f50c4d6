// A storm thread: it attaches and detaches its share of the peers and does to them what the mix allows.
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import SwBPFLiveCapture
import Synchronization

final class StormThread: @unchecked Sendable {
  /// What a thread has done so far.
  struct Tally {
    var cycles: UInt64 = 0
    var attached = 0
    var operations: [StressOperation: UInt64] = [:]
    var attach = Latencies()
    var detach = Latencies()
    /// Sum over the first decisions, in their order; what the seed alone determines while no attach fails.
    var trail = Trail()
  }

  /// The first thousand decisions of a thread as one number. (FNV-1a)
  struct Trail {
    private static let length = 1000
    private var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    private var count = 0

    mutating func add(_ word: Int) {
      if count == Trail.length { return }
      count += 1
      sum = (sum ^ UInt64(word)) &* 0x100_0000_01b3
    }

    /// Nil before there were so many.
    var value: UInt64? { count == Trail.length ? sum : nil }
  }

  private let act: Act
  private let number: Int
  private var random: SeededRandom
  private let operations: [StressOperation]
  private var slots: [StormPeer?]
  private let lock = Lock(rank: .leaf)
  /// Guarded by `lock`.
  private var tally = Tally()
  private let isStopping = Atomic<Bool>(false)
  private var thread: Thread?

  init(_ act: Act, number: Int, peers: Int) {
    self.act = act
    self.number = number
    random = SeededRandom(seed: act.plan.seed &* 1_000_003 &+ UInt64(number))
    // In a fixed order, so that a seed means the same.
    operations = StressOperation.allCases.filter {
      $0 != .attach && !$0.isOfInterface && act.plan.mix.contains($0)
    }
    slots = Array(repeating: nil, count: peers)
  }

  var soFar: Tally { lock.withLock { tally } }

  func start() throws(StressFailure) {
    thread = try Thread(stress: "swbpf-storm") { [self] in
      while !isStopping.load(ordering: .relaxed) { step() }
      for index in slots.indices where slots[index] != nil { detach(index) }
    }
  }

  func stop() {
    isStopping.store(true, ordering: .relaxed)
    thread?.join()
    thread = nil
  }

  private func step() {
    let index = random.below(slots.count)
    guard let peer = slots[index] else { return attach(index) }
    if number == 0 { disturbInterfaces() }
    // Each peer is disturbed three times on average.
    if operations.isEmpty || random.once(in: 4) { return detach(index) }
    let choice = random.below(operations.count)
    let operation = operations[choice]
    lock.withLock {
      tally.operations[operation, default: 0] += 1
      tally.trail.add(index << 8 | choice)
    }
    do {
      try perform(operation, peer)
    } catch {
      complain(operation.rawValue, error, peer)
    }
    if let text = PeerCheck.fault(of: peer.descriptor.statistics) { act.findings.report(.counters, "a peer: \(text)") }
  }

  // MARK: Attaching

  private func attach(_ index: Int) {
    let onSide = act.plan.mix.contains(.move) && random.once(in: 8)
    let direction = BPF.Direction.allCases[random.below(3)]
    let (device, pushed) = (random.once(in: 4), random.once(in: 2))
    do {
      let interface = try act.interface(side: onSide)
      let begin = Clock.monotonic()
      let peer = try StormPeer(direction, device: device, onSide: onSide, pushed: pushed, act.findings)
      try peer.descriptor.attach(to: interface)
      let taken = Clock.monotonic() - begin
      slots[index] = peer
      act.model?.attach()
      lock.withLock {
        tally.attach.add(taken)
        tally.attached += 1
      }
    } catch {
      complain("attach", error, onSide: onSide)
    }
  }

  private func detach(_ index: Int) {
    guard let peer = slots[index] else { return }
    let begin = Clock.monotonic()
    peer.descriptor.detach()
    let taken = Clock.monotonic() - begin
    act.model?.detach()
    let sent = act.sender?.arriving.load(ordering: .acquiring) ?? 0
    peer.read()
    if act.sender != nil { peer.judgeEnd(arriving: sent) { act.excusedLosses } }
    if let text = PeerCheck.fault(of: peer.descriptor.statistics) { act.findings.report(.counters, "a peer: \(text)") }
    slots[index] = nil
    lock.withLock {
      tally.detach.add(taken)
      tally.attached -= 1
      tally.cycles += 1
    }
  }

  // MARK: What is done to a peer

  private func perform(_ operation: StressOperation, _ peer: StormPeer) throws {
    switch operation {
    case .move:
      peer.read()
      let onSide = !peer.isOnSide
      try peer.descriptor.attach(to: try act.interface(side: onSide))
      peer.restart(onSide: onSide)
    case .program:
      peer.read()
      peer.disturb()
      let flushing = random.once(in: 2)
      let program = act.programs[random.below(act.programs.count)]
      if flushing {
        try peer.flushing { try peer.descriptor.setProgram(program, flushing: true) }
      } else {
        try peer.descriptor.setProgram(program, flushing: false)
      }
    case .direction:
      peer.disturb()
      if random.once(in: 2) {
        try peer.descriptor.setSeesSent(random.once(in: 2))
      } else {
        try peer.descriptor.setDirection(BPF.Direction.allCases[random.below(3)])
      }
    case .promiscuous: try peer.descriptor.setPromiscuous()
    case .resize: try resize(peer)
    case .flush:
      peer.flushing { peer.descriptor.flush() }
    case .read: peer.read()
    case .poll: _ = peer.descriptor.poll([.readable, .writable])
    case .inject: try act.inject(through: peer)
    case .attach, .down, .delete: return
    }
  }

  /// An attached peer keeps its buffers; a device that was detached gets others.
  private func resize(_ peer: StormPeer) throws {
    let size = 64 << random.below(12)
    do {
      try peer.resizeBuffer(to: size)
      // Only one whose interface went away may have been resized.
      if peer.descriptor.isAttached { act.findings.report(.errors, "an attached peer's buffers were resized") }
    } catch BPF.Failure.invalid {}
    guard peer.isDevice else { return }
    peer.descriptor.detach()
    peer.read()
    try peer.resizeBuffer(to: size)
    // The smallest ones hold only a part of a frame, without its number.
    peer.restart(onSide: peer.isOnSide)
    try peer.descriptor.attach(to: try act.interface(side: peer.isOnSide))
  }

  /// Errors that the mix brings about are none: an interface that was taken away.
  private func complain(_ what: String, _ error: any Error, _ peer: StormPeer? = nil, onSide: Bool = false) {
    guard let failure = error as? BPF.Failure else { return act.findings.report(.errors, "\(what): \(error)") }
    if act.isExpected(failure, onSide: onSide || peer?.isOnSide == true || act.plan.mix.contains(.move)) { return }
    if failure.errno == ENOMEM { return act.findings.report(.end, "\(what): no memory: \(failure)") }
    act.findings.report(.errors, "\(what): \(failure)")
  }

  // MARK: What is done to interfaces

  private func disturbInterfaces() {
    guard act.ground.isOwn, random.once(in: 64) else { return }
    let choices = [StressOperation.down, .delete].filter(act.plan.mix.contains)
    if choices.isEmpty { return }
    let operation = choices[random.below(choices.count)]
    let side = operation == .delete || random.once(in: 2)
    if act.disturb(operation, side: side) { lock.withLock { tally.operations[operation, default: 0] += 1 } }
  }
}

extension StressOperation {
  /// Done to an interface, not to a peer.
  var isOfInterface: Bool { self == .down || self == .delete }
}
