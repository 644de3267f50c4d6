import Testing

@testable import SwBPFPacketText

struct InitiatorsTests {
  /// An IKE version 1 header in UDP from one host of 10.0.0.0/24 to another.
  private func message(_ cookie: UInt8, responder: UInt8, from source: UInt8, to destination: UInt8) -> Record {
    let cookies = [0, 0, 0, 0, 0, 0, 0, cookie, 0, 0, 0, 0, 0, 0, 0, responder]
    let header: [UInt8] = cookies + [1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28]
    let udp: [UInt8] = [1, 0xf4, 1, 0xf4, 0, 36, 0, 0]
    return Record(
      [0x45, 0, 0, 56, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, source, 10, 0, 0, destination] + udp + header)
  }

  private func letters(_ records: [Record]) -> [Substring] {
    text(records, plain(101)).map { $0.split(separator: "phase 1 ")[1].prefix(1) }
  }

  @Test("the side that began an exchange is I, the other R, and ? where the beginning was not seen")
  func sides() {
    let records = [
      message(5, responder: 9, from: 1, to: 2), message(7, responder: 0, from: 1, to: 2),
      message(7, responder: 9, from: 2, to: 1), message(7, responder: 9, from: 1, to: 2),
      message(7, responder: 9, from: 3, to: 1),
    ]
    #expect(letters(records) == ["?", "I", "R", "I", "?"])
  }

  @Test("the twenty last exchanges are remembered")
  func limit() {
    let begins = (1...21).map { message($0, responder: 0, from: 1, to: 2) }
    let answers = [UInt8(1), 2, 21].map { message($0, responder: 9, from: 2, to: 1) }
    #expect(letters(begins + answers).suffix(3) == ["?", "R", "R"])
  }
}
