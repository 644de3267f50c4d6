// The `"interface"` field of JSON objects. Owned by a JSONPrinter.

/// Remembers names as ready text, so that the caller's closure runs once per interface index.
struct JSONInterfaces: ~Copyable {
  private struct Entry {
    let index: UInt32
    let start: Int
    let end: Int
  }

  /// More indices than that are looked up again and again.
  private static let limit = 256

  private let lookUp: (UInt32) -> String?
  private var entries: [Entry] = []
  private var text = TextBuffer(capacity: 64)
  /// The field of the capture's only interface, or nothing.
  private var only = TextBuffer(capacity: 64)

  init(only name: String?, _ lookUp: @escaping (UInt32) -> String?) {
    self.lookUp = lookUp
    if let name {
      only.append(#","interface":"#)
      only.append(quoted: name)
    }
  }

  func appendOnly(to out: inout TextBuffer) { out.append(only.bytes) }

  /// The field of the interface with this index; nothing if it has no name.
  mutating func append(_ index: UInt32, to out: inout TextBuffer) {
    for place in entries.indices where entries[place].index == index {
      return out.append(text.bytes.extracting(entries[place].start..<entries[place].end))
    }
    if entries.count == Self.limit {
      entries.removeAll(keepingCapacity: true)
      text.removeAll()
    }
    let start = text.count
    if let name = lookUp(index) {
      text.append(#","interface":"#)
      text.append(quoted: name)
    }
    entries.append(Entry(index: index, start: start, end: text.count))
    out.append(text.bytes.extracting(start..<text.count))
  }
}
