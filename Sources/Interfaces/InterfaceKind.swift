// The kinds of tunnel interfaces, by their names. Values; any thread.

/// A driver of tunnel interfaces. (if_clone)
package enum InterfaceKind: String, Hashable, Sendable, CaseIterable {
  case gif
  case ipsec
  case l2tp

  /// Those that can be created.
  package static let cloners: [InterfaceKind] = [.gif, .ipsec, .l2tp]

  /// The kind of an interface's name, `gif0`; nil for a name of no kind.
  package init?(name: String) {
    let digits = name.utf8.reversed().prefix { 48...57 ~= $0 }.count
    let unit = name.suffix(digits)
    // One spelling for each unit.
    guard name.utf8.count <= InterfaceStatus.longestName, Int32(unit) != nil, unit.first != "0" || digits == 1,
      let kind = InterfaceKind(rawValue: String(name.dropLast(digits)))
    else { return nil }
    self = kind
  }
}
