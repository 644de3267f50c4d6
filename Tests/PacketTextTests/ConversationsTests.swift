import Testing

@testable import SwBPFPacketText

struct ConversationsTests {
  private func key(_ number: Int) -> ConversationKey {
    ConversationKey(lowLow: UInt64(number), highLow: 9, ports: 1 << 16 | 2, version: 4)
  }

  @Test("keeps thousands of conversations apart")
  func many() {
    var table = Conversations()
    var wrong = 0
    for round in 0..<2 {
      for number in 0..<8000 {
        var sequence = UInt32(number * 10 + round)
        var acknowledgement: UInt32 = 100
        _ = table.follow(
          key(number), reversed: false, begins: false, sequence: &sequence, acknowledgement: &acknowledgement)
        if round == 1, sequence != 1 || acknowledgement != 1 { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test("forgets the longest quiet conversations when there are too many, and goes on")
  func bounded() {
    var table = Conversations()
    for number in 0..<100_000 {
      var sequence: UInt32 = 1
      var acknowledgement: UInt32 = 1
      _ = table.follow(
        key(number), reversed: false, begins: false, sequence: &sequence, acknowledgement: &acknowledgement)
    }
    var sequence: UInt32 = 6
    var acknowledgement: UInt32 = 6
    _ = table.follow(
      key(99_999), reversed: false, begins: false, sequence: &sequence, acknowledgement: &acknowledgement)
    #expect(sequence == 5)
    sequence = 6
    _ = table.follow(key(0), reversed: false, begins: false, sequence: &sequence, acknowledgement: &acknowledgement)
    #expect(sequence == 6)
  }
}
