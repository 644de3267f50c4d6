import Testing

@testable import SwBPFPackets

struct InternetChecksumTests {
  /// RFC 1071, two bytes at a time.
  private func slow(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for index in bytes.indices { sum += Int(bytes[index]) << (index % 2 == 0 ? 8 : 0) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }

  @Test("equals the sum of two bytes at a time, for every length and for parts of odd length")
  func lengths() {
    var generator = SystemRandomNumberGenerator()
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in
        UInt8.random(in: .min ... .max, using: &generator) | (length % 3 == 0 ? 0xff : 0)
      }
      let whole = InternetChecksum.of(bytes.span.bytes)
      #expect(whole == slow(bytes))
      var parts = InternetChecksum()
      let cut = length / 3
      let span = bytes.span.bytes
      parts.add(span.extracting(first: cut))
      parts.add(span.extracting(droppingFirst: cut))
      #expect(parts.value == slow(bytes))
    }
  }

  @Test("is zero over a header that carries its own checksum")
  func header() {
    let header: [UInt8] = [
      0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
    ]
    let sum = InternetChecksum.of(header.span.bytes)
    #expect(sum == 0)
  }

  @Test("adds the words of a pseudo header")
  func words() {
    var sum = InternetChecksum()
    for word: UInt16 in [0x0102, 0xff03, 0xfffe] { sum.add(word) }
    #expect(sum.value == slow([1, 2, 0xff, 3, 0xff, 0xfe]))
  }
}
