import Foundation
import Testing

@testable import SwBPFPacketText

struct TextBufferTests {
  private func written(_ write: (inout TextBuffer) -> Void) -> String {
    var buffer = TextBuffer(capacity: 64)
    write(&buffer)
    return string(buffer)
  }

  @Test("writes decimal numbers of every length")
  func decimal() {
    var value: UInt64 = 1
    while value <= UInt64(UInt32.max) {
      for number in [value - 1, value, value + 1] {
        #expect(written { $0.append(decimal: UInt32(number)) } == "\(number)")
      }
      value *= 10
    }
    #expect(written { $0.append(decimal: .max) } == "4294967295")
    #expect(written { $0.append(decimal64: .max) } == "18446744073709551615")
    #expect(written { $0.append(decimal64: 1_000_000_007) } == "1000000007")
  }

  @Test("writes decimal numbers of any size and width as the library does")
  func anyDecimal() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let number = UInt32.random(in: 0 ... .max, using: &generator) >> UInt32.random(in: 0..<32, using: &generator)
      let width = Int.random(in: 1...10, using: &generator)
      let text = "\(number)"
      let padded = String(repeating: "0", count: max(0, width - text.count)) + text
      #expect(written { $0.append(decimal: number) } == text)
      #expect(written { $0.append(decimal: number, width: width) } == padded)
    }
  }

  @Test("writes every octet of a dotted address")
  func octets() {
    for octet in UInt32(0)...255 {
      #expect(written { $0.append(ipv4: octet << 24 | octet << 8 | 7) } == "\(octet).0.\(octet).7")
    }
  }

  @Test("fills decimal numbers with zeros, and lets longer ones be long")
  func width() {
    #expect(written { $0.append(decimal: 7, width: 6) } == "000007")
    #expect(written { $0.append(decimal: 1_234_567, width: 6) } == "1234567")
    #expect(written { $0.append(decimal: 0, width: 1) } == "0")
  }

  @Test("writes hexadecimal numbers with and without zeros in front", arguments: [0, 1, 0xf, 0x10, 0x9abc, UInt32.max])
  func hexadecimal(_ value: UInt32) {
    #expect(written { $0.append(hex: value) } == String(value, radix: 16))
    #expect(written { $0.append(hex: value, digits: 8) } == String(format: "%08x", value))
    #expect(written { $0.append(hex64: UInt64(value) << 32 | 5) } == String(UInt64(value) << 32 | 5, radix: 16))
  }

  @Test("writes addresses")
  func addresses() {
    let mac = bytes("00 0a 00 ff 10 02 99")
    #expect(written { $0.append(mac: mac.span.bytes, at: 1) } == "0a:00:ff:10:02:99")
    #expect(written { $0.append(ipv4: 0xff0a_6401) } == "255.10.100.1")
    #expect(written { $0.append(ipv4: 0) } == "0.0.0.0")
  }

  @Test(
    "writes IPv6 addresses in their short form",
    arguments: [
      ("00000000000000000000000000000000", "::"), ("00000000000000000000000000000001", "::1"),
      ("20010db8000000010000000000000abc", "2001:db8:0:1::abc"), ("fe800000000000000000000000000000", "fe80::"),
      ("00010000000200000003000000040000", "1:0:2:0:3:0:4:0"), ("00000000000000010000000000000001", "::1:0:0:0:1"),
      ("00000000000000000000ffff01020304", "::ffff:1.2.3.4"), ("00000000000000000000000001020304", "::1.2.3.4"),
    ])
  func ipv6(_ hex: String, _ expected: String) {
    let address = bytes(hex)
    #expect(written { $0.append(ipv6: address.span.bytes, at: 0) } == expected)
  }

  @Test("grows, keeps what it has, and can take back")
  func growth() {
    var buffer = TextBuffer(capacity: 64)
    for _ in 0..<1000 { buffer.append("0123456789") }
    #expect(string(buffer) == String(repeating: "0123456789", count: 1000))
    buffer.truncate(to: 3)
    #expect(string(buffer) == "012")
    buffer.removeAll()
    let isEmpty = buffer.isEmpty
    #expect(isEmpty)
    buffer.append(bytes("41 42").span.bytes)
    #expect(string(buffer) == "AB")
    buffer.removeAll(keepingCapacity: false)
    #expect(string(buffer).isEmpty)
  }
}
