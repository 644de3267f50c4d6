// What the packet path sees of a tap point: raw memory, no class, nothing that counts references.
//
//   Gate  ->  PeerList (immutable snapshot)  ->  PeerNode  ->  BufferState of the descriptor
//
// Lists and nodes are freed through the epoch; a gate lives as long as its tap point, a buffer state until its descriptor
// is closed and no tap can see it.
import SwBPFFilterMachine
import SwBPFKern
import Synchronization

/// The permanent part of a tap point that a driver holds. (the public head of `struct bpf_if`)
@safe package struct Gate: ~Copyable {
  /// The current list; never nil. The address of the empty list says that nobody listens.
  let peers: Atomic<UnsafeMutableRawPointer>
  let empty: UnsafeMutableRawPointer
  /// The peers' programs merged, a ``TapMerge``, or nil. It may be older than the list; see ``TapMerge``.
  let merge = unsafe Atomic<UnsafeMutableRawPointer?>(nil)

  init(empty: UnsafeMutablePointer<PeerList>) {
    unsafe self.empty = UnsafeMutableRawPointer(empty)
    unsafe peers = unsafe Atomic(UnsafeMutableRawPointer(empty))
  }
}

/// A driver's handle on a tap point: one address. Valid while the tap point is attached.
@safe package struct TapPoint: @unchecked Sendable {
  let gate: UnsafeMutablePointer<Gate>

  /// "Does anybody listen?": one acquire load, a hint. (`bpf_peers_present`)
  @inline(__always) package var hasPeers: Bool {
    // SAFETY: the tap point is permanent; the driver's threads leave before it goes.
    unsafe Step.point(.looksForPeers, gate)
    return unsafe gate.pointee.peers.load(ordering: .acquiring) != gate.pointee.empty
  }
}

/// An immutable list of peers, newest first; the nodes' addresses follow the header.
struct PeerList {
  var count: Int

  static func make(_ nodes: [UnsafeMutablePointer<PeerNode>]) -> UnsafeMutablePointer<PeerList> {
    let size = unsafe MemoryLayout<PeerList>.stride + nodes.count * MemoryLayout<UnsafeRawPointer>.stride
    let raw = unsafe UnsafeMutableRawPointer.allocate(
      byteCount: size, alignment: MemoryLayout<UnsafeRawPointer>.alignment)
    let list = unsafe raw.bindMemory(to: PeerList.self, capacity: 1)
    unsafe list.initialize(to: PeerList(count: nodes.count))
    let first = unsafe PeerList.nodes(of: list)
    for index in unsafe nodes.indices { unsafe (first + index).initialize(to: nodes[index]) }
    return unsafe list
  }

  @inline(__always)
  static func nodes(of list: UnsafeMutablePointer<PeerList>) -> UnsafeMutablePointer<UnsafeMutablePointer<PeerNode>> {
    // SAFETY: `make` allocated room for `count` addresses behind the header.
    unsafe UnsafeMutableRawPointer(list + 1).assumingMemoryBound(to: UnsafeMutablePointer<PeerNode>.self)
  }

  static func free(_ list: UnsafeMutablePointer<PeerList>) { unsafe UnsafeMutableRawPointer(list).deallocate() }
}

/// One descriptor's place at one tap point. Never used again after it was taken out.
@safe struct PeerNode: ~Copyable {
  // The first field: ThreadSanitizer takes a change of any part for one of the first byte, which a pass must then not read.
  /// What the driver lets through for this peer; while it changes, also what it let through before. Guarded by the interface's lock.
  var wishes: [Union.Wish] = []
  let buffers: UnsafeMutablePointer<BufferState>
  /// The read program, a ``TapProgram`` in memory of its own; nil accepts everything. Replaced while frames flow; old ones are freed through the epoch.
  let program: Atomic<UnsafeRawPointer?>
  /// Frames with an earlier wall-clock stamp (ns) are not this peer's; 0 once that no longer needs a look.
  let birth = Atomic<Int64>(0)
  /// When to stop looking whatever the stamps say (CLOCK_MONOTONIC, ns): the wall clock was set back.
  let birthExpires = Atomic<Int64>(0)
  /// Whether the descriptor is still attached through this node. Guarded by the buffer lock.
  var live = true
  /// Bytes of link header to take off for a record of link type LINUX_SLL2; negative: store frames as they are.
  let cookedFrom: Int32
  /// Bytes of the tap point's link header.
  let linkHeader: UInt32
  /// The interface, as OpenBSD's record header names it.
  let interfaceIndex: UInt16
  /// Records are a savefile's and hold frames as they are: the driver may write them.
  let isPlain: Bool
  /// The program may go to the kernel.
  let isPushed: Bool

  init(
    buffers: UnsafeMutablePointer<BufferState>, interface: BPF.Interface, cooked: Bool, isSavefile: Bool, isPushed: Bool
  ) {
    unsafe self.buffers = unsafe buffers
    linkHeader = interface.headerLength
    interfaceIndex = UInt16(truncatingIfNeeded: interface.index)
    cookedFrom = cooked ? Int32(linkHeader) : -1
    isPlain = isSavefile && !cooked
    self.isPushed = isPushed
    unsafe program = Atomic(nil)
  }
}
