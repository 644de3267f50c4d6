// Takes a configuration file apart: lines of words, and statements of setkey, which end with a semicolon.

struct ConfigurationSplitter {
  struct Line {
    enum Content {
      case words([String])
      case broken(String)
    }
    /// From 1.
    let number: Int
    let content: Content
  }

  private let text: [UInt8]
  private var place = 0
  private var number = 0
  /// All of the text; what is no statement of setkey is blank.
  private(set) var keyText: [UInt8]

  init(_ text: [UInt8]) {
    self.text = text
    keyText = text.map { $0 == 10 ? 10 : 32 }
  }

  /// The next line that says something, setkey's left out; nil at the end.
  mutating func next() -> Line? {
    while place < text.count {
      number += 1
      let end = text[place...].firstIndex(of: 10) ?? text.count
      let line = text[place..<end]
      let words = Self.words(line)
      if words.first?.elementsEqual("setkey".utf8) == true, let first = line.firstIndex(where: { $0 > 0x20 }) {
        let start = first + 6
        let stop = Self.endOfStatements(text, from: start)
        keyText.replaceSubrange(start..<stop, with: text[start..<stop])
        number += text[place..<stop].count { $0 == 10 }
        place = min(stop + 1, text.count)
        continue
      }
      place = end + 1
      if words.isEmpty { continue }
      if line.contains(0) { return Line(number: number, content: .broken("a NUL byte")) }
      let texts = words.map { String(validating: $0, as: UTF8.self) }
      guard !texts.contains(nil) else { return Line(number: number, content: .broken("the line is no UTF-8")) }
      return Line(number: number, content: .words(texts.compactMap { $0 }))
    }
    return nil
  }

  /// Between white space, up to a word that begins with #.
  private static func words(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    let all = line.split { $0 == 32 || $0 == 9 || $0 == 13 }
    return Array(all.prefix { $0.first != UInt8(ascii: "#") })
  }

  /// The end of the line where the last statement that was begun has its semicolon; the end of the text without one.
  private static func endOfStatements(_ text: [UInt8], from start: Int) -> Int {
    var place = start
    var isOpen = true
    var isQuoted = false
    while place < text.count {
      let byte = text[place]
      switch byte {
      case UInt8(ascii: "\""):
        isQuoted.toggle()
        isOpen = true
      case UInt8(ascii: "#") where !isQuoted:
        // To the end of the line.
        place = text[place...].firstIndex(of: 10) ?? text.count
        continue
      case UInt8(ascii: ";") where !isQuoted: isOpen = false
      case 10:
        if !isOpen { return place }
        // A quoted word ends with its line.
        isQuoted = false
      case 0x21...: isOpen = true
      default: break
      }
      place += 1
    }
    return text.count
  }
}
