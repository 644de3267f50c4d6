// The packet driver: one packet socket and its ring, as the driver of one Ifnet or (unbound) of all.
// Requests come from descriptors and the engine; the ring thread runs apart.
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

func closeDescriptor(_ descriptor: CInt) { close(descriptor) }

/// Opens, feeds and closes one ring. (the driver of an AF_PACKET interface)
///
/// The sockets are made at once, with protocol 0: from then on no capability is needed. Version, ring and direction are set
/// before one is bound, so no foreign and no unwanted frame gets in first. The second socket is for another ring, when the
/// peers want one of another shape (`PacketDriver+Exchange`).
final class PacketDriver: BPF.Driver, @unchecked Sendable {
  enum Scope: Equatable {
    case one
    /// Unbound: the frames of every interface, or of those whose index is in the list.
    case all(only: [UInt32])
  }

  struct Running {
    var ring: swpcap_ring
    let control: RingControl
    let thread: Thread
    let target: UInt32
    var shape: RingShape
    /// Frames that the kernel has put into the ring.
    var accepted: UInt64 = 0
  }

  let scope: Scope
  /// For requests that any socket serves, and for promiscuous mode.
  let base: CInt
  let work: DelayedWork
  let lock = Lock(rank: .driver)
  private let notices: @Sendable (String) -> Void
  let isCooked: Bool
  /// Bytes that the kernel grants to a socket's filter.
  let filterMemory: Int
  // Guarded by `lock`.
  private var output: CInt = -1
  /// The ring's socket, and the one that a ring that follows is made with.
  var socket: CInt
  var spare: CInt
  var options: RingOptions
  var running: Running?
  var exchange: RingExchange?
  /// A shape that memory did not suffice for.
  var refusedShape: RingShape?
  /// A look at a ring that may be larger or faster than it need be is on its way.
  var isCalming = false
  private var isStopped = false
  var interfaces: [BPF.Ifnet] = []
  var ignoresSent = false {
    // A frame of lo is tapped once, as received: there nothing is missing.
    didSet { if ignoresSent && !isLoopback { counted.isNarrowed = true } }
  }
  /// What the socket's filter lets through; nil: nothing.
  var installed: Union?
  /// Up to this frame, counted as ``processed`` counts them, the ring's may be cut for less than the peers want.
  var cutUntil: UInt64 = 0
  /// A narrowing is on its way to the control thread.
  var isNarrowing = false
  /// Requests that want more let through and have not published it yet: nothing is narrowed meanwhile.
  var holds = 0
  var version: UInt64 = 0
  var counted = RingStatistics()
  private var processedBefore: UInt64 = 0
  private var skippedBefore: UInt64 = 0
  private(set) var hasRing = true
  private var resolve: @Sendable (UInt32, UInt16) -> KnownInterface? = { _, _ in nil }
  /// What a bound driver feeds; the interface is kept while the ring thread may tap it.
  private(set) var target: (link: Link, ifnet: BPF.Ifnet, point: TapPoint)?

  /// - Throws: EPERM without CAP_NET_RAW.
  init(
    scope: Scope, cooked: Bool, options: RingOptions, work: DelayedWork,
    notices: @escaping @Sendable (String) -> Void
  ) throws(BPF.Failure) {
    let descriptor = swpcap_packet_socket(cooked ? 1 : 0)
    guard descriptor >= 0 else { throw .system(errno: -descriptor, call: "socket(AF_PACKET)") }
    let second = swpcap_packet_socket(cooked ? 1 : 0)
    guard second >= 0 else {
      close(descriptor)
      throw .system(errno: -second, call: "socket(AF_PACKET)")
    }
    base = descriptor
    socket = descriptor
    spare = second
    self.scope = scope
    isCooked = cooked
    filterMemory = Int(clamping: swpcap_filter_memory())
    self.options = options
    self.work = work
    self.notices = notices
  }

  deinit {
    stop()
    close(socket)
    close(spare)
    if output >= 0 { close(output) }
  }

  /// Names the interface that a bound driver feeds; a running ring moves to it.
  func serve(_ link: Link, _ ifnet: BPF.Ifnet, _ point: TapPoint) {
    let old = lock.withLock {
      let before = target
      target = (link, ifnet, point)
      interfaces = [ifnet]
      return (takeRunning(), before)
    }
    // The interface of before goes when its ring thread has.
    withExtendedLifetime(old.1) { if let ended = old.0 { end(ended) } }
  }

  /// What is known of the interface now: its super-packets may have become too large for the ring's blocks.
  func changed(_ link: Link) {
    lock.withLock {
      guard let old = target, old.link.index == link.index else { return }
      target?.link = link
      if old.link.largestPacket != link.largestPacket, running != nil { scheduleNarrowing() }
    }
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

  /// While two rings are read, frames of the second wait for the first.
  var retireTime: Int64 {
    lock.withLock { exchange == nil ? running?.shape.retireTime ?? 10_000_000 : RingExchange.longestWait }
  }

  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {
    try check(swpcap_packet_promiscuous(base, Int32(interface.index), on ? 1 : 0), "PACKET_ADD_MEMBERSHIP")
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

  var isLoopback: Bool { target?.link.isLoopback ?? false }

  func check(_ result: CInt, _ call: String) throws(BPF.Failure) {
    if result < 0 { throw .system(errno: -result, call: call) }
  }

  // MARK: The ring's life

  /// Ring, then direction and filter, then bind. The lock is held.
  func start(_ demand: BPF.Demand) throws(BPF.Failure) {
    // Who kept a tap point of an engine that is closed.
    if isStopped { throw .departed }
    let shape = self.shape(for: demand)
    let control = RingControl()
    try check(control.wake, "eventfd")
    var ring = swpcap_ring()
    if hasRing {
      let opened = unsafe swpcap_ring_open(socket, shape.blockSize, shape.blocks, shape.retire, &ring)
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
    try check(install(union(for: demand)), "SO_ATTACH_FILTER")
    cutUntil = 0
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
    let thread: Thread
    do throws(Thread.Shortage) {
      thread = try Thread(starting: "swbpf-ring") {
        if usesRing {
          var loop = RingLoop(socket: socket, ring: mapped, control: control)
          loop.run(frames)
        } else {
          RingLoop.receive(socket: socket, control: control, target: frames)
        }
      }
    } catch {
      _ = swpcap_packet_unbind(socket)
      unsafe swpcap_ring_close(socket, &ring)
      throw .system(errno: error.errno, call: "pthread_create")
    }
    running = Running(
      ring: ring, control: control, thread: thread, target: UInt32(index), shape: shape)
  }

  /// A ring that is to end, with its exchange.
  struct Ended {
    var running: Running
    var exchange: RingExchange?
    let socket: CInt
    let spare: CInt
  }

  /// Takes the ring for ``end(_:)``. The lock is held.
  private func takeRunning() -> Ended? {
    guard let running else { return nil }
    defer {
      self.running = nil
      exchange = nil
    }
    return Ended(running: running, exchange: exchange, socket: socket, spare: spare)
  }

  /// Stops the ring thread and closes the ring; the socket stays. Not under the lock: the thread may want it.
  private func end(_ old: Ended) {
    let control = old.running.control
    _ = swpcap_packet_unbind(old.socket)
    if old.exchange?.isBound == true { _ = swpcap_packet_unbind(old.spare) }
    control.stop.store(true, ordering: .releasing)
    control.signal()
    old.running.thread.join()
    lock.withLock {
      if old.exchange?.isBound == true {
        _ = countBoth(control, old.socket, old.spare)
      } else {
        _ = count(old.socket)
      }
      processedBefore += control.processed.load(ordering: .relaxed)
      skippedBefore += control.skipped.load(ordering: .relaxed)
      counted.longestPass = max(counted.longestPass, control.longestPass.load(ordering: .relaxed))
    }
    var ring = old.running.ring
    unsafe swpcap_ring_close(old.socket, &ring)
    if var exchange = old.exchange, exchange.isBound { unsafe swpcap_ring_close(old.spare, &exchange.ring) }
  }

  /// Stops for good. Interfaces hold their driver, so it lets them go, once the ring thread cannot tap them any more.
  func stop() {
    let old = lock.withLock {
      isStopped = true
      return takeRunning()
    }
    if let old { end(old) }
    lock.withLock {
      interfaces = []
      target = nil
    }
  }

  func stop(ifStill seen: UInt64) {
    let old: Ended? = lock.withLock { version == seen ? takeRunning() : nil }
    if let old { end(old) }
  }

  // MARK: Draining and counting

  /// Lets nothing more in, and waits until every frame that the kernel accepted has been tapped.
  func drain() {
    let control: RingControl? = lock.withLock {
      guard let running else { return nil }
      installed = nil
      version += 1
      for each in boundSockets { _ = apply(nil, to: each) }
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
      let missing = lock.withLock { () -> Bool in
        let accepted = countAccepted()
        return taken < accepted
      }
      if !missing { return }
      usleep(500)
    }
  }

  /// Adds the kernel's counters of a socket, which it zeroes as they are read. The lock is held.
  /// - Parameter counts: false: what it drops is not missing, because the other ring of an exchange is to deliver it.
  func count(_ socket: CInt, losses counts: Bool = true) -> UInt64 {
    var raw = swpcap_packet_statistics()
    guard unsafe swpcap_packet_count(socket, hasRing ? 1 : 0, &raw) == 0 else { return 0 }
    let accepted = UInt64(raw.packets &- raw.drops)
    counted.accepted += accepted
    if counts {
      counted.dropped += UInt64(raw.drops)
      counted.freezes += UInt64(raw.freezes)
    }
    return accepted
  }

  /// The same for both rings of an exchange. Returns what each has got.
  private func countBoth(_ control: RingControl, _ old: CInt, _ new: CInt) -> (old: UInt64, new: UInt64) {
    let hasSeam = control.hasJoined
    let then = control.takeSeamCounts()
    counted.accepted += then.oldAccepted + then.newAccepted
    counted.dropped += then.oldDropped
    counted.freezes += then.oldFreezes
    return (
      count(old, losses: !hasSeam) + then.oldAccepted, count(new, losses: hasSeam) + then.newAccepted
    )
  }

  /// Frames that the kernel has put into rings, also those that both rings of an exchange have. The lock is held.
  func countAccepted() -> UInt64 {
    if let exchange, exchange.isBound {
      let (old, new) = countBoth(exchange.control, socket, spare)
      running?.accepted += old
      self.exchange?.accepted += new
    } else {
      let accepted = count(socket)
      running?.accepted += accepted
    }
    return counted.accepted
  }

  /// Frames tapped. The lock is held.
  private var processed: UInt64 { processedBefore + (running?.control.processed.load(ordering: .acquiring) ?? 0) }

  /// Frames that the other ring of an exchange delivers. The lock is held.
  var skipped: UInt64 { skippedBefore + (running?.control.skipped.load(ordering: .acquiring) ?? 0) }

  /// Frames that were taken out of rings, as ``countAccepted()`` counts them. The lock is held.
  var taken: UInt64 { processed + skipped }

  var statistics: RingStatistics {
    lock.withLock {
      _ = countAccepted()
      var result = counted
      // Not below what is known to have been counted: a block is taken before its frames are.
      result.accepted -= min(result.accepted, skipped)
      result.processed = processed
      result.longestPass = max(result.longestPass, running?.control.longestPass.load(ordering: .relaxed) ?? 0)
      return result
    }
  }
}
