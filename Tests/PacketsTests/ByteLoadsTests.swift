import Testing

@testable import SwBPFPackets

struct ByteLoadsTests {
  private let data: [UInt8] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09]

  @Test("loads numbers in network order and in little-endian order, at odd offsets too")
  func loads() {
    let span = data.span.bytes
    let words = [UInt16(span.u8(at: 8)), span.be16(at: 1), span.le16(at: 1)]
    #expect(words == [9, 0x0203, 0x0302])
    let longs = [span.be24(at: 1), span.be32(at: 1), span.le32(at: 1)]
    #expect(longs == [0x020304, 0x0203_0405, 0x0504_0302])
    let longest = [span.be64(at: 1), span.le64(at: 1)]
    #expect(longest == [0x0203_0405_0607_0809, 0x0908_0706_0504_0302])
  }

  @Test("knows what was captured, whatever numbers it is asked about")
  func holds() {
    let span = data.span.bytes
    let yes = [span.holds(9), span.holds(0, at: 9), span.holds(1, at: 8)]
    #expect(yes == [true, true, true])
    let no = [
      span.holds(10), span.holds(0, at: 10), span.holds(1, at: 9), span.holds(-1), span.holds(1, at: -1),
      span.holds(.max, at: .max),
    ]
    #expect(!no.contains(true))
  }
}
