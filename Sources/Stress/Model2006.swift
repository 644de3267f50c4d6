// The old design, as a model: the pointer that says "somebody listens" is the one that the last detach sets to nil.
// Nothing here touches real memory: what a pointer would have led to is looked up, with a tag that says whether it is still there.
import Synchronization

/// A driver's pointer to its tap point as it was before the tap point became permanent: set by the first peer that attaches,
/// nil after the last one, loaded twice by the packet path, once to test and once to use.
///
/// (`ifp->if_bpf` of FreeBSD up to 2006.)
/// - Threads: ``tap()`` from one or more packet paths, the rest from any.
package final class Model2006: Sendable {
  package struct Counts: Sendable, Equatable {
    package var taps: UInt64 = 0
    /// Times that the second load was nil: a panic.
    package var nilUses: UInt64 = 0
    /// Times that it led to a tap point that was freed.
    package var staleUses: UInt64 = 0

    package init(taps: UInt64, nilUses: UInt64, staleUses: UInt64) {
      (self.taps, self.nilUses, self.staleUses) = (taps, nilUses, staleUses)
    }
  }

  /// Who attaches and detaches, one at a time. (the tap point's mutex)
  private let busy = Atomic<Bool>(false)
  /// Guarded by `busy`.
  private let peers = Atomic<Int>(0)
  /// The tap point that exists now: its tag. A freed one's tag is smaller.
  private let living = Atomic<UInt64>(1)
  /// The driver's pointer: a tap point's tag, or 0 for nil.
  private let pointer = Atomic<UInt64>(0)
  private let taps = Atomic<UInt64>(0)
  private let nilUses = Atomic<UInt64>(0)
  private let staleUses = Atomic<UInt64>(0)

  package init() {}

  /// A peer attaches; the first one sets the driver's pointer. (`bpf_attachd`)
  package func attach() {
    locked {
      if peers.wrappingAdd(1, ordering: .relaxed).newValue == 1 {
        pointer.store(living.load(ordering: .relaxed), ordering: .releasing)
      }
    }
  }

  /// A peer detaches; the last one clears it. (`bpf_detachd`)
  package func detach() {
    locked {
      if peers.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { pointer.store(0, ordering: .releasing) }
    }
  }

  /// The interface goes: the tap point is freed, the driver's pointer still leads there. (`bpfdetach`)
  package func depart() { locked { living.wrappingAdd(1, ordering: .releasing) } }

  /// It is back: the peers of now are those of the new one.
  package func arrive() {
    locked {
      if peers.load(ordering: .relaxed) > 0 { pointer.store(living.load(ordering: .relaxed), ordering: .releasing) }
    }
  }

  /// One frame. (`BPF_MTAP`)
  /// - Parameter between: runs between the two loads; an interrupt, another processor.
  package func tap(between: () -> Void = {}) {
    taps.wrappingAdd(1, ordering: .relaxed)
    guard pointer.load(ordering: .acquiring) != 0 else { return }
    between()
    let used = pointer.load(ordering: .acquiring)
    if used == 0 {
      nilUses.wrappingAdd(1, ordering: .relaxed)
    } else if used != living.load(ordering: .acquiring) {
      staleUses.wrappingAdd(1, ordering: .relaxed)
    }
  }

  package var counts: Counts {
    Counts(
      taps: taps.load(ordering: .relaxed), nilUses: nilUses.load(ordering: .relaxed),
      staleUses: staleUses.load(ordering: .relaxed))
  }

  private func locked(_ body: () -> Void) {
    while busy.exchange(true, ordering: .acquiring) {}
    body()
    busy.store(false, ordering: .releasing)
  }
}
