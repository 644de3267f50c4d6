// Records of several interfaces in the order of their stamps.
// Called by the consumer thread only.

/// Holds records back until no older one can come from any source.
///
/// A source says how far it is: by the stamps of its records, and by the time at which it had none. Records of one stamp keep
/// the order in which they came; one that comes later than its source said goes out at once.
struct StampMerge {
  private struct Record {
    /// ns since 1970.
    var stamp: Int64
    var length: UInt32
    var offset: Int
    var count: Int
  }

  /// For each source: nothing older is expected.
  private var bounds: [Int64]
  private var records: [Record] = []
  private var bytes: [UInt8] = []
  /// What is held may have this many bytes; the older half goes out when there are more.
  private let limit: Int

  init(sources: Int, limit: Int = 128 << 20) {
    bounds = Array(repeating: .min, count: sources)
    self.limit = limit
  }

  var isEmpty: Bool { records.isEmpty }
  var byteCount: Int { bytes.count }

  mutating func add(
    _ source: Int, seconds: UInt32, nanoseconds: UInt32, length: UInt32, _ frame: UnsafeRawBufferPointer
  ) {
    let stamp = Int64(seconds) * 1_000_000_000 + Int64(nanoseconds)
    records.append(Record(stamp: stamp, length: length, offset: bytes.count, count: frame.count))
    unsafe bytes.append(contentsOf: frame)
    bounds[source] = max(bounds[source], stamp)
  }

  /// The source has nothing now, and what comes is not older than `stamp`.
  mutating func reached(_ source: Int, _ stamp: Int64) { bounds[source] = max(bounds[source], stamp) }

  /// Nothing comes from it any more.
  mutating func ended(_ source: Int) { bounds[source] = .max }

  /// The source may give records again. (an interface that is back)
  mutating func resumed(_ source: Int) { if bounds[source] == .max { bounds[source] = .min } }

  /// Gives out what no other record can precede, oldest first, until `body` returns false.
  mutating func release<Failure>(
    all: Bool = false, _ body: (Int64, UInt32, RawSpan) throws(Failure) -> Bool
  ) throws(Failure) {
    if records.isEmpty { return }
    let order = records.indices.sorted { (records[$0].stamp, $0) < (records[$1].stamp, $1) }
    let bound = all ? .max : bounds.min() ?? .max
    var due = order.count
    if bound < .max {
      due = order.firstIndex { records[$0].stamp > bound } ?? order.count
      if bytes.count > limit { due = max(due, order.count / 2) }
    }
    for index in order[..<due] {
      let one = records[index]
      let frame = unsafe bytes.span.bytes.extracting(one.offset..<(one.offset + one.count))
      if try !body(one.stamp, one.length, frame) { break }
    }
    keep(order[due...].sorted())
  }

  /// Forgets all records but those, which stay in the order of arrival.
  private mutating func keep(_ indices: [Int]) {
    if indices.isEmpty {
      records.removeAll(keepingCapacity: true)
      bytes.removeAll(keepingCapacity: true)
      return
    }
    var kept: [Record] = []
    var keptBytes: [UInt8] = []
    for index in indices {
      var one = records[index]
      let start = one.offset
      one.offset = keptBytes.count
      keptBytes.append(contentsOf: bytes[start..<(start + one.count)])
      kept.append(one)
    }
    records = kept
    bytes = keptBytes
  }
}
