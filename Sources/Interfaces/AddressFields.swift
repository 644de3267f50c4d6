// Addresses as values of fields. An IPv4 address is its 4 bytes, an IPv6 address its 16 and the scope; the length tells them
// apart. Values; any thread.
import SwBPFPackets

extension IPAddress {
  /// 4 or 20 bytes.
  package var fieldValue: [UInt8] {
    var value = bytes
    if isIPv6 { value.appendNumber(scope) }
    return value
  }

  package init?(fieldValue value: ArraySlice<UInt8>) {
    switch value.count {
    case 4: self.init(bytes: Array(value))
    case 20:
      guard let scope = value.number(UInt32.self, at: 16) else { return nil }
      self.init(bytes: Array(value.prefix(16)), scope: scope)
    default: return nil
    }
  }
}

extension Endpoint {
  /// 6 or 22 bytes: the port stands last.
  package var fieldValue: [UInt8] {
    var value = address.fieldValue
    value.appendNumber(port)
    return value
  }

  package init?(fieldValue value: ArraySlice<UInt8>) {
    guard value.count >= 2, let address = IPAddress(fieldValue: value.dropLast(2)),
      let port = value.number(UInt16.self, at: value.count - 2)
    else { return nil }
    self.init(address, port: port)
  }
}

extension TunnelEnds {
  private enum Tag {
    static let source: UInt16 = 1
    static let destination: UInt16 = 2
  }

  package func write(to writer: inout FieldWriter) {
    writer.put(Tag.source, source.fieldValue)
    writer.put(Tag.destination, destination.fieldValue)
  }

  package init?(_ reader: FieldReader) {
    var reader = reader
    guard let first = reader.next(), let second = reader.next(), reader.next() == nil, !reader.isBroken,
      first.tag == Tag.source, second.tag == Tag.destination,
      let source = Endpoint(fieldValue: first.value), let destination = Endpoint(fieldValue: second.value)
    else { return nil }
    self.init(source: source, destination: destination)
  }
}

extension InterfaceAddress {
  private enum Tag {
    static let address: UInt16 = 1
    static let prefix: UInt16 = 2
    static let destination: UInt16 = 3
  }

  package func write(to writer: inout FieldWriter) {
    writer.put(Tag.address, address.fieldValue)
    writer.put(Tag.prefix, prefix)
    if let destination { writer.put(Tag.destination, destination.fieldValue) }
  }

  package init?(_ reader: FieldReader) {
    var reader = reader
    guard let first = reader.next(), first.tag == Tag.address, let address = IPAddress(fieldValue: first.value),
      let second = reader.next(), second.tag == Tag.prefix, let prefix = second.number(UInt8.self)
    else { return nil }
    var destination: IPAddress?
    if let third = reader.next() {
      destination = IPAddress(fieldValue: third.value)
      guard third.tag == Tag.destination, destination != nil, reader.next() == nil else { return nil }
    }
    if reader.isBroken { return nil }
    self.init(address, prefix: prefix, destination: destination)
  }
}
