// The parts of a cached route as words that are loaded and stored one by one.
// Whether they belong together is for the route's sequence number to say.
import SwBPFPackets
import Synchronization

/// An address without its family. Loads are acquiring, stores releasing.
struct AtomicAddress: ~Copyable {
  private let high = Atomic<UInt64>(0)
  private let low = Atomic<UInt64>(0)

  /// 0 when the bytes are the same.
  @inline(__always)
  borrowing func difference(from other: IPAddress) -> UInt64 {
    (low.load(ordering: .acquiring) ^ other.low) | (high.load(ordering: .acquiring) ^ other.high)
  }

  borrowing func store(_ address: IPAddress) {
    high.store(address.high, ordering: .releasing)
    low.store(address.low, ordering: .releasing)
  }
}

/// An answer. Loads are acquiring, stores releasing.
struct AtomicAnswer: ~Copyable {
  private let first = Atomic<UInt64>(0)
  private let second = Atomic<UInt64>(0)
  private let name = Atomic<UInt64>(0)
  private let nameEnd = Atomic<UInt64>(0)

  @inline(__always)
  borrowing func load() -> RouteAnswer {
    let (first, second) = (first.load(ordering: .acquiring), second.load(ordering: .acquiring))
    var answer = RouteAnswer()
    answer.interface = UInt32(truncatingIfNeeded: first)
    answer.pathMTU = UInt32(truncatingIfNeeded: first >> 32)
    answer.errno = CInt(truncatingIfNeeded: second)
    answer.isLocal = second >> 32 != 0
    answer.interfaceName = InterfaceName((name.load(ordering: .acquiring), nameEnd.load(ordering: .acquiring)))
    return answer
  }

  borrowing func store(_ answer: RouteAnswer) {
    first.store(UInt64(answer.interface) | UInt64(answer.pathMTU) << 32, ordering: .releasing)
    second.store(
      UInt64(UInt32(bitPattern: answer.errno)) | (answer.isLocal ? 1 << 32 : 0), ordering: .releasing)
    name.store(answer.interfaceName.words.0, ordering: .releasing)
    nameEnd.store(answer.interfaceName.words.1, ordering: .releasing)
  }
}
