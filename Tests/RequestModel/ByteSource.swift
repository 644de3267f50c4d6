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
  mutating func word() -> UInt32 { (0..<4).reduce(0) { word, _ in word << 8 | UInt32(next()) } }
  mutating func one<Element>(of list: [Element]) -> Element { list[below(list.count)] }
}

/// Bytes for tests: the same from the same seed. (splitmix64)
public struct SeededBytes {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
      return UInt8(truncatingIfNeeded: mixed >> 56)
    }
  }
}
