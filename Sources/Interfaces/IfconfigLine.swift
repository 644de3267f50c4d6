// The words of ifconfig(8) as steps. Used by the command and for configuration files. Values; any thread.
import SwBPFPackets

/// What one call of ifconfig asks of one interface.
package struct IfconfigLine: Hashable, Sendable {
  package enum Step: Hashable, Sendable {
    case create
    case destroy
    case change(InterfaceOperation)
  }

  package let name: String
  /// The family that was named; the status is printed for this one only.
  package let family: IPAddress.Family?
  /// In the order in which they are to be done: as the words stand, but addresses last, since netmask and alias may follow them.
  /// Empty: the status is asked for.
  package let steps: [Step]

  /// - Parameter words: the interface, then what is to be done.
  /// - Throws: the first word that is wrong.
  package init(words: [String], links: LinkNames = .numbers) throws(IfconfigError) {
    guard let name = words.first else { throw IfconfigError("no interface is named", isUsage: true) }
    guard Self.isName(name) else { throw IfconfigError("\(IfconfigError.quoted(name)) is no name of an interface") }
    var parser = IfconfigParser(words: words.dropFirst(), name: name, links: links)
    try parser.parse()
    self.name = name
    family = parser.family
    steps = parser.steps
  }

  /// Whether an interface may be called so: 1 to 15 visible ASCII characters but no slash, and not an option.
  package static func isName(_ text: String) -> Bool {
    (1...InterfaceStatus.longestName).contains(text.utf8.count) && text != "." && text != ".." && !text.hasPrefix("-")
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
  }
}

/// A call of ifconfig that cannot be.
package struct IfconfigError: Error, Hashable, Sendable {
  package let text: String
  /// Whether the grammar should be shown.
  package let isUsage: Bool

  package init(_ text: String, isUsage: Bool = false) {
    self.text = text
    self.isUsage = isUsage
  }

  /// A word in quotes, cut where it is long, with nothing that could command a terminal.
  package static func quoted(_ word: String) -> String {
    let scalars = word.unicodeScalars.prefix(64).map { scalar in
      0x20..<0x7f ~= scalar.value ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    return "'" + scalars.joined() + (word.unicodeScalars.count > 64 ? "…" : "") + "'"
  }
}
