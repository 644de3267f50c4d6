// A tap point: permanent, with an immutable list of peers behind one atomic pointer.
// Attach and detach come from any thread; the packet path only loads the pointer (Pass+Unsafe.swift).
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

extension BPF {
  /// One tap point of an interface: an (interface, link type) pair. (`struct bpf_if`)
  ///
  /// It is there from the moment the interface is until the interface departs, whatever the peers do, so the packet path
  /// never tests it for nil. Lists of peers are replaced as a whole and freed through the epoch.
  /// - Threads: any.
  @safe public final class Interface: @unchecked Sendable {
    /// The interface that owns the tap point; it keeps this object, and not the other way round.
    private weak var owner: Ifnet?
    /// DLT_ number of the frames.
    public let linkType: Int32
    /// Bytes of link header before the network header. (`bif_hdrlen`)
    package let headerLength: UInt32
    let point: TapPoint

    let lock = Lock(rank: .peers)
    // Guarded by `lock`.
    private(set) var nodes: [UnsafeMutablePointer<PeerNode>] = unsafe []
    /// Descriptors that only write: taps do not see them. (`bif_wlist`)
    private var writers: [UnsafeMutablePointer<PeerNode>] = unsafe []
    private var trackers: [(id: Int, body: @Sendable (Bool) -> Void)] = []
    private var lastTracker = 0
    private var dead = false
    /// The owner's, for when it is no more.
    private var lastName = ""
    let index: UInt32
    var mergeState = MergeState()

    /// The list of an interface that nobody listens to; never freed.
    nonisolated(unsafe) private static let emptyList = unsafe PeerList.make([])

    init(ifnet: Ifnet, linkType: Int32, headerLength: UInt32) {
      owner = ifnet
      index = ifnet.index
      self.linkType = linkType
      self.headerLength = headerLength
      // SAFETY: freed in deinit, when no driver can hold the point any more.
      let gate = UnsafeMutablePointer<Gate>.allocate(capacity: 1)
      unsafe gate.initialize(to: Gate(empty: Interface.emptyList))
      point = unsafe TapPoint(gate: gate)
    }

    deinit {
      // SAFETY: a driver keeps the Ifnet, and with it this object, alive while its threads run; taps that are inside an
      // epoch hold lists and nodes, which are freed through it.
      unsafe TapMerge.retire(point.gate.pointee.merge.load(ordering: .relaxed))
      unsafe point.gate.deinitialize(count: 1)
      unsafe point.gate.deallocate()
    }

    /// The interface of the tap point. Whoever keeps a tap point for longer than its interface lives gets a departed one without
    /// tap points in its place: it has the name and the index, and attaching fails with ENXIO.
    public var ifnet: Ifnet { owner ?? .departed(name: lock.withLock { lastName }, index: index) }

    /// The interface has another name.
    func renamed(_ name: String) { lock.withLock { lastName = name } }

    /// What drivers hold: valid as long as this object.
    package var pointOfDriver: TapPoint { point }

    /// Whether a descriptor is attached: one load. (`bpf_peers_present`)
    public var hasPeers: Bool { point.hasPeers }

    /// Descriptors attached, writers too. (BIOCGIFATTACHCOUNT)
    public var peerCount: Int { lock.withLock { unsafe nodes.count + writers.count } }

    /// Puts a node at the head of the list of readers, or of those that only write. The interface is locked and not gone.
    func insert(_ node: UnsafeMutablePointer<PeerNode>, writer: Bool = false) {
      lock.withLock {
        precondition(!dead, "attached to an interface that is gone")
        if writer { return unsafe writers.insert(node, at: 0) }
        unsafe nodes.insert(node, at: 0)
        publish()
      }
      if !writer { tell(attached: true) }
    }

    /// Makes a reader of one that only wrote, unless the interface is gone. (`bpf_upgraded`)
    func upgrade(_ node: UnsafeMutablePointer<PeerNode>) {
      let isReader = lock.withLock {
        guard let index = unsafe writers.firstIndex(of: node) else { return false }
        unsafe writers.remove(at: index)
        unsafe nodes.insert(node, at: 0)
        publish()
        return true
      }
      if isReader { tell(attached: true) }
    }

    // MARK: Trackers

    /// Calls `body` with true after each reader that attaches and with false after each that leaves; not for descriptors
    /// that only write. (`bpf_track`)
    ///
    /// It is called on the thread of the request, with the interface locked, so it must not ask for anything here.
    /// - Returns: what ``untrack(_:)`` takes.
    public func track(_ body: @escaping @Sendable (_ attached: Bool) -> Void) -> Int {
      lock.withLock {
        lastTracker += 1
        trackers.append((lastTracker, body))
        return lastTracker
      }
    }

    /// Ends the calls.
    public func untrack(_ tracker: Int) { lock.withLock { trackers.removeAll { $0.id == tracker } } }

    private func tell(attached: Bool) {
      for tracker in lock.withLock({ trackers }) { tracker.body(attached) }
    }

    /// Takes a node out, unless the interface departed and did so already. Node and old list are freed when no tap sees them;
    /// the caller has no node any more.
    func remove(_ node: UnsafeMutablePointer<PeerNode>) {
      let wasReader = lock.withLock {
        if let index = unsafe writers.firstIndex(of: node) {
          unsafe writers.remove(at: index)
          unsafe Interface.end(node, departed: false)
        }
        guard let index = unsafe nodes.firstIndex(of: node) else { return false }
        unsafe nodes.remove(at: index)
        publish()
        unsafe Interface.end(node, departed: false)
        return true
      }
      if wasReader { tell(attached: false) }
      nonisolated(unsafe) let raw = unsafe node
      Epoch.shared.retire {
        unsafe Step.free(raw) {
          unsafe raw.deinitialize(count: 1)
          unsafe raw.deallocate()
        }
        return true
      }
    }

    /// Detaches every peer, for good; the nodes stay their descriptors', which free them by ``remove(_:)``. (`bpfdetach`)
    func kill() {
      let readers = lock.withLock {
        dead = true
        let old = unsafe nodes + writers
        let readers = unsafe nodes.count
        unsafe nodes = []
        unsafe writers = []
        publish()
        for index in unsafe old.indices { unsafe Interface.end(old[index], departed: true) }
        return readers
      }
      for _ in 0..<readers { tell(attached: false) }
    }

    /// Replaces the list that taps see.
    private func publish() {
      lock.assertHeld()
      let list = unsafe nodes.isEmpty ? Interface.emptyList : PeerList.make(nodes)
      mergeSoon()
      if Step.has(.retiresBeforeSwapping) {
        unsafe Interface.retire(point.gate.pointee.peers.load(ordering: .relaxed))
      }
      // SAFETY: the old list is out of reach after the exchange and freed after the epoch.
      unsafe Step.point(.swapsList, point.gate)
      let old = unsafe point.gate.pointee.peers.exchange(
        UnsafeMutableRawPointer(list), ordering: .sequentiallyConsistent)
      if !Step.has(.retiresBeforeSwapping) { unsafe Interface.retire(old) }
    }

    /// Frees a list that taps no longer find.
    private static func retire(_ list: UnsafeMutableRawPointer) {
      guard unsafe list != UnsafeMutableRawPointer(emptyList) else { return }
      nonisolated(unsafe) let raw = unsafe list
      Epoch.shared.retire {
        unsafe Step.free(raw) { unsafe raw.deallocate() }
        return true
      }
    }

    /// Ends a node that is out of the list: what it would still append is not its descriptor's.
    private static func end(_ node: UnsafeMutablePointer<PeerNode>, departed: Bool) {
      // SAFETY: the node's buffer state lives until its descriptor has retired it, which comes after this.
      let state = unsafe node.pointee.buffers
      unsafe state.pointee.lock.lock()
      unsafe node.pointee.live = false
      // In this order: who reads in another process sees the reason first.
      if departed { unsafe state.pointee.slots.departed = true }
      unsafe state.pointee.slots.attachments -= 1
      if !(departed && Step.has(.departsSilently)) { unsafe BufferState.wakeHeld(state) }
      unsafe state.pointee.lock.unlock()
    }

    /// Adds what the peers want; the interface's lock is held.
    func add(to demand: inout Demand) {
      lock.withLock {
        for index in unsafe nodes.indices {
          let node = unsafe nodes[index]
          let state = unsafe node.pointee.buffers
          unsafe state.pointee.lock.lock()
          let needs = unsafe state.pointee.slots.needs
          unsafe state.pointee.lock.unlock()
          if unsafe node.pointee.isPushed {
            unsafe demand.add(node.pointee.wishes, needs)
          } else {
            unsafe Step.point(.loadsDirection, state)
            let seen = unsafe SeenWays(rawValue: state.pointee.direction.load(ordering: .relaxed))
            demand.add(seen, needs)
          }
        }
      }
    }
  }
}
