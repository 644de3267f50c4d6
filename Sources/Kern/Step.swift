// Step: marks where the lockless algorithms touch what threads share, so that `make explore` can run them in every order.
// Called by locks, the epoch and the tap. Only builds with SWBPF_EXPLORE have anything behind these names; in all others the
// functions are empty and every call of them vanishes.

/// One access to shared memory is about to happen.
public enum Step {
  /// What is about to happen; the names are those of printed traces.
  public enum Place: UInt8, Sendable {
    case begins
    // Locks and waiting.
    case takesLock, waits, wakes, awaitsEvent, tellsEvent
    // The epoch.
    case loadsClock, enters, leaves, ticks, looksAtReader
    // A tap point and its peers.
    case looksForPeers, loadsList, swapsList
    case loadsProgram, swapsProgram
    case loadsMerge, swapsMerge
    case loadsBirth, stampsBirth, endsBirth, loadsBirthEnd, stampsBirthEnd
    case loadsDirection, storesDirection
    case loadsGeneration, changesGeneration
    case loadsWatched, storesWatched
    case loadsEvent, storesEvent
    // Memory that goes through the epoch.
    case usesList, usesNode, usesProgram, usesMerge, usesBuffers, frees
    // What tests model with the same means.
    case modelLoads, modelStores
  }

  /// Mistakes that explorations put into the real code, one at a time, to show that they find them.
  public enum Fault: UInt8, Sendable, CaseIterable {
    /// The list is loaded before the epoch is entered.
    case loadsBeforeEntering
    /// What is retired is freed without a look at the readers.
    case freesWithoutWaiting
    /// The clock ticks, and old things are freed, before the list is exchanged.
    case retiresBeforeSwapping
    /// Readers are woken before the records are there.
    case wakesBeforeAppending
    /// A program is published before the driver lets through what it wants.
    case publishesBeforeWidening
    /// Appends also for a descriptor that has been detached meanwhile.
    case appendsAfterDetach
    /// Appends also what was judged before a flush.
    case appendsAfterFlush
    /// A wake-up outside the epoch does not hold the buffer state.
    case forgetsPin
    /// The departure of an interface wakes nobody.
    case departsSilently
    /// The old program is freed by whoever replaced it, at once.
    case freesProgramAtOnce
  }
}

#if SWBPF_EXPLORE
  /// Who decides which thread goes on.
  package protocol StepScheduler: AnyObject, Sendable {
    /// Returns when the calling thread may make the access. Other threads than those explored return at once.
    func step(_ place: Step.Place, _ address: UInt)
    func lock(_ mutex: UInt, _ rank: LockRank)
    func unlock(_ mutex: UInt)
    /// Waits like a condition; false for threads that are not explored.
    func wait(_ condition: UInt, _ mutex: UInt, unlock: () -> Void, lock: () -> Void) -> Bool
    func broadcast(_ condition: UInt)
    /// Waits until an eventfd is readable; false for threads that are not explored.
    func awaitEvent(_ descriptor: Int32) -> Bool
    /// Marks memory as freed, and frees it when the exploration of this order has ended.
    func free(_ address: UInt, _ body: @escaping () -> Void)
  }

  extension Step {
    /// Set between explorations only.
    nonisolated(unsafe) package static var scheduler: (any StepScheduler)?
    nonisolated(unsafe) package static var fault: Fault?

    /// No thread of our own runs beside the explored ones.
    package static var isExplored: Bool { true }
    package static func has(_ fault: Fault) -> Bool { unsafe self.fault == fault }

    package static func point(_ place: Place) { unsafe scheduler?.step(place, 1) }
    package static func point(_ place: Place, _ address: UnsafeRawPointer) {
      unsafe scheduler?.step(place, UInt(bitPattern: address))
    }
    package static func point(_ place: Place, _ descriptor: Int32) { unsafe scheduler?.step(place, UInt(descriptor)) }

    package static func free(_ address: UnsafeRawPointer, _ body: @escaping () -> Void) {
      guard let scheduler = unsafe scheduler else { return body() }
      scheduler.free(UInt(bitPattern: address), body)
    }

    @usableFromInline
    package static func lock(_ mutex: UnsafeRawPointer, _ rank: LockRank) {
      unsafe scheduler?.lock(UInt(bitPattern: mutex), rank)
    }
    @usableFromInline
    package static func unlock(_ mutex: UnsafeRawPointer) { unsafe scheduler?.unlock(UInt(bitPattern: mutex)) }
    package static func wait(
      _ condition: UnsafeRawPointer, _ mutex: UnsafeRawPointer, unlock: () -> Void, lock: () -> Void
    ) -> Bool {
      unsafe scheduler?.wait(UInt(bitPattern: condition), UInt(bitPattern: mutex), unlock: unlock, lock: lock) ?? false
    }
    package static func broadcast(_ condition: UnsafeRawPointer) {
      unsafe scheduler?.broadcast(UInt(bitPattern: condition))
    }
    package static func awaitEvent(_ descriptor: Int32) -> Bool { unsafe scheduler?.awaitEvent(descriptor) ?? false }
  }
#else
  extension Step {
    // Public, because only that is inlined in other modules. Those that answer are not transparent: the compiler would call
    // the code behind them unreachable.
    @inlinable @inline(__always) public static var isExplored: Bool { false }
    @inlinable @inline(__always) public static func has(_ fault: Fault) -> Bool { false }
    @inline(__always) static func awaitEvent(_ descriptor: Int32) -> Bool { false }

    // Gone already in debug builds.
    @_transparent public static func point(_ place: Place) {}
    @_transparent public static func point(_ place: Place, _ address: UnsafeRawPointer) {}
    @_transparent public static func point(_ place: Place, _ descriptor: Int32) {}
    @_transparent public static func free(_ address: UnsafeRawPointer, _ body: () -> Void) { body() }
    @_transparent @usableFromInline static func lock(_ mutex: UnsafeRawPointer, _ rank: LockRank) {}
    @_transparent @usableFromInline static func unlock(_ mutex: UnsafeRawPointer) {}
    @_transparent static func broadcast(_ condition: UnsafeRawPointer) {}
  }
#endif
