// The bytes that choose what is done.

/// Bytes one after the other; zeros when they are used up.
struct ByteSource {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isEmpty: Bool { position >= bytes.count }

  mutating func next() -> UInt8 {
    guard position < bytes.count else { return 0 }
    position += 1
    return bytes[position - 1]
  }

  mutating func below(_ limit: Int) -> Int { Int(next()) % limit }
  mutating func flag() -> Bool { next() & 1 != 0 }
  mutating func one<Element>(of list: [Element]) -> Element { list[below(list.count)] }
}
