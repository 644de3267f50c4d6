// The kinds of tunnel interfaces, by their names. Values; any thread.

package enum TunnelKind: String, Sendable, CaseIterable {
  case gif

  /// The kind of `gif0`: its name and a decimal number without leading zeros; nil for anything else.
  package init?(interface name: String) {
    guard let kind = TunnelKind.allCases.first(where: { name.hasPrefix($0.rawValue) }) else { return nil }
    let unit = name.dropFirst(kind.rawValue.count)
    guard unit.utf8.allSatisfy({ 48...57 ~= $0 }), unit.first != "0" || unit.count == 1, let number = Int32(unit),
      number >= 0, name.utf8.count < 16
    else { return nil }
    self = kind
  }
}
