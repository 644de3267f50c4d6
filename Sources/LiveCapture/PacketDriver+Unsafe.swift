// The packet driver: one packet socket and its ring, as the driver of one Ifnet or (unbound) of all.
// Requests come from descriptors and the engine; the ring thread runs apart.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFKern
import Synchronization

func closeDescriptor(_ descriptor: CInt) { close(descriptor) }

/// Opens, feeds and closes one ring. (the driver of an AF_PACKET interface)
///
/// The socket is made at once, with protocol 0: from then on no capability is needed. Version, ring and direction are set
/// before it is bound, so no foreign and no unwanted frame gets in first.
final class PacketDriver: BPF.Driver, @unchecked Sendable {
  enum Scope: Equatable {
    case one
    /// Unbound: the frames of every interface, or of those whose index is in the list.
    case all(only: [UInt32])
  }

  private struct Running {
    var ring: swpcap_ring
    let control: RingControl
    let thread: Thread
    let target: UInt32
    let retire: Int64
  }

  let scope: Scope
  let socket: CInt
  private let options: RingOptions
  private let work: DelayedWork
  private let lock = Lock(rank: .driver)
  private let notices: @Sendable (String) -> Void
  // Guarded by `lock`.
  private var output: CInt = -1
  private var running: Running?
  private var interfaces: [BPF.Ifnet] = []
  private var ignoresSent = false {
    // A frame of lo is tapped once, as received: there nothing is missing.
    didSet { if ignoresSent && !isLoopback { counted.isNarrowed = true } }
  }
  private var isRefusing = false
  /// A narrowing is on its way to the control thread.
  private var isNarrowing = false
  /// Requests that want more let through and have not published it yet: nothing is narrowed meanwhile.
  private var holds = 0
  private var version: UInt64 = 0
  private var counted = RingStatistics()
  private var processedBefore: UInt64 = 0
  private var hasRing = true
  private var resolve: @Sendable (UInt32, UInt16) -> KnownInterface? = { _, _ in nil }
  /// What a bound driver feeds; the interface is kept while the ring thread may tap it.
  private var target: (link: Link, ifnet: BPF.Ifnet, point: TapPoint)?

  /// - Throws: EPERM without CAP_NET_RAW.
  init(
    scope: Scope, cooked: Bool, options: RingOptions, work: DelayedWork,
    notices: @escaping @Sendable (String) -> Void
  ) throws(BPF.Failure) {
    let descriptor = swpcap_packet_socket(cooked ? 1 : 0)
    guard descriptor >= 0 else { throw .system(errno: -descriptor, call: "socket(AF_PACKET)") }
    socket = descriptor
    self.scope = scope
    self.options = options
    self.work = work
    self.notices = notices
  }

  deinit {
    stop()
    close(socket)
    if output >= 0 { close(output) }
  }

  /// Names the interface that a bound driver feeds; a running ring moves to it.
  func serve(_ link: Link, _ ifnet: BPF.Ifnet, _ point: TapPoint) {
    let old = lock.withLock {
      let before = target
      target = (link, ifnet, point)
      interfaces = [ifnet]
      defer { running = nil }
      return (running, before)
    }
    // The interface of before goes when its ring thread has.
    withExtendedLifetime(old.1) { if let running = old.0 { end(running) } }
  }

  /// Adds an interface of an unbound driver.
  func serve(_ ifnet: BPF.Ifnet) { lock.withLock { interfaces.append(ifnet) } }

  func forget(_ ifnet: BPF.Ifnet) {
    lock.withLock {
      interfaces.removeAll { $0 === ifnet }
      running?.control.forget.store(true, ordering: .releasing)
      running?.control.signal()
    }
  }

  /// How an unbound driver finds the tap point of a frame.
  func resolving(with body: @escaping @Sendable (UInt32, UInt16) -> KnownInterface?) {
    lock.withLock { resolve = body }
  }

  // MARK: BPF.Driver

  var retireTime: Int64 { lock.withLock { running?.retire ?? 10_000_000 } }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {
    lock.lock()
    defer { lock.unlock() }
    version += 1
    if running == nil { return try start(demand) }
    if isRefusing {
      isRefusing = false
      try check(applyFilter(), "SO_ATTACH_FILTER")
    }
    if demand.sent && ignoresSent && !isLoopback {
      try check(swpcap_packet_ignore_outgoing(socket, 0), "PACKET_IGNORE_OUTGOING")
      ignoresSent = false
    }
  }

  func mayNarrow(_ interface: BPF.Ifnet) {
    let seen: UInt64? = lock.withLock {
      version += 1
      if isNarrowing { return nil }
      isNarrowing = true
      return version
    }
    if let seen { narrowLater(seen) }
  }

  func holdOpen(sent: Bool) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    version += 1
    holds += 1
    if running == nil || isRefusing { return false }
    return !sent || !ignoresSent || isLoopback
  }

  func release() {
    lock.lock()
    defer { lock.unlock() }
    holds -= 1
  }

  /// Looks whether it is quiet in 10 ms. The lock may be held.
  private func narrowLater(_ seen: UInt64) {
    work.schedule(after: 10_000_000) { [weak self] in self?.narrow(seen) }
  }

  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {
    try check(swpcap_packet_promiscuous(socket, Int32(interface.index), on ? 1 : 0), "PACKET_ADD_MEMBERSHIP")
  }

  /// The socket that frames are sent through, opened with the first one. - Throws: EPERM without CAP_NET_RAW.
  func outputSocket() throws(BPF.Failure) -> CInt {
    try lock.withLock { () throws(BPF.Failure) in
      if output < 0 {
        let opened = swpcap_packet_socket(0)
        try check(opened, "socket(AF_PACKET)")
        output = opened
      }
      return output
    }
  }

  private var isLoopback: Bool { target?.link.isLoopback ?? false }

  private func check(_ result: CInt, _ call: String) throws(BPF.Failure) {
    if result < 0 { throw .system(errno: -result, call: call) }
  }

  /// On the control thread, when the peers have been quiet: stop sent frames in the kernel, or close an idle ring.
  private func narrow(_ seen: UInt64) {
    let ifnets: [BPF.Ifnet]? = lock.withLock {
      if version == seen && holds == 0 { return interfaces }
      narrowLater(version)
      return nil
    }
    guard let ifnets else { return }
    var demand = BPF.Demand()
    for ifnet in ifnets {
      ifnet.withDemand { one in
        demand.peers += one.peers
        demand.sent = demand.sent || one.sent
      }
    }
    let isIdle = lock.withLock {
      if version != seen || holds > 0 {
        narrowLater(version)
        return false
      }
      isNarrowing = false
      if running == nil { return false }
      if demand.peers == 0 { return true }
      if !demand.sent && !ignoresSent && swpcap_packet_ignore_outgoing(socket, 1) == 0 { ignoresSent = true }
      return false
    }
    if isIdle { work.schedule(after: options.linger) { [weak self] in self?.stop(ifStill: seen) } }
  }

  // MARK: The ring's life

  /// Ring, then direction and filter, then bind. The lock is held.
  private func start(_ demand: BPF.Demand) throws(BPF.Failure) {
    let retire = options.retire ?? (demand.immediate ? 1 : 10)
    let control = RingControl()
    try check(control.wake, "eventfd")
    var ring = swpcap_ring()
    if hasRing {
      let (size, count) = options.geometry(largestPacket: target?.link.largestPacket ?? 0)
      let opened = unsafe swpcap_ring_open(socket, size, count, UInt32(retire), &ring)
      if opened < 0 {
        if opened == -ENOMEM { throw .system(errno: ENOMEM, call: "PACKET_RX_RING") }
        hasRing = false
        notices(
          unsafe "this kernel refuses packet rings (\(String(cString: strerror(-opened)))): reading with recvmmsg")
      }
    }
    if !hasRing { try check(swpcap_batch_prepare(socket), "PACKET_AUXDATA") }
    ignoresSent = isLoopback || !demand.sent
    try check(swpcap_packet_ignore_outgoing(socket, ignoresSent ? 1 : 0), "PACKET_IGNORE_OUTGOING")
    isRefusing = false
    try check(applyFilter(), "SO_ATTACH_FILTER")
    let index = Int32(target?.link.index ?? 0)
    let bound = swpcap_packet_bind(socket, index)
    if bound < 0 {
      unsafe swpcap_ring_close(socket, &ring)
      throw -bound == ENODEV ? .noSuchInterface(target?.link.name ?? "any") : .system(errno: -bound, call: "bind")
    }
    _ = swpcap_socket_error(socket)  // ENETDOWN: it will come up
    let frames: FrameTarget = target.map { .one($0.point) } ?? .byIndex(resolve)
    let socket = socket
    let mapped = ring
    let usesRing = hasRing
    let thread = Thread(name: "swbpf-ring") {
      if usesRing {
        var loop = RingLoop(socket: socket, ring: mapped, control: control)
        loop.run(frames)
      } else {
        RingLoop.receive(socket: socket, control: control, target: frames)
      }
    }
    running = Running(
      ring: ring, control: control, thread: thread, target: UInt32(index), retire: Int64(retire) * 1_000_000)
  }

  /// The kernel filter when nothing is refused: none, or a test for the interfaces of the list. The lock is held.
  private func applyFilter() -> CInt {
    guard case .all(let only) = scope, !only.isEmpty else { return swpcap_packet_unfilter(socket) }
    var code = [swpcap_insn(code: 0x20, jt: 0, jf: 0, k: UInt32(bitPattern: -0x1000 + 8))]
    for (place, index) in only.enumerated() {
      code.append(swpcap_insn(code: 0x15, jt: UInt8(clamping: only.count - place), jf: 0, k: index))
    }
    code.append(swpcap_insn(code: 0x06, jt: 0, jf: 0, k: 0))
    code.append(swpcap_insn(code: 0x06, jt: 0, jf: 0, k: UInt32.max))
    return unsafe swpcap_packet_filter(socket, code, UInt16(code.count))
  }

  /// Stops the ring thread and closes the ring; the socket stays. Not under the lock: the thread may want it.
  private func end(_ old: Running) {
    _ = swpcap_packet_unbind(socket)
    old.control.stop.store(true, ordering: .releasing)
    old.control.signal()
    old.thread.join()
    lock.withLock {
      count()
      processedBefore += old.control.processed.load(ordering: .relaxed)
    }
    var ring = old.ring
    unsafe swpcap_ring_close(socket, &ring)
  }

  /// Stops for good. Interfaces hold their driver, so it lets them go, once the ring thread cannot tap them any more.
  func stop() {
    let old = lock.withLock {
      defer { running = nil }
      return running
    }
    if let old { end(old) }
    lock.withLock {
      interfaces = []
      target = nil
    }
  }

  private func stop(ifStill seen: UInt64) {
    let old: Running? = lock.withLock {
      guard version == seen else { return nil }
      defer { running = nil }
      return running
    }
    if let old { end(old) }
  }

  // MARK: Draining and counting

  /// Lets nothing more in, and waits until every frame that the kernel accepted has been tapped.
  func drain() {
    let control: RingControl? = lock.withLock {
      guard let running else { return nil }
      isRefusing = true
      version += 1
      let none = [swpcap_insn(code: 0x06, jt: 0, jf: 0, k: 0)]
      _ = unsafe swpcap_packet_filter(socket, none, 1)
      return running.control
    }
    if let control { settle(control) }
  }

  /// Waits until the frames that the kernel has counted are tapped; at most some retire times, for the kernel closes a
  /// block that is not full only then.
  func settle() {
    if let control = lock.withLock({ running?.control }) { settle(control) }
  }

  private func settle(_ control: RingControl) {
    let deadline = Clock.monotonic() + 250_000_000 + 4 * retireTime
    // Frames that were on their way through the kernel when the filter changed are counted within this time.
    usleep(1000)
    while Clock.monotonic() < deadline {
      let counts = statistics
      if counts.processed >= counts.accepted { return }
      usleep(500)
    }
  }

  /// Adds the kernel's counters, which it zeroes as they are read. The lock is held.
  private func count() {
    var raw = swpcap_packet_statistics()
    guard unsafe swpcap_packet_count(socket, hasRing ? 1 : 0, &raw) == 0 else { return }
    counted.accepted += UInt64(raw.packets &- raw.drops)
    counted.dropped += UInt64(raw.drops)
    counted.freezes += UInt64(raw.freezes)
  }

  var statistics: RingStatistics {
    lock.withLock {
      count()
      var result = counted
      result.processed = processedBefore + (running?.control.processed.load(ordering: .relaxed) ?? 0)
      return result
    }
  }
}
