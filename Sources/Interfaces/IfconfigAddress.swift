// An inner address while the words of one ifconfig(8) call are taken.
import SwBPFPackets

struct IfconfigAddress {
  var family: IPAddress.Family?
  /// nil: the first address of the family is replaced; false: the address goes.
  var isAlias: Bool?
  private var address: IPAddress?
  private var destination: IPAddress?
  private var prefix: UInt8?
  private var finished: InterfaceOperation?

  /// Whether nothing but the family is known yet.
  var isEmpty: Bool { address == nil && prefix == nil && isAlias == nil }

  /// nil where only a family was named.
  var operation: InterfaceOperation? { finished }

  /// Takes `ADDR[/LEN]`, then `DSTADDR`. - Returns: whether it was an address.
  mutating func take(_ word: String, _ links: LinkNames) throws(IfconfigError) -> Bool {
    let parts = word.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let one = links.address(String(first)) else { return false }
    if let family, one.family != family {
      throw IfconfigError("\(IfconfigError.quoted(word)) is no \(family == .v4 ? "inet" : "inet6") address")
    }
    guard address != nil else {
      address = one
      family = one.family
      if parts.count == 2 {
        guard let length = IfconfigParser.decimal(parts[1]), (0...Int64(one.family.bits)).contains(length) else {
          throw IfconfigError("\(IfconfigError.quoted(word)): a prefix has 0 to \(one.family.bits) bits", isUsage: true)
        }
        try setPrefix(UInt8(length))
      }
      return true
    }
    if parts.count == 2 { throw IfconfigError("\(IfconfigError.quoted(word)): only the first address has a prefix") }
    guard destination == nil else { throw IfconfigError("not a broadcast interface") }
    destination = one
    return true
  }

  mutating func setPrefix(_ length: UInt8) throws(IfconfigError) {
    if prefix != nil { throw IfconfigError("the prefix is given twice", isUsage: true) }
    prefix = length
  }

  /// `255.255.255.0` or `0xffffff00`.
  mutating func setMask(_ word: String) throws(IfconfigError) {
    let text = word.lowercased()
    let mask =
      text.hasPrefix("0x") ? Self.hexadecimal(text.dropFirst(2)) : IPAddress(word).flatMap { $0.isIPv6 ? nil : $0.v4 }
    guard let mask, mask.leadingZeroBitCount == 0 || mask == 0,
      (~mask).leadingZeroBitCount + mask.trailingZeroBitCount == 32
    else { throw IfconfigError("\(IfconfigError.quoted(word)) is no netmask", isUsage: true) }
    if family == .v6 { throw IfconfigError("an inet6 address has a prefix, not a netmask", isUsage: true) }
    family = .v4
    try setPrefix(UInt8((~mask).leadingZeroBitCount))
  }

  private static func hexadecimal(_ digits: Substring) -> UInt32? {
    digits.count <= 8 && digits.allSatisfy(\.isHexDigit) ? UInt32(digits, radix: 16) : nil
  }

  mutating func finish() throws(IfconfigError) {
    guard let address else {
      if isEmpty { return }
      throw IfconfigError(
        isAlias == false ? "delete and -alias need the address" : "netmask, prefixlen and alias need an address",
        isUsage: true)
    }
    if isAlias == false {
      finished = .deleteAddress(address)
      return
    }
    // On an interface with one other end a mask makes no route, so without one nothing is taken for reachable.
    let whole = address.family.bits
    let length = prefix ?? (address.isIPv6 && destination == nil ? 64 : whole)
    guard let one = InterfaceAddress(address, prefix: length, destination: destination) else {
      throw IfconfigError("a prefix has 0 to \(whole) bits", isUsage: true)
    }
    finished = .addAddress(one, replaces: isAlias == nil && !address.isIPv6)
  }
}
