// PerCPU: the face of per-CPU memory that cannot be used wrongly. Tunnels and their route caches stand on it.
// Public, because only that is inlined in other modules.
public import CKern
import Synchronization

/// What may lie in per-CPU memory: pointers to things that stay where they are, and nothing else. An area is moved by
/// memcpy, and its old place is freed at once, so no lock, no list member and no object by value may lie there.
///
/// A struct of pointers may be declared to conform.
@usableFromInline package protocol PerCPUPointers: BitwiseCopyable, SendableMetatype {}

extension Unmanaged: PerCPUPointers {}
extension UnsafeMutablePointer: PerCPUPointers {}
extension UnsafePointer: PerCPUPointers {}
extension UnsafeMutableRawPointer: PerCPUPointers {}
extension OpaquePointer: PerCPUPointers {}

/// One value of pointers for each CPU. The address of the value is never shown: users get a copy, which stays good whatever
/// happens to the area.
/// - Threads: any. A worker that uses it often should be bound to a CPU (``PerCPUMemory/bindThread(to:)``).
///
/// `@usableFromInline`, since methods of generic types are not inlined into other modules without it.
@safe @usableFromInline package struct PerCPU<Value: PerCPUPointers>: @unchecked Sendable {
  package let memory: PerCPUMemory
  @usableFromInline let identity: UnsafeRawPointer
  @usableFromInline let offset: Int
  private let owned: Owned

  /// Frees the storage with the last copy.
  private final class Owned: Sendable {
    let memory: PerCPUMemory
    let storage: PerCPUMemory.Storage
    init(_ memory: PerCPUMemory, _ storage: PerCPUMemory.Storage) {
      self.memory = memory
      self.storage = storage
    }
    deinit { memory.free(storage, size: storage.size) }
  }

  /// Makes the values, one for each CPU there is or will be. Sleeps.
  /// - Parameters:
  ///   - make: makes the value of a CPU; may sleep, and may make other storages without a constructor.
  ///   - destroy: undoes `make`. Called once for each value when the last copy goes: on whichever thread lets go last.
  package init(
    in memory: PerCPUMemory = .shared, make: @escaping @Sendable (_ cpu: Int) -> Value,
    destroy: @escaping @Sendable (_ value: Value, _ cpu: Int) -> Void
  ) {
    self.memory = memory
    let storage = unsafe memory.create(
      size: MemoryLayout<Value>.size,
      // SAFETY: buffers are aligned to the quantum and have the value's size.
      constructor: { unsafe $0.storeBytes(of: make($1), as: Value.self) },
      destructor: { unsafe destroy($0.load(as: Value.self), $1) })
    unsafe identity = memory.identity
    offset = storage.offset
    owned = Owned(memory, storage)
  }

  /// Runs the body with this CPU's value, and keeps the CPU's area in place meanwhile. (`percpu_getref`, a copy,
  /// `percpu_putref`)
  ///
  /// The value stays good when the body sleeps on a contended lock. Other threads of the same CPU may be in a body at the
  /// same time: what the pointers lead to needs a lock of its own.
  @inlinable @inline(__always) package func withCurrent<Result, Failure: Error>(
    _ body: (Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // SAFETY: the constructor has stored a value there; the area stays until the reference is given back.
    let (address, thread) = unsafe takePerCPUReference(identity, offset)
    defer { unsafe PerCPUMemory.dropReference(thread) }
    return try unsafe body(address.load(as: Value.self))
  }

  /// As ``withCurrent(_:)``, for a body that neither sleeps nor takes a reference, and on the way that is nearly always
  /// open. There is no call on it.
  /// - Returns: nil, and the body may not have run, when the thread is not bound, has a reference already, or the area is
  ///   being swapped: ``withCurrent(_:)`` serves then.
  @inlinable @inline(__always) package func peekCurrent<Result>(_ body: (Value) -> Result?) -> Result? {
    // SAFETY: as takePerCPUReference; the body leaves `use` alone.
    guard let thread = unsafe ThreadRecord.existing,
      unsafe UInt(bitPattern: thread.pointee.memory) == UInt(bitPattern: identity),
      unsafe thread.pointee.use.load(ordering: .relaxed) == ThreadRecord.none
    else { return nil }
    unsafe thread.pointee.use.store(ThreadRecord.one, ordering: .relaxed)
    defer { unsafe thread.pointee.use.store(ThreadRecord.none, ordering: .releasing) }
    swkern_light_fence()
    let cpu = unsafe thread.pointee.cpu.unsafelyUnwrapped
    guard unsafe cpu.pointee.swapping.load(ordering: .acquiring) == 0 else { return nil }
    return unsafe body((thread.pointee.area.unsafelyUnwrapped + offset).load(as: Value.self))
  }

  /// Runs the body with each CPU's value, on this thread. It must not sleep and must not make storages; it may take locks
  /// of a rank above `traversal`. (`percpu_foreach`)
  package func forEach<Failure: Error>(_ body: (Value, _ cpu: Int) throws(Failure) -> Void) throws(Failure) {
    try unsafe memory.forEach(owned.storage) { (address, cpu) throws(Failure) in
      // SAFETY: as above.
      try unsafe body(address.load(as: Value.self), cpu)
    }
  }

  /// Runs the body for each CPU on a thread bound to it; returns when all have ended. (`percpu_foreach_xcall`)
  package func forEachOnCPU(_ body: @escaping @Sendable (Value, _ cpu: Int) -> Void) {
    unsafe memory.forEachOnCPU(owned.storage) { unsafe body($0.load(as: Value.self), $1) }
  }
}
