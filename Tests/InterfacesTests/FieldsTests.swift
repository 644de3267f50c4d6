import Testing

@testable import SwBPFInterfaces

@Suite("Fields")
struct FieldsTests {
  @Test("what is put is read back in its order")
  func roundTrip() {
    var writer = FieldWriter()
    writer.put(7, [1, 2, 3])
    writer.put(8, UInt64(0x0102_0304_0506_0708))
    writer.put(9, Int32(-5))
    writer.put(10, "naïve", limit: 100)
    writer.put(11) { $0.put(1, UInt8(9)) }
    var reader = FieldReader(writer.bytes)
    let fields = all(&reader)
    #expect(fields.map(\.tag) == [7, 8, 9, 10, 11] && !reader.isBroken)
    #expect(fields[0].value == [1, 2, 3] && fields[1].number(UInt64.self) == 0x0102_0304_0506_0708)
    #expect(fields[2].number(Int32.self) == -5 && fields[3].text(limit: 6) == "naïve")
    var inner = fields[4].fields
    #expect(all(&inner).map { $0.number(UInt8.self) } == [9] && !inner.isBroken)
  }

  @Test("a field that is cut anywhere is no field")
  func cut() {
    var writer = FieldWriter()
    writer.put(1, UInt32(5))
    for count in 1..<writer.bytes.count {
      var reader = FieldReader(Array(writer.bytes.prefix(count)))
      #expect(all(&reader).isEmpty && reader.isBroken)
      #expect(all(&reader).isEmpty && reader.isBroken)
    }
  }

  @Test("numbers of another length, and text that is no text, are nothing")
  func wrong() throws {
    var writer = FieldWriter()
    writer.put(1, [1, 2, 3])
    writer.put(2, [0x61, 0, 0x62])
    writer.put(3, [0xff, 0xfe])
    var reader = FieldReader(writer.bytes)
    let fields = all(&reader)
    try #require(fields.count == 3)
    #expect(fields[0].number(UInt16.self) == nil && fields[0].number(UInt32.self) == nil)
    #expect(fields[0].text(limit: 2) == nil && fields[1].text(limit: 10) == nil && fields[2].text(limit: 10) == nil)
  }

  @Test("long text is cut between characters")
  func longText() {
    var writer = FieldWriter()
    writer.put(1, "ééé", limit: 5)
    var reader = FieldReader(writer.bytes)
    #expect(all(&reader).map { $0.text(limit: 5) } == ["éé"])
  }

  private func all(_ reader: inout FieldReader) -> [FieldReader.Field] {
    var fields: [FieldReader.Field] = []
    while let field = reader.next() { fields.append(field) }
    return fields
  }
}
