// The registry: which locks there are, by the address they lie at, and who holds them.
import Glibc

/// A table by address. A lock that was moved is not found at its new address, and is still there at its old one.
///
/// In many parts, each with a mutex of its own, so that unrelated locks hardly ever meet there: threads that did would be
/// ordered by it, and ThreadSanitizer would overlook races between them.
/// - Threads: any.
@safe final class LockRegistry: @unchecked Sendable {
  static let shared = LockRegistry()

  struct Entry {
    let address: UInt
    let rank: LockRank
    /// The holder's record; 0 while nobody holds the lock.
    var owner: UInt = 0
  }

  private struct Part: ~Copyable {
    // The first field: ThreadSanitizer takes a change of any part for one of the first byte, which the way to the mutex must
    // then not read.
    var entries: [Entry] = []
    let mutex = PlainMutex()
  }

  private static let partCount = 1024
  private let parts: UnsafeMutablePointer<Part>

  private init() {
    // SAFETY: the registry lives as long as the process.
    unsafe parts = .allocate(capacity: LockRegistry.partCount)
    for index in 0..<LockRegistry.partCount { unsafe (parts + index).initialize(to: Part()) }
  }

  /// The part that an address belongs to.
  private func part(_ address: UInt) -> UnsafeMutablePointer<Part> {
    let hash = (address >> 4) &* 0x9E37_79B9_7F4A_7C15
    return unsafe parts + Int(hash >> 54)
  }

  /// False: there is one already.
  func insert(_ address: UInt, rank: LockRank) -> Bool {
    // SAFETY: within the allocation; entries only under the part's mutex. The same below.
    let part = unsafe part(address)
    return unsafe part.pointee.mutex.withLock {
      if unsafe part.pointee.entries.contains(where: { $0.address == address }) { return false }
      unsafe part.pointee.entries.append(Entry(address: address, rank: rank))
      return true
    }
  }

  /// Nil: there is none.
  func remove(_ address: UInt) -> Entry? {
    let part = unsafe part(address)
    return unsafe part.pointee.mutex.withLock {
      let found = unsafe part.pointee.entries.firstIndex { $0.address == address }
      return found.map { unsafe part.pointee.entries.remove(at: $0) }
    }
  }

  func find(_ address: UInt) -> Entry? {
    let part = unsafe part(address)
    return unsafe part.pointee.mutex.withLock { unsafe part.pointee.entries.first { $0.address == address } }
  }

  func setOwner(_ owner: UInt, of address: UInt) {
    let part = unsafe part(address)
    unsafe part.pointee.mutex.withLock {
      guard let found = unsafe part.pointee.entries.firstIndex(where: { $0.address == address }) else { return }
      unsafe part.pointee.entries[found].owner = owner
    }
  }

  /// Any lock whose first byte lies in a range.
  func first(in range: Range<UInt>) -> Entry? {
    for index in 0..<LockRegistry.partCount {
      let part = unsafe parts + index
      let found = unsafe part.pointee.mutex.withLock {
        unsafe part.pointee.entries.first { range.contains($0.address) }
      }
      if let found { return found }
    }
    return nil
  }

  var count: Int {
    var sum = 0
    for index in 0..<LockRegistry.partCount {
      let part = unsafe parts + index
      unsafe part.pointee.mutex.withLock { sum += unsafe part.pointee.entries.count }
    }
    return sum
  }
}
