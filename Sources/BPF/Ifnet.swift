// An interface and what its driver is asked for.
// Called by drivers (made, renamed, departed) and by descriptors (attach, promiscuous mode). Any thread.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

extension BPF {
  /// What a peer wants of the ring that it reads from; the most of all peers counts.
  package struct RingNeeds: Sendable, Equatable {
    /// It reads in immediate mode.
    package var immediate = false
    /// The ring holds at least as many bytes; 0: no matter.
    package var size = 0

    package init() {}

    mutating func add(_ other: RingNeeds) {
      immediate = immediate || other.immediate
      size = max(size, other.size)
    }
  }

  /// What the peers of an interface want of its driver; the driver may always let through more.
  package struct Demand: Sendable, Equatable {
    /// Attached peers.
    package var peers = 0
    /// Some peer wants frames that leave by the interface.
    package var sent = false
    /// Some peer wants frames that arrive.
    package var received = false
    /// What the peers want of the ring.
    package var ring = RingNeeds()
    /// The programs, with the directions in which they are wanted; nil when every frame has to be let through, because some
    /// peer's program may not go to the kernel.
    package var wishes: [Union.Wish]? = []
    /// Frames that the driver has already are judged by what is published next: none of them may have been cut for less.
    package var isSeamless = false

    package init() {}

    /// Adds one peer whose program stays here.
    mutating func add(_ seen: SeenWays, _ needs: RingNeeds) {
      peers += 1
      sent = sent || seen.seesSent
      received = received || seen.seesReceived
      ring.add(needs)
      wishes = nil
    }

    /// Adds one peer whose program may go to the kernel.
    /// - Parameter some: what it wants, and during a change also what it wanted before.
    mutating func add(_ some: [Union.Wish], _ needs: RingNeeds) {
      peers += 1
      sent = sent || some.contains(where: \.sent)
      received = received || some.contains(where: \.received)
      ring.add(needs)
      wishes?.append(contentsOf: some)
    }

    /// Adds what the peers of another interface want.
    package mutating func add(_ other: Demand) {
      peers += other.peers
      sent = sent || other.sent
      received = received || other.received
      ring.add(other.ring)
      if let more = other.wishes { wishes?.append(contentsOf: more) } else { wishes = nil }
    }
  }

  /// What feeds the tap points of an interface.
  ///
  /// The calls come under the interface's lock, on the thread of a request; they may make system calls.
  package protocol Driver: AnyObject, Sendable {
    /// Lets through at least what `demand` says, before the request that needs it is published. Does nothing when that is
    /// so already. Opens the driver for the first peer.
    func widen(_ interface: Ifnet, to demand: Demand) throws(Failure)
    /// From now on until ``release()`` nothing is narrowed. Also outside the interface's lock.
    /// - Parameters:
    ///   - sent: frames that leave by the interface are wanted.
    ///   - wishes: the programs that are wanted, with their directions; nil: every frame, whole.
    /// - Returns: whether what is wanted gets through already; if not, ``widen(_:to:)`` has to be asked.
    func holdOpen(sent: Bool, wishes: [Union.Wish]?) -> Bool
    /// What was wanted is published.
    func release()
    /// The peers want less. The driver narrows later, when things have been quiet.
    func mayNarrow(_ interface: Ifnet)
    /// Switches promiscuous mode, for the first reference and the last.
    func setPromiscuous(_ interface: Ifnet, _ on: Bool) throws(Failure)
    /// The longest time a frame waits in the driver before it is tapped, ns.
    var retireTime: Int64 { get }
    /// What the interface takes of frames that leave by it. Not under the interface's lock, as ``send(_:from:unseen:)``.
    func outputState(of interface: Ifnet) throws(Failure) -> OutputState
    /// Opens what sending needs, on the thread that attaches a device: sockets belong to the network namespace of the thread
    /// that opens them, and later the right to open them may be gone. What fails now fails again when a frame is sent.
    func prepareToSend()
    /// Sends one frame, link header first. With `unseen` the driver's own taps do not see it.
    func send(_ frame: [UInt8], from interface: Ifnet, unseen: Bool) throws(Failure)
  }
}

extension BPF {
  /// A network interface as the bpf layer sees it. (`struct ifnet`)
  public final class Ifnet: @unchecked Sendable {
    /// The system's number; stays when the interface is renamed.
    public let index: UInt32
    package let driver: any Driver

    let lock = Lock(rank: .interface)
    // Guarded by `lock`.
    private var currentName: String
    private var points: [Interface] = []
    private var promiscuous = 0
    private var gone = false

    package init(name: String, index: UInt32, driver: any Driver) {
      currentName = name
      self.index = index
      self.driver = driver
    }

    /// What takes the place of one that is no more.
    static func departed(name: String, index: UInt32) -> Ifnet {
      let ifnet = Ifnet(name: name, index: index, driver: NoDriver())
      ifnet.gone = true
      return ifnet
    }

    /// The name of now.
    public var name: String {
      get { lock.withLock { currentName } }
      set {
        lock.withLock {
          currentName = newValue
          for point in points { point.renamed(newValue) }
        }
      }
    }

    /// Whether the interface has departed.
    public var isGone: Bool { lock.withLock { gone } }

    /// ``isGone`` for a caller that holds the lock.
    var isDead: Bool {
      lock.assertHeld()
      return gone
    }

    /// Adds a tap point. (`bpfattach`) The first one is the interface's default.
    /// - Throws: EEXIST for a second one of a link type.
    @discardableResult
    package func attach(linkType: Int32, headerLength: UInt32) throws(Failure) -> Interface {
      let point = Interface(ifnet: self, linkType: linkType, headerLength: headerLength)
      return try lock.withLock { () throws(Failure) in
        if points.contains(where: { $0.linkType == linkType }) { throw .system(errno: 17, call: "bpfattach") }
        points.append(point)
        point.renamed(currentName)
        return point
      }
    }

    /// The tap point that BIOCSETIF picks; nil when there is none.
    public var defaultInterface: Interface? { lock.withLock { points.first } }

    /// The link types of the tap points, newest first. (BIOCGDLTLIST)
    public var linkTypes: [Int32] { lock.withLock { points.reversed().map(\.linkType) } }

    /// The tap point of a link type.
    func interface(ofType linkType: Int32) -> Interface? {
      lock.withLock { points.first { $0.linkType == linkType } }
    }

    /// Descriptors attached to any of the tap points. (BIOCGIFATTACHCOUNT)
    public var peerCount: Int { lock.withLock { points }.reduce(0) { $0 + $1.peerCount } }

    /// Every tap point; the lock is held.
    var allPoints: [Interface] {
      lock.assertHeld()
      return points
    }

    /// What all peers want together. For drivers, inside their calls or with ``withDemand(_:)``.
    package var demand: Demand {
      lock.assertHeld()
      var demand = Demand()
      for point in points { point.add(to: &demand) }
      return demand
    }

    /// Runs `body` with the demand of now, which cannot change meanwhile.
    package func withDemand<Result>(_ body: (Demand) -> Result) -> Result {
      lock.withLock { body(demand) }
    }

    /// The interface went away: its peers are detached and woken, its tap points are dead. (`bpfdetach`)
    /// The driver's threads may still be inside; what they tap reaches nobody.
    package func depart() {
      lock.withLock {
        gone = true
        promiscuous = 0
        for point in points { point.kill() }
      }
    }

    /// Takes or gives up one reference on promiscuous mode. (`ifpromisc`) The lock is held.
    func addPromiscuous(_ delta: Int) throws(Failure) {
      lock.assertHeld()
      if gone { return }
      let old = promiscuous
      if old == 0 && delta > 0 { try driver.setPromiscuous(self, true) }
      if old > 0 && old + delta == 0 { try? driver.setPromiscuous(self, false) }
      promiscuous = old + delta
    }

    /// References on promiscuous mode.
    package var promiscuousReferences: Int { lock.withLock { promiscuous } }
  }
}

/// The driver of an interface that is no more: nothing is asked of it that it could do.
private final class NoDriver: BPF.Driver {
  var retireTime: Int64 { 0 }
  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) { throw .departed }
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) { throw .departed }
  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState { throw .notAttached }
}
