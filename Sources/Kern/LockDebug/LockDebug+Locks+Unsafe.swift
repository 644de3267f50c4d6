// The places at which a lock tells LockDebug what is done to it. Each is to be called only while LockDebug is on.
import Glibc

extension LockDebug {
  private static var registry: LockRegistry { .shared }

  /// How many locks there are.
  package static var lockCount: Int { registry.count }

  /// A lock begins at an address. (`lockdebug_alloc`)
  @inline(never) package static func initialized(_ lock: UnsafeRawPointer, rank: LockRank) {
    let address = UInt(bitPattern: lock)
    if !registry.insert(address, rank: rank) { report(.alreadyInitialized, address, "rank \(rank)") }
  }

  /// A lock ends. (`lockdebug_free`)
  @inline(never) package static func destroyed(_ lock: UnsafeRawPointer) {
    let address = UInt(bitPattern: lock)
    guard let entry = registry.remove(address) else { return report(.uninitialized, address, "destroyed") }
    guard entry.owner != 0 else { return }
    let thread = unsafe ThreadRecord.current
    if unsafe entry.owner == thread.pointee.identity {
      unsafe thread.pointee.held.removeAll { $0.address == address }
    }
    report(.destroyedWhileHeld, address, "rank \(entry.rank)")
  }

  /// This thread is about to take a lock. (`lockdebug_wantlock`)
  @inline(never) package static func wants(_ lock: UnsafeRawPointer, rank: LockRank) {
    let address = UInt(bitPattern: lock)
    let thread = unsafe ThreadRecord.current
    guard let entry = registry.find(address) else { return report(.uninitialized, address, "rank \(rank)") }
    // SAFETY: a thread's record is its own and lives as long as it does. The same below.
    if unsafe entry.owner == thread.pointee.identity { return report(.lockingAgainstMyself, address, "rank \(rank)") }
    if let held = unsafe thread.pointee.held.last(where: { $0.rank.rawValue >= rank.rawValue }) {
      return report(.wrongOrder, address, "rank \(rank) taken while holding rank \(held.rank)")
    }
    if unsafe thread.pointee.epochDepth > 0 && rank != .buffer { report(.heldInEpoch, address, "rank \(rank)") }
  }

  /// This thread has got it. (`lockdebug_locked`)
  @inline(never) package static func acquired(_ lock: UnsafeRawPointer, rank: LockRank) {
    let address = UInt(bitPattern: lock)
    let thread = unsafe ThreadRecord.current
    unsafe thread.pointee.held.append(ThreadRecord.Held(address: address, rank: rank))
    registry.setOwner(unsafe thread.pointee.identity, of: address)
  }

  /// This thread is about to give it back. (`lockdebug_unlocked`)
  @inline(never) @usableFromInline package static func releasing(_ lock: UnsafeRawPointer) {
    let address = UInt(bitPattern: lock)
    let thread = unsafe ThreadRecord.current
    guard let index = unsafe thread.pointee.held.lastIndex(where: { $0.address == address }) else {
      return report(registry.find(address) == nil ? .uninitialized : .notHeld, address)
    }
    unsafe thread.pointee.held.remove(at: index)
    registry.setOwner(0, of: address)
  }

  /// This thread should hold a lock. (`KASSERT(mutex_owned())`)
  @inline(never) package static func assertHeld(_ lock: UnsafeRawPointer) {
    let address = UInt(bitPattern: lock)
    let thread = unsafe ThreadRecord.current
    if unsafe !thread.pointee.held.contains(where: { $0.address == address }) { report(.notHeld, address) }
  }

  /// Memory is about to be given back: no lock may lie in it. (`LOCKDEBUG_MEM_CHECK`)
  @inline(never) package static func freeing(_ memory: UnsafeRawPointer, count: Int) {
    guard isOn, count > 0 else { return }
    let start = UInt(bitPattern: memory)
    if let entry = registry.first(in: start..<start + UInt(count)) {
      report(.freedWithLock, entry.address, "rank \(entry.rank)")
    }
  }
}
