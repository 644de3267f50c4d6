// Addresses as text: parsed strictly, printed as inet_ntop prints them. Control paths only.

extension IPAddress: CustomStringConvertible {
  /// Numeric addresses only; IPv6 may end in `%NUMBER`, its scope.
  package init?(_ text: String) {
    if let address = IPAddress.parseV4(text.utf8.map { $0 }) {
      self.init(v4: address)
      return
    }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    var scope: UInt32 = 0
    if parts.count == 2 {
      guard let number = IPAddress.decimal(Array(parts[1].utf8), upTo: UInt64(UInt32.max)) else { return nil }
      scope = UInt32(number)
    }
    guard let first = parts.first, let bytes = IPAddress.parseV6(Array(first.utf8)) else { return nil }
    self.init(bytes: bytes, scope: scope)
  }

  private static func decimal(_ digits: [UInt8], upTo limit: UInt64) -> UInt64? {
    guard !digits.isEmpty, digits.count <= 10, digits.allSatisfy({ 48...57 ~= $0 }) else { return nil }
    let number = digits.reduce(0 as UInt64) { $0 * 10 + UInt64($1 - 48) }
    return number <= limit ? number : nil
  }

  /// Four decimal numbers without leading zeros.
  private static func parseV4(_ text: [UInt8]) -> UInt32? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      guard part.count == 1 || part.first != UInt8(ascii: "0"), let number = decimal(Array(part), upTo: 255)
      else { return nil }
      address = address << 8 | UInt32(number)
    }
    return address
  }

  private static func hexadecimal(_ digits: [UInt8]) -> UInt16? {
    guard !digits.isEmpty, digits.count <= 4 else { return nil }
    var number: UInt16 = 0
    for digit in digits {
      let value: UInt8
      switch digit {
      case 48...57: value = digit - 48
      case 65...70: value = digit - 55
      case 97...102: value = digit - 87
      default: return nil
      }
      number = number << 4 | UInt16(value)
    }
    return number
  }

  /// Groups between colons, of which the last may be an IPv4 address where `mayEndInV4`.
  private static func groups(_ text: ArraySlice<UInt8>, mayEndInV4: Bool) -> [UInt8]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var bytes: [UInt8] = []
    for (index, part) in parts.enumerated() {
      if let group = hexadecimal(Array(part)) {
        bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
      } else if mayEndInV4, index == parts.count - 1, let v4 = parseV4(Array(part)) {
        bytes += IPAddress(v4: v4).bytes
      } else {
        return nil
      }
    }
    return bytes
  }

  private static func parseV6(_ text: [UInt8]) -> [UInt8]? {
    guard text.count <= 45 else { return nil }
    let colon = UInt8(ascii: ":")
    let gaps = text.indices.dropLast().filter { text[$0] == colon && text[$0 + 1] == colon }
    guard let gap = gaps.first else {
      guard let bytes = groups(text[...], mayEndInV4: true), bytes.count == 16 else { return nil }
      return bytes
    }
    guard gaps.count == 1, let front = groups(text[..<gap], mayEndInV4: false),
      let back = groups(text[(gap + 2)...], mayEndInV4: true), front.count + back.count <= 14
    else { return nil }
    return front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
  }

  package var description: String {
    if family == .v4 { return bytes.map { String($0) }.joined(separator: ".") }
    let suffix = scope == 0 ? "" : "%\(scope)"
    let bytes = bytes
    if high == 0 && low >> 32 == 0xffff { return "::ffff:\(IPAddress(v4: UInt32(truncatingIfNeeded: low)))" + suffix }
    let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    // The longest run of at least two zeros, the first of equals.
    var best = 0..<0
    var start = 0
    while start < 8 {
      let end = groups[start...].firstIndex { $0 != 0 } ?? 8
      if end - start >= 2 && end - start > best.count { best = start..<end }
      start = max(end, start + 1)
    }
    let words = groups.map { String($0, radix: 16) }
    if best.isEmpty { return words.joined(separator: ":") + suffix }
    return words[..<best.lowerBound].joined(separator: ":") + "::" + words[best.upperBound...].joined(separator: ":")
      + suffix
  }
}
