// Fields between the daemon and its clients: tag (16 bits), length (16 bits), bytes; numbers in host order. Both ends are on one
// machine, and neither trusts the other: whatever the bytes, reading ends with values or with nil. Values; any thread.

package struct FieldWriter: Sendable {
  /// The largest value of a field, bytes.
  package static let largest = Int(UInt16.max)

  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// - Precondition: at most ``largest`` bytes.
  package mutating func put(_ tag: UInt16, _ value: [UInt8]) {
    precondition(value.count <= Self.largest, "a field is too long")
    bytes.appendNumber(tag)
    bytes.appendNumber(UInt16(value.count))
    bytes += value
  }

  package mutating func put(_ tag: UInt16, _ number: some FixedWidthInteger) {
    var value: [UInt8] = []
    value.appendNumber(number)
    put(tag, value)
  }

  /// Text as UTF-8, cut at `limit` bytes, between characters.
  package mutating func put(_ tag: UInt16, _ text: String, limit: Int) {
    var value: [UInt8] = []
    for character in text {
      if value.count + character.utf8.count > limit { break }
      value += character.utf8
    }
    put(tag, value)
  }

  /// Fields inside a field.
  package mutating func put(_ tag: UInt16, _ inner: (inout FieldWriter) -> Void) {
    var writer = FieldWriter()
    inner(&writer)
    put(tag, writer.bytes)
  }
}

/// Takes fields off the front.
package struct FieldReader: Sendable {
  package struct Field: Sendable {
    package let tag: UInt16
    package let value: ArraySlice<UInt8>
  }

  private var rest: ArraySlice<UInt8>
  /// Whether the bytes were no fields from some place on.
  package private(set) var isBroken = false

  package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }
  package init(_ bytes: [UInt8]) { rest = bytes[...] }

  /// nil at the end and, with ``isBroken`` set, where no whole field follows.
  package mutating func next() -> Field? {
    if rest.isEmpty || isBroken { return nil }
    guard let tag = rest.number(UInt16.self, at: 0), let length = rest.number(UInt16.self, at: 2),
      rest.count - 4 >= Int(length)
    else {
      isBroken = true
      return nil
    }
    let value = rest.dropFirst(4).prefix(Int(length))
    rest = rest.dropFirst(4 + Int(length))
    return Field(tag: tag, value: value)
  }
}

extension FieldReader.Field {
  /// A number; nil when the field has another length.
  package func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number? {
    value.count == Number.bitWidth / 8 ? value.number(type, at: 0) : nil
  }

  /// Text of at most `limit` bytes; nil when it is longer, no UTF-8, or has a NUL.
  package func text(limit: Int) -> String? {
    guard value.count <= limit, !value.contains(0) else { return nil }
    return String(validating: value, as: UTF8.self)
  }

  package var fields: FieldReader { FieldReader(value) }
}

extension ArraySlice<UInt8> {
  /// A number in host order; nil when it is not all there.
  package func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self, at offset: Int) -> Number? {
    let size = Number.bitWidth / 8
    guard offset >= 0, offset <= count, count - offset >= size else { return nil }
    var number: Number = 0
    for byte in self[(startIndex + offset)..<(startIndex + offset + size)].reversed() {
      number = (Number.bitWidth > 8 ? number << 8 : 0) | Number(truncatingIfNeeded: byte)
    }
    return Number(littleEndian: number)
  }
}

extension [UInt8] {
  /// In host order.
  package mutating func appendNumber<Number: FixedWidthInteger>(_ number: Number) {
    let little = number.littleEndian
    for index in 0..<Number.bitWidth / 8 { append(UInt8(truncatingIfNeeded: little >> Number(index * 8))) }
  }
}
