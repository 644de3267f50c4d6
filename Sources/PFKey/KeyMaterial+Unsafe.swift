// KeyMaterial: a key in memory of its own, overwritten when it goes. Associations hold them; ESP reads them.
import Glibc

/// One key. Never printed.
/// - Threads: reading any; ``erase()`` when nobody reads.
@safe package final class KeyMaterial: @unchecked Sendable, CustomStringConvertible {
  private let memory: UnsafeMutableRawBufferPointer
  package private(set) var isErased = false

  package init(_ bytes: [UInt8]) {
    // SAFETY: allocated here, overwritten and freed in deinit; only erase() writes to it again.
    unsafe memory = .allocate(byteCount: bytes.count, alignment: 16)
    unsafe memory.copyBytes(from: bytes)
  }

  deinit {
    erase()
    unsafe memory.deallocate()
  }

  /// Overwrites it with zeros, in a way that no optimiser leaves out.
  package func erase() {
    if let base = unsafe memory.baseAddress { unsafe explicit_bzero(base, memory.count) }
    isErased = true
  }

  package var count: Int { unsafe memory.count }

  /// The key, for the time of the call.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    unsafe body(UnsafeRawBufferPointer(memory))
  }

  /// A copy; its owner erases it.
  package func copy() -> [UInt8] { unsafe Array(memory) }

  /// Compares in a time that depends on the lengths only.
  package func isEqual(to other: KeyMaterial) -> Bool {
    guard count == other.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<count { unsafe difference |= memory[index] ^ other.memory[index] }
    return difference == 0
  }

  /// A hash that is another one in each process.
  package var hash: Int {
    var hasher = Hasher()
    unsafe hasher.combine(bytes: UnsafeRawBufferPointer(memory))
    return hasher.finalize()
  }

  package var description: String { "a key of \(count) bytes" }
}
