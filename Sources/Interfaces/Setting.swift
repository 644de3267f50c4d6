// A setting of sysctl(8), with all that is known of it: carried by the daemon, listed and changed by the command. Values; any
// thread.

package struct Setting: Hashable, Sendable {
  package enum Value: Hashable, Sendable {
    case number(Int64)
    case text(String)
  }

  /// What may be set.
  package enum Allowed: Hashable, Sendable {
    case numbers(ClosedRange<Int64>)
    /// Bytes of a text.
    case text(longest: UInt16)
    /// It can be read only.
    case nothing
  }

  /// Bytes.
  package static let longestName = 64
  package static let longestText = 256

  /// `net.inet.ip.gifttl`
  package let name: String
  /// One line for people.
  package let about: String
  package let allowed: Allowed
  package let initial: Value
  package var value: Value

  package init(_ name: String, _ about: String, allowed: Allowed, initial: Value, value: Value? = nil) {
    self.name = name
    self.about = about
    self.allowed = allowed
    self.initial = initial
    self.value = value ?? initial
  }

  /// Whether a setting may be called so: words of letters, digits, `_` and `-` between points.
  package static func isName(_ text: String) -> Bool {
    (1...longestName).contains(text.utf8.count)
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { word in
        !word.isEmpty
          && word.utf8.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
          }
      }
  }

  /// Whether it may have this value.
  package func allows(_ value: Value) -> Bool {
    switch (allowed, value) {
    case (.numbers(let range), .number(let number)): range.contains(number)
    case (.text(let longest), .text(let text)): text.utf8.count <= Int(longest)
    default: false
    }
  }
}

extension Setting.Value: CustomStringConvertible {
  package var description: String {
    switch self {
    case .number(let number): String(number)
    case .text(let text): text
    }
  }
}

extension Setting.Allowed: CustomStringConvertible {
  package var description: String {
    switch self {
    case .numbers(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
    case .text(let longest): "a text of at most \(longest) bytes"
    case .nothing: "nothing: it can be read only"
    }
  }
}
