// What the tests of per-CPU memory share.
import Glibc
import SwBPFKern
import Synchronization

/// Set once, by one thread for another.
final class Mark: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}

/// All bytes of a storage, CPU by CPU.
func content(_ memory: PerCPUMemory, _ storage: PerCPUMemory.Storage) -> [[UInt8]] {
  var found: [[UInt8]] = []
  memory.forEach(storage) { address, _ in
    found.append([UInt8](UnsafeRawBufferPointer(start: address, count: storage.size)))
  }
  return found
}

func fill(_ memory: PerCPUMemory, _ storage: PerCPUMemory.Storage, _ seed: Int) {
  memory.forEach(storage) { address, cpu in
    for index in 0..<storage.size {
      address.storeBytes(of: UInt8(truncatingIfNeeded: seed + cpu * 31 + index), toByteOffset: index, as: UInt8.self)
    }
  }
}

/// Numbers, in the order in which they came.
final class Numbers: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var entries: [Int] = []
  init() { pthread_mutex_init(mutex, nil) }
  deinit { mutex.deallocate() }
  func add(_ entry: Int) {
    pthread_mutex_lock(mutex)
    entries.append(entry)
    pthread_mutex_unlock(mutex)
  }
  var all: [Int] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return entries
  }
}
