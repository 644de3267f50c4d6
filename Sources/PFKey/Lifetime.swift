// Lifetimes of associations and policies. Values; any thread.

/// What a lifetime counts, as a limit or as what has been used. (`sadb_lifetime`)
package struct Lifetime: Hashable, Sendable {
  /// Packets. As a limit, 0 is none.
  package var allocations: UInt32
  /// Bytes before encryption. As a limit, 0 is none.
  package var bytes: UInt64
  /// As a limit, seconds from birth, 0 for none; else the time of birth, seconds since 1970.
  package var addTime: UInt64
  /// As a limit, seconds from the first use, 0 for none; else the time of the first use, 0 before it.
  package var useTime: UInt64

  package init(allocations: UInt32 = 0, bytes: UInt64 = 0, addTime: UInt64 = 0, useTime: UInt64 = 0) {
    self.allocations = allocations
    self.bytes = bytes
    self.addTime = addTime
    self.useTime = useTime
  }

  /// Whether `current` has reached this limit at `now`, seconds since 1970.
  package func isReached(by current: Lifetime, now: UInt64) -> Bool {
    (allocations != 0 && current.allocations >= allocations) || (bytes != 0 && current.bytes >= bytes)
      || (addTime != 0 && now >= current.addTime && now - current.addTime >= addTime)
      || (useTime != 0 && current.useTime != 0 && now >= current.useTime && now - current.useTime >= useTime)
  }

  package var isUnlimited: Bool { self == Lifetime() }
}
