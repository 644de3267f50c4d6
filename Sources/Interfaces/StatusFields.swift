// A status as bytes: one field for each thing that is known, in the order of their tags. Values; any thread.
import SwBPFPackets

extension InterfaceStatus {
  private enum Tag {
    static let name: UInt16 = 1
    static let flags: UInt16 = 2
    static let mtu: UInt16 = 3
    static let metric: UInt16 = 4
    static let linkState: UInt16 = 5
    static let tunnel: UInt16 = 6
    static let session: UInt16 = 7
    static let cookies: UInt16 = 8
    static let counters: UInt16 = 9
    static let lastError: UInt16 = 10
    /// One field for each address.
    static let address: UInt16 = 11
  }

  /// At most 24 KiB. Addresses beyond ``mostAddresses`` are left out.
  package var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.put(Tag.name, name, limit: Self.longestName)
    writer.put(Tag.flags, flags.rawValue)
    writer.put(Tag.mtu, mtu)
    writer.put(Tag.metric, metric)
    writer.put(Tag.linkState, linkState.rawValue)
    if let tunnel { writer.put(Tag.tunnel) { tunnel.write(to: &$0) } }
    if let session { writer.put(Tag.session, session.fieldValue) }
    if let cookies { writer.put(Tag.cookies, cookies.fieldValue) }
    writer.put(Tag.counters, counters.fieldValue)
    if let lastError { writer.put(Tag.lastError, lastError, limit: Self.longestText) }
    for address in addresses.prefix(Self.mostAddresses) {
      writer.put(Tag.address) { address.write(to: &$0) }
    }
    return writer.bytes
  }

  /// nil for anything but the bytes of one status: fields in another order, missing ones, unknown ones.
  package init?(bytes: ArraySlice<UInt8>) {
    self.init(name: "", flags: [], mtu: 0)
    var reader = FieldReader(bytes)
    var last: UInt16 = 0
    var seen: Set<UInt16> = []
    while let field = reader.next() {
      guard field.tag > last || field.tag == Tag.address && last == Tag.address, take(field) else { return nil }
      last = field.tag
      seen.insert(field.tag)
    }
    guard !reader.isBroken, seen.isSuperset(of: [Tag.name, Tag.flags, Tag.mtu]), !name.isEmpty else { return nil }
  }

  package init?(bytes: [UInt8]) { self.init(bytes: bytes[...]) }

  private mutating func take(_ field: FieldReader.Field) -> Bool {
    switch field.tag {
    case Tag.name:
      return Self.set(&name, field.text(limit: Self.longestName).flatMap { IfconfigLine.isName($0) ? $0 : nil })
    case Tag.flags: return Self.set(&flags, field.number(UInt32.self).map(InterfaceFlags.init(rawValue:)))
    case Tag.mtu: return Self.set(&mtu, field.number())
    case Tag.metric: return Self.set(&metric, field.number())
    case Tag.linkState: return Self.set(&linkState, field.number(UInt8.self).flatMap(LinkState.init(rawValue:)))
    case Tag.tunnel:
      tunnel = TunnelEnds(field.fields)
      return tunnel != nil
    case Tag.session:
      session = L2TPSession(fieldValue: field.value)
      return session != nil
    case Tag.cookies:
      cookies = L2TPCookies(fieldValue: field.value)
      return cookies != nil
    case Tag.counters: return Self.set(&counters, InterfaceCounters(fieldValue: field.value))
    case Tag.lastError:
      lastError = field.text(limit: Self.longestText)
      return lastError != nil
    case Tag.address:
      guard addresses.count < Self.mostAddresses, let address = InterfaceAddress(field.fields) else { return false }
      addresses.append(address)
      return true
    default: return false
    }
  }

  private static func set<Value>(_ place: inout Value, _ value: Value?) -> Bool {
    guard let value else { return false }
    place = value
    return true
  }
}

extension InterfaceCounters {
  private static var paths: [WritableKeyPath<InterfaceCounters, UInt64>] {
    [
      \.inputPackets, \.inputBytes, \.inputErrors, \.inputDrops, \.inputMulticasts, \.outputPackets, \.outputBytes,
      \.outputErrors, \.outputDrops, \.outputMulticasts,
    ]
  }

  /// 80 bytes.
  package var fieldValue: [UInt8] {
    var value: [UInt8] = []
    for path in Self.paths { value.appendNumber(self[keyPath: path]) }
    return value
  }

  package init?(fieldValue value: ArraySlice<UInt8>) {
    guard value.count == Self.paths.count * 8 else { return nil }
    self.init()
    for (index, path) in Self.paths.enumerated() {
      guard let number = value.number(UInt64.self, at: index * 8) else { return nil }
      self[keyPath: path] = number
    }
  }
}
