// The kinds of tunnel interfaces, by their names. Values; any thread.

/// A driver of tunnel interfaces. (if_clone)
package enum InterfaceKind: String, Hashable, Sendable, CaseIterable {
  case gif
  case ipsec
  case l2tp

  /// Those that can be created.
  package static let cloners: [InterfaceKind] = [.gif]

  /// The kind of an interface's name, `gif0`; nil for a name of no kind.
  package init?(name: String) {
    let digits = name.utf8.reversed().prefix { 48...57 ~= $0 }.count
    guard digits > 0, digits <= 5, let kind = InterfaceKind(rawValue: String(name.dropLast(digits))) else { return nil }
    // One spelling for each unit.
    let unit = name.utf8.suffix(digits)
    guard unit.first != UInt8(ascii: "0") || digits == 1 else { return nil }
    self = kind
  }
}
