// Names of the interfaces that cooked frames came from. Owned by a LinePrinter.

/// Remembers what the caller's closure answered, so that it runs once per interface index.
struct InterfaceNames {
  /// A name cut to 32 bytes, padded with blanks to five, as text in four words.
  fileprivate struct Name {
    var index: UInt32
    var length = 0
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  }

  /// More indices than that are looked up again and again.
  private static let limit = 64

  private let lookUp: (UInt32) -> String?
  private var last: Name
  private var known: [Name] = []
  private var oldest = 0

  init(_ lookUp: @escaping (UInt32) -> String?) {
    self.lookUp = lookUp
    last = Name(index: 0)
  }

  /// `%-5s` of the name, `?` where there is none.
  mutating func append(_ index: UInt32, to out: inout TextBuffer) {
    if last.length == 0 || last.index != index { find(index) }
    out.append(packed: last.words.0, length: last.length)
    if last.length > 8 {
      out.append(packed: last.words.1, length: last.length - 8)
      out.append(packed: last.words.2, length: last.length - 16)
      out.append(packed: last.words.3, length: last.length - 24)
    }
  }

  private mutating func find(_ index: UInt32) {
    for name in known where name.index == index {
      last = name
      return
    }
    var name = Name(index: index)
    for byte in (lookUp(index) ?? "?").utf8.prefix(32) {
      // A name comes from outside: nothing in it may steer a terminal.
      name.add(byte > 0x20 && byte < 0x7f ? byte : 0x3f)
    }
    while name.length < 5 { name.add(0x20) }
    if known.count < Self.limit {
      known.append(name)
    } else {
      known[oldest] = name
      oldest = (oldest + 1) % Self.limit
    }
    last = name
  }
}

extension InterfaceNames.Name {
  fileprivate mutating func add(_ byte: UInt8) {
    let bits = UInt64(byte) << UInt64(8 * (length & 7))
    switch length >> 3 {
    case 0: words.0 |= bits
    case 1: words.1 |= bits
    case 2: words.2 |= bits
    default: words.3 |= bits
    }
    length += 1
  }
}
