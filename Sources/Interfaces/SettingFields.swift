// Settings as bytes. Values; any thread.

extension Setting.Value {
  private enum Tag {
    static let number: UInt16 = 1
    static let text: UInt16 = 2
  }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    write(to: &writer)
    return writer.bytes
  }

  package func write(to writer: inout FieldWriter) {
    switch self {
    case .number(let number): writer.put(Tag.number, number)
    case .text(let text): writer.put(Tag.text, text, limit: Setting.longestText)
    }
  }

  /// nil for anything but the bytes of one value.
  package init?(_ reader: FieldReader) {
    var reader = reader
    guard let field = reader.next(), reader.next() == nil, !reader.isBroken else { return nil }
    var value: Setting.Value?
    switch field.tag {
    case Tag.number: value = field.number().map { .number($0) }
    case Tag.text: value = field.text(limit: Setting.longestText).map { .text($0) }
    default: return nil
    }
    guard let value else { return nil }
    self = value
  }
}

extension Setting {
  private enum Tag {
    static let name: UInt16 = 1
    static let about: UInt16 = 2
    static let least: UInt16 = 3
    static let greatest: UInt16 = 4
    static let longest: UInt16 = 5
    static let initial: UInt16 = 6
    static let value: UInt16 = 7
  }

  /// At most 900 bytes.
  package var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.put(Tag.name, name, limit: Self.longestName)
    writer.put(Tag.about, about, limit: Self.longestText)
    switch allowed {
    case .numbers(let range):
      writer.put(Tag.least, range.lowerBound)
      writer.put(Tag.greatest, range.upperBound)
    case .text(let longest): writer.put(Tag.longest, longest)
    case .nothing: break
    }
    writer.put(Tag.initial) { initial.write(to: &$0) }
    writer.put(Tag.value) { value.write(to: &$0) }
    return writer.bytes
  }

  /// nil for anything but the bytes of one setting.
  package init?(bytes: ArraySlice<UInt8>) {
    var reader = FieldReader(bytes)
    var fields: [UInt16: FieldReader.Field] = [:]
    var last: UInt16 = 0
    while let field = reader.next() {
      guard field.tag > last, field.tag <= Tag.value else { return nil }
      last = field.tag
      fields[field.tag] = field
    }
    guard !reader.isBroken, let name = fields[Tag.name]?.text(limit: Self.longestName), Self.isName(name),
      let about = fields[Tag.about]?.text(limit: Self.longestText),
      let initial = fields[Tag.initial].flatMap({ Value($0.fields) }),
      let value = fields[Tag.value].flatMap({ Value($0.fields) }), let allowed = Self.allowed(fields)
    else { return nil }
    self.init(name, about, allowed: allowed, initial: initial, value: value)
  }

  package init?(bytes: [UInt8]) { self.init(bytes: bytes[...]) }

  private static func allowed(_ fields: [UInt16: FieldReader.Field]) -> Allowed? {
    switch (fields[Tag.least], fields[Tag.greatest], fields[Tag.longest]) {
    case (nil, nil, nil): return .nothing
    case (let least?, let greatest?, nil):
      guard let least = least.number(Int64.self), let greatest = greatest.number(Int64.self), least <= greatest else {
        return nil
      }
      return .numbers(least...greatest)
    case (nil, nil, let longest?): return longest.number(UInt16.self).map { .text(longest: $0) }
    default: return nil
    }
  }
}
