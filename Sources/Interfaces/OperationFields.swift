// An operation as bytes: one field, whose tag is the operation. Values; any thread.
import SwBPFPackets

extension InterfaceOperation {
  private enum Tag {
    static let up: UInt16 = 1
    static let down: UInt16 = 2
    static let mtu: UInt16 = 3
    static let link: UInt16 = 4
    static let unnumbered: UInt16 = 5
    static let tunnel: UInt16 = 6
    static let deleteTunnel: UInt16 = 7
    static let addAddress: UInt16 = 8
    static let replaceAddress: UInt16 = 9
    static let deleteAddress: UInt16 = 10
    static let session: UInt16 = 11
    static let deleteSession: UInt16 = 12
    static let cookie: UInt16 = 13
    static let deleteCookie: UInt16 = 14
  }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    switch self {
    case .up: writer.put(Tag.up, [])
    case .down: writer.put(Tag.down, [])
    case .mtu(let bytes): writer.put(Tag.mtu, bytes)
    case .link(let number, let isOn): writer.put(Tag.link, [number, isOn ? 1 : 0])
    case .unnumbered(let isOn): writer.put(Tag.unnumbered, [isOn ? 1 : 0])
    case .tunnel(let ends): writer.put(Tag.tunnel) { ends.write(to: &$0) }
    case .deleteTunnel: writer.put(Tag.deleteTunnel, [])
    case .addAddress(let address, let replaces):
      writer.put(replaces ? Tag.replaceAddress : Tag.addAddress) { address.write(to: &$0) }
    case .deleteAddress(let address): writer.put(Tag.deleteAddress, address.fieldValue)
    case .session(let session): writer.put(Tag.session, session.fieldValue)
    case .deleteSession: writer.put(Tag.deleteSession, [])
    case .cookie(let cookies): writer.put(Tag.cookie, cookies.fieldValue)
    case .deleteCookie: writer.put(Tag.deleteCookie, [])
    }
    return writer.bytes
  }

  /// nil for anything but the bytes of one operation.
  package init?(bytes: ArraySlice<UInt8>) {
    var reader = FieldReader(bytes)
    guard let field = reader.next(), reader.next() == nil, !reader.isBroken else { return nil }
    var operation: InterfaceOperation?
    switch field.tag {
    case Tag.up: operation = field.value.isEmpty ? .up : nil
    case Tag.down: operation = field.value.isEmpty ? .down : nil
    case Tag.deleteTunnel: operation = field.value.isEmpty ? .deleteTunnel : nil
    case Tag.deleteSession: operation = field.value.isEmpty ? .deleteSession : nil
    case Tag.deleteCookie: operation = field.value.isEmpty ? .deleteCookie : nil
    case Tag.mtu: operation = field.number(UInt32.self).map { .mtu($0) }
    case Tag.link:
      guard field.value.count == 2, let number = field.value.first, number <= 2 else { return nil }
      operation = Self.isOn(field.value.last).map { .link(number, $0) }
    case Tag.unnumbered: operation = Self.isOn(field.number(UInt8.self)).map { .unnumbered($0) }
    case Tag.tunnel: operation = TunnelEnds(field.fields).map { .tunnel($0) }
    case Tag.addAddress: operation = InterfaceAddress(field.fields).map { .addAddress($0, replaces: false) }
    case Tag.replaceAddress: operation = InterfaceAddress(field.fields).map { .addAddress($0, replaces: true) }
    case Tag.deleteAddress: operation = IPAddress(fieldValue: field.value).map { .deleteAddress($0) }
    case Tag.session: operation = L2TPSession(fieldValue: field.value).map { .session($0) }
    case Tag.cookie: operation = L2TPCookies(fieldValue: field.value).map { .cookie($0) }
    default: return nil
    }
    guard let operation else { return nil }
    self = operation
  }

  package init?(bytes: [UInt8]) { self.init(bytes: bytes[...]) }

  private static func isOn(_ byte: UInt8?) -> Bool? {
    switch byte {
    case 0: false
    case 1: true
    default: nil
    }
  }
}

extension L2TPSession {
  /// 8 bytes.
  package var fieldValue: [UInt8] {
    var value: [UInt8] = []
    value.appendNumber(local)
    value.appendNumber(remote)
    return value
  }

  package init?(fieldValue value: ArraySlice<UInt8>) {
    guard value.count == 8, let local = value.number(UInt32.self, at: 0), let remote = value.number(UInt32.self, at: 4)
    else { return nil }
    self.init(local: local, remote: remote)
  }
}

extension L2TPCookies {
  /// 20 bytes: the two lengths, then the two values.
  package var fieldValue: [UInt8] {
    var value: [UInt8] = []
    value.appendNumber(localLength)
    value.appendNumber(remoteLength)
    value.appendNumber(local)
    value.appendNumber(remote)
    return value
  }

  package init?(fieldValue value: ArraySlice<UInt8>) {
    guard value.count == 20, let localLength = value.number(UInt16.self, at: 0),
      let remoteLength = value.number(UInt16.self, at: 2), let local = value.number(UInt64.self, at: 4),
      let remote = value.number(UInt64.self, at: 12)
    else { return nil }
    self.init(localLength: localLength, local: local, remoteLength: remoteLength, remote: remote)
  }
}
