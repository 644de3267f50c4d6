// RandomPool: random bytes of libcrypto's generator, fetched many at a time. Used by one worker.
internal import CCrypto
import Glibc

/// Each byte is given once and then overwritten.
@safe struct RandomPool: ~Copyable {
  private static let size = 4096
  private let memory: UnsafeMutableRawPointer
  /// Bytes that have been given.
  private var used = RandomPool.size

  init() {
    // SAFETY: freed in deinit; takes stay below the size.
    unsafe memory = .allocate(byteCount: RandomPool.size, alignment: 16)
  }

  deinit {
    unsafe explicit_bzero(memory, RandomPool.size)
    unsafe memory.deallocate()
  }

  /// Puts up to 255 bytes somewhere. False when the generator fails.
  @unsafe mutating func take(_ place: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    if used > RandomPool.size - count {
      guard unsafe swcrypto_random(memory, RandomPool.size) == 0 else { return false }
      used = 0
    }
    unsafe place.copyMemory(from: memory + used, byteCount: count)
    unsafe (memory + used).initializeMemory(as: UInt8.self, repeating: 0, count: count)
    used += count
    return true
  }
}
