// OffsetArena: which offsets of the per-CPU areas are taken.

/// Gives out ranges of offsets. (`vmem(9)`, as percpu uses it)
///
/// Ranges come from imports; neighbours that are free are joined inside one import, not across two.
/// - Threads: its owner's lock.
struct OffsetArena {
  /// All offsets and sizes are multiples of this many bytes.
  let quantum: Int
  /// What is free: start, end, and the import it belongs to, in the order of starts.
  private var free: [(start: Int, end: Int, span: Int)] = []
  private var spans: [Range<Int>] = []

  init(quantum: Int) { self.quantum = quantum }

  /// A number of bytes, rounded up.
  func rounded(_ size: Int) -> Int { (max(1, size) + quantum - 1) / quantum * quantum }

  /// Adds offsets that nobody has.
  mutating func add(_ span: Range<Int>) {
    spans.append(span)
    release(span.lowerBound, span.count)
  }

  /// The offset of so many free bytes, the smallest range that fits; nil when an import is needed.
  mutating func take(_ size: Int) -> Int? {
    let size = rounded(size)
    let fitting = free.indices.filter { free[$0].end - free[$0].start >= size }
    guard let best = fitting.min(by: { free[$0].end - free[$0].start < free[$1].end - free[$1].start }) else {
      return nil
    }
    let start = free[best].start
    if free[best].end == start + size { free.remove(at: best) } else { free[best].start += size }
    return start
  }

  /// Gives a range back.
  mutating func release(_ start: Int, _ size: Int) {
    var range = start..<start + rounded(size)
    guard let span = spans.firstIndex(where: { $0.contains(start) }) else { preconditionFailure("no such offset") }
    while let next = free.firstIndex(where: {
      $0.span == span && ($0.end == range.lowerBound || $0.start == range.upperBound)
    }) {
      let joined = free.remove(at: next)
      range = min(range.lowerBound, joined.start)..<max(range.upperBound, joined.end)
    }
    let place = free.firstIndex { $0.start > range.lowerBound } ?? free.count
    free.insert((range.lowerBound, range.upperBound, span), at: place)
  }
}
