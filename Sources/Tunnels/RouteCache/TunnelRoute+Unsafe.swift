// What a route cache keeps in per-CPU memory: pointers, and nothing else.
import SwBPFKern
import SwBPFPackets

/// One CPU's cached route and the lock that guards it, wherever they lie. (`struct tunnel_ro`)
///
/// A lock or a route by value in per-CPU memory would be moved by memcpy when the memory grows: the lock away from the address
/// that it is known by, the route from under whoever uses it.
@safe struct TunnelRoute: PerCPUPointers, @unchecked Sendable {
  private let route: UnsafeMutablePointer<CachedRoute>
  private let lock: UnsafeMutablePointer<Lock>

  init() {
    // SAFETY: initialised here, freed by ``free()``; never moved.
    unsafe route = .allocate(capacity: 1)
    unsafe route.initialize(to: CachedRoute())
    unsafe lock = .allocate(capacity: 1)
    unsafe lock.initialize(to: Lock(rank: .route))
  }

  /// Nobody uses either any more.
  func free() {
    unsafe lock.deinitialize(count: 1)
    unsafe lock.deallocate()
    unsafe route.deinitialize(count: 1)
    unsafe route.deallocate()
  }

  /// ``CachedRoute/hit(_:from:_:)``, without the lock.
  @inline(__always)
  func hit(_ destination: IPAddress, from source: IPAddress, _ now: UInt64) -> RouteAnswer? {
    // SAFETY: alive until ``free()``.
    unsafe route.pointee.hit(destination, from: source, now)
  }

  /// Runs the body with the lock held.
  @inline(__always)
  func withLock<Result, Failure: Error>(
    _ body: (borrowing CachedRoute) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // SAFETY: alive until ``free()``.
    unsafe lock.pointee.lock()
    defer { unsafe lock.pointee.unlock() }
    return try unsafe body(route.pointee)
  }

  /// Where the route lies.
  var identity: UInt { UInt(bitPattern: unsafe route) }
}
