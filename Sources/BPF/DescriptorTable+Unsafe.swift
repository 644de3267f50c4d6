// Every descriptor that is open, and what the closed ones have counted.
// Called when a descriptor opens or closes, and by listings; any thread.
import SwBPFKern

final class DescriptorTable: @unchecked Sendable {
  static let shared = DescriptorTable()

  @safe private struct Entry {
    let id: ObjectIdentifier
    weak var descriptor: BPF.Descriptor?
    let buffers: UnsafeMutablePointer<BufferState>

    /// Everything that it has counted since it was opened.
    var statistics: BPF.GlobalStatistics {
      // SAFETY: a descriptor leaves the table before it retires its buffers.
      unsafe buffers.pointee.lock.withLock { unsafe buffers.pointee.slots.total }
    }
  }

  private let lock = Lock(rank: .peers)
  // Guarded by `lock`.
  private var entries: [Entry] = []
  private var closed = BPF.GlobalStatistics()

  func add(_ descriptor: BPF.Descriptor) {
    let entry = unsafe Entry(
      id: ObjectIdentifier(descriptor), descriptor: descriptor, buffers: descriptor.buffers)
    lock.withLock { entries.append(entry) }
  }

  /// A descriptor closes: no tap sees it any more, and its buffers are still there.
  func remove(_ id: ObjectIdentifier) {
    lock.withLock {
      guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
      closed.add(entries[index].statistics)
      entries.remove(at: index)
    }
  }

  /// Oldest first.
  var all: [BPF.Descriptor] {
    // Outside the lock: whoever lists may be the last to let a descriptor go.
    let found = lock.withLock { entries }
    return found.compactMap(\.descriptor)
  }

  var statistics: BPF.GlobalStatistics {
    lock.withLock { entries.reduce(into: closed) { $0.add($1.statistics) } }
  }
}
