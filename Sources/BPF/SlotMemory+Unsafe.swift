// The memory of slots: mapped for a descriptor, and kept a while for the next one.
// Called by Slots when a descriptor first needs memory and when it is closed or resized; any thread.
import Glibc
import SwBPFKern

/// Regions that closed descriptors gave back: readers that come and go need no mapping, no page and no other processor's
/// attention each time.
@safe final class SlotMemory: @unchecked Sendable {
  static let shared = SlotMemory()

  /// Bytes kept in all, and of one region at most.
  static let mostBytes = 4 << 20
  static let mostOfOne = 1 << 20

  /// MADV_POPULATE_WRITE, which the C library's module lacks.
  private static let populateWrite: CInt = 23

  @safe private struct Region {
    let base: UnsafeMutableRawPointer
    let size: Int
  }

  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var kept: [Region] = []
  private var keptBytes = 0
  private static let pageSize = max(1, sysconf(CInt(_SC_PAGESIZE)))

  /// What a region of `size` bytes takes up.
  private static func pages(_ size: Int) -> Int { (size + pageSize - 1) / pageSize * pageSize }

  deinit {
    // SAFETY: mapped by take(), and nobody's.
    for index in kept.indices { unsafe munmap(kept[index].base, kept[index].size) }
  }

  /// Bytes that are kept, whole pages.
  var bytes: Int { lock.withLock { keptBytes } }

  /// Memory of exactly this size, holding anything. Of fresh memory only the first `ready` bytes have pages: the packet path
  /// takes no faults for them. (Linux 5.14; else no harm)
  /// - Throws: ENOMEM when it cannot be reserved.
  func take(_ size: Int, ready: Int) throws(BPF.Failure) -> UnsafeMutableRawPointer {
    if let old = takeKept(size) { return unsafe old.base }
    let map = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let map = unsafe map, unsafe map != MAP_FAILED else { throw .system(errno: errno, call: "mmap") }
    _ = unsafe madvise(map, min(size, ready), SlotMemory.populateWrite)
    return unsafe map
  }

  private func takeKept(_ size: Int) -> Region? {
    lock.withLock {
      guard let index = kept.lastIndex(where: { $0.size == size }) else { return nil }
      keptBytes -= SlotMemory.pages(size)
      return kept.remove(at: index)
    }
  }

  /// Takes a region back; nobody uses it any more.
  func giveBack(_ base: UnsafeMutableRawPointer, _ size: Int) {
    let isKept = lock.withLock {
      let bytes = SlotMemory.pages(size)
      if bytes > SlotMemory.mostOfOne || keptBytes + bytes > SlotMemory.mostBytes { return false }
      keptBytes += bytes
      unsafe kept.append(Region(base: base, size: size))
      return true
    }
    // SAFETY: mapped by take() with this size, and out of everybody's reach.
    if !isKept { unsafe munmap(base, size) }
  }
}
