// What the checks of locks and of per-CPU memory find. Made by LockDebug, read by whoever handles reports.

/// One finding. (`lockdebug_abort`)
package struct LockReport: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    // The registry of locks.
    case alreadyInitialized = "already initialized"
    case uninitialized = "uninitialized lock"
    case freedWithLock = "allocation contains active lock"
    case destroyedWhileHeld = "is locked or in use"
    // Taking and giving back.
    case lockingAgainstMyself = "locking against myself"
    case notHeld = "lock is not held by this thread"
    case wrongOrder = "lock order"
    case heldInEpoch = "lock taken inside an epoch section"
    case heldOnExit = "held on exit"
    case epochOnExit = "epoch section not left on exit"
    // Sleeping.
    case sleepInEpoch = "sleep inside an epoch section"
    case sleepWhilePinned = "sleep with a percpu reference"
    case sleepInTraversal = "sleep inside percpu_foreach"
    case sleepWithLock = "sleep with a lock of the packet path"
    // Per-CPU memory.
    case slotAfterSleep = "percpu slot used after sleep and enlarge"
    case unbalanced = "percpu_getref and percpu_putref do not match"
    case allocationInTraversal = "percpu allocation inside percpu_foreach"
    case nestedConstructor = "percpu_create with a constructor inside a constructor"
    case wrongSize = "percpu_free with another size"
  }

  package let kind: Kind
  /// The lock or the memory; 0 where there is none.
  package let address: UInt
  /// What happened, in words.
  package let text: String
}
