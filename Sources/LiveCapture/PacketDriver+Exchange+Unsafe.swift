// Another ring in place of one that runs, without a frame lost, doubled or out of order.
// The control thread, in steps, so that it can do other things meanwhile; the ring thread joins (RingThread+Seam).
internal import CPcapShim
import Glibc
import SwBPFBPF
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// How a ring is made.
struct RingShape: Equatable, Sendable {
  var blockSize: UInt32
  var blocks: UInt32
  /// ms
  var retire: UInt32

  /// ns
  var retireTime: Int64 { Int64(retire) * 1_000_000 }

  /// Whether somebody waits for this one in place of another; else it only spares memory or wake-ups.
  func isUrgent(after old: RingShape) -> Bool {
    retire < old.retire || blockSize > old.blockSize
      || UInt64(blockSize) * UInt64(blocks) > UInt64(old.blockSize) * UInt64(old.blocks)
  }
}

/// While one is there, the kernel stamps frames once for all sockets.
final class Stamper: Sendable {
  private let socket: CInt

  init?() {
    socket = swpcap_stamper_open()
    if socket < 0 { return nil }
  }

  deinit { closeDescriptor(socket) }
}

/// Two rings of one driver: the second is opened and bound, then a seam is chosen, then the first is unbound and closed.
struct RingExchange {
  let shape: RingShape
  let control: RingControl
  /// A frame has one stamp in both rings.
  var stamper: Stamper?
  var ring = swpcap_ring()
  /// The second ring gets frames.
  var isBound = false
  /// Looks for stamps so far.
  var looks = 0
  /// Frames that the kernel has put into the second ring.
  var accepted: UInt64 = 0

  /// The longest time that a frame waits in the second ring, ns.
  static let longestWait: Int64 = 400_000_000
  /// The kernel may hold a stamped frame for that long before it shows it to sockets, ns: it sits in a processor's backlog.
  static let overlap: Int64 = 100_000_000
  static let step: Int64 = 5_000_000
}

extension PacketDriver {
  /// What the peers need. The lock is held.
  func shape(for demand: BPF.Demand) -> RingShape {
    let (size, count) = options.geometry(
      largestPacket: target?.link.largestPacket ?? 0, atLeast: demand.ring.size)
    let retire = UInt32(clamping: options.retire ?? (demand.ring.immediate ? 1 : 10))
    return RingShape(blockSize: size, blocks: count, retire: retire)
  }

  /// The sockets that get frames, or will when they are bound. The lock is held.
  var boundSockets: [CInt] { exchange?.isBound == true ? [socket, spare] : [socket] }

  /// Takes other options for rings that run, too.
  func setOptions(_ new: RingOptions) {
    lock.withLock {
      options = new
      refusedShape = nil
      version += 1
      if running != nil { scheduleNarrowing() }
    }
  }

  /// Has the ring suit the peers: soon when one waits for it, else when it has been so for a while. The lock is held.
  func suit(_ wanted: RingShape) {
    guard let running, hasRing, exchange == nil, wanted != running.shape, wanted != refusedShape else { return }
    if wanted.isUrgent(after: running.shape) {
      beginExchange(wanted)
    } else if !isCalming {
      isCalming = true
      work.schedule(after: options.calm) { [weak self] in self?.calmDown() }
    }
  }

  private func calmDown() {
    let ifnets = lock.withLock { interfaces }
    var demand = BPF.Demand()
    for ifnet in ifnets { ifnet.withDemand { demand.add($0) } }
    lock.withLock {
      isCalming = false
      guard let running, exchange == nil, demand.peers > 0 else { return }
      let wanted = shape(for: demand)
      if wanted != running.shape && wanted != refusedShape { beginExchange(wanted) }
    }
  }

  /// The lock is held.
  private func beginExchange(_ shape: RingShape) {
    guard let control = running?.control, let stamper = Stamper() else { return }
    control.willJoin()
    control.hasMoved.store(false, ordering: .relaxed)
    control.hasStamps.store(false, ordering: .relaxed)
    control.looksForStamps.store(true, ordering: .relaxed)
    exchange = RingExchange(shape: shape, control: control, stamper: stamper)
    later(after: RingExchange.step, control) { $0.awaitStamps(shape, control) }
  }

  /// Goes on when the ring has shown a frame with a stamp of its own, or none for a while.
  private func awaitStamps(_ shape: RingShape, _ control: RingControl) {
    let goesOn = lock.withLock {
      exchange?.looks += 1
      return control.hasStamps.load(ordering: .relaxed) || exchange?.looks ?? 0 >= 10
    }
    if !goesOn { return later(after: RingExchange.step, control) { $0.awaitStamps(shape, control) } }
    control.looksForStamps.store(false, ordering: .relaxed)
    openSecond(shape, control)
  }

  /// Runs `body` later, if the exchange still goes on.
  private func later(after delay: Int64, _ control: RingControl, _ body: @escaping @Sendable (PacketDriver) -> Void) {
    work.schedule(after: delay) { [weak self] in
      guard let self, goesOn(control) else { return }
      body(self)
    }
  }

  private func goesOn(_ control: RingControl) -> Bool { lock.withLock { exchange?.control === control } }

  private func openSecond(_ shape: RingShape, _ control: RingControl) {
    let fd = lock.withLock { spare }
    var ring = swpcap_ring()
    let opened = unsafe swpcap_ring_open(fd, shape.blockSize, shape.blocks, shape.retire, &ring)
    let goesOn = lock.withLock {
      guard let running, exchange?.control === control else { return false }
      let isBound =
        opened == 0 && prepare(second: fd) && swpcap_packet_bind(fd, Int32(running.target)) == 0
      if isBound {
        _ = swpcap_socket_error(fd)
        exchange?.ring = ring
        exchange?.isBound = true
        control.post(RingSeam(socket: fd, ring: ring))
      } else {
        refusedShape = shape
        exchange = nil
      }
      return isBound
    }
    if goesOn {
      later(after: RingExchange.overlap, control) { $0.endFirst(control) }
    } else {
      _ = swpcap_packet_unbind(fd)
      unsafe swpcap_ring_close(fd, &ring)
    }
  }

  /// The second socket lets through what the first does. The lock is held.
  private func prepare(second fd: CInt) -> Bool {
    var unread = swpcap_packet_statistics()
    _ = unsafe swpcap_packet_count(fd, 1, &unread)
    guard swpcap_packet_ignore_outgoing(fd, ignoresSent ? 1 : 0) == 0 else { return false }
    return apply(installed, to: fd) == 0
  }

  /// Feeds the first ring no more, and tells the ring thread how many frames it has.
  private func endFirst(_ control: RingControl) {
    guard control.hasJoined else {
      return later(after: RingExchange.overlap, control) { $0.endFirst(control) }
    }
    let fd = lock.withLock {
      exchange?.stamper = nil
      return socket
    }
    // After this no frame is on its way into it.
    _ = swpcap_packet_unbind(fd)
    lock.withLock {
      guard exchange?.control === control, let seam = control.lastSeam else { return }
      _ = countAccepted()
      var end = seam
      end.oldEnd = running?.accepted ?? 0
      end.newUntil = exchange?.accepted ?? 0
      control.post(end)
    }
    later(after: RingExchange.step, control) { $0.closeFirst(control) }
  }

  private func closeFirst(_ control: RingControl) {
    enum Outcome {
      case over
      case waits
      case closes(CInt, swpcap_ring)
    }
    let outcome: Outcome = lock.withLock {
      guard let exchange, exchange.control === control, let old = running else { return .over }
      guard control.hasMoved.load(ordering: .acquiring) else { return .waits }
      _ = countAccepted()
      running?.ring = exchange.ring
      running?.shape = exchange.shape
      running?.accepted = self.exchange?.accepted ?? 0
      swap(&socket, &spare)
      self.exchange = nil
      counted.exchanges += 1
      return .closes(spare, old.ring)
    }
    switch outcome {
    case .over: break
    case .waits: later(after: RingExchange.step, control) { $0.closeFirst(control) }
    case .closes(let fd, var ring):
      unsafe swpcap_ring_close(fd, &ring)
      // The peers may want another one by now.
      lock.withLock { if running != nil { scheduleNarrowing() } }
    }
  }
}
