// The two buffers of a device: what fits, what turns them, what is lost; and the counters of all that.
import SwBPFFilterMachine
import SwBPFKern
import Testing

@testable import SwBPFBPF

/// Bytes of a record of an Ethernet frame, FreeBSD's layout.
private func size(_ frame: Int) -> Int { 26 + frame }

@Suite("Buffers of devices", .timeLimit(.minutes(1)))
struct DeviceBufferTests {
  @Test("C-098: a packet larger than the buffer is cut to it, alone in it, and counted")
  func larger() throws {
    let wire = Wire()
    let one = try device(bufferSize: 256, on: wire)
    wire.tap(frame(1, 20))
    wire.tap(frame(2, 500))
    wire.tap(frame(3, 20))
    #expect(try one.readFrames() == [frame(1, 20)])
    wire.tap(frame(4, 20))
    let record = try #require(try one.readBuffer())
    #expect(record.count == 256)
    #expect(try parse(record).map(\.frame) == [Array(frame(2, 500).prefix(230))])
    #expect(try parse(record)[0].length == 500)
    #expect(try one.readNow() == [frame(4, 20)])
    #expect(one.statistics.cut == 1 && one.statistics.dropped == 1 && one.statistics.addsUp)
  }

  @Test("C-099, C-100: a record is never split: what does not fit turns the buffers and comes first")
  func whole() throws {
    let wire = Wire()
    // Two records of 94 bytes: the second starts at 96 and ends at 190.
    let one = try device(bufferSize: 190, on: wire)
    for number in 1...4 { wire.tap(frame(UInt8(number), 68)) }
    #expect(one.readableBytes == 190 + 190)
    let first = try #require(try one.readBuffer())
    #expect(first.count == 190)
    #expect(try parse(first).map(\.frame) == [frame(1, 68), frame(2, 68)])
    #expect(one.readableBytes == 190)
    wire.tap(frame(5, 68))
    #expect(try one.readFrames() == [frame(3, 68), frame(4, 68)])
    #expect(try one.readNow() == [frame(5, 68)])
  }

  @Test("C-099: one byte less and the second record goes to the next buffer")
  func oneByteLess() throws {
    let wire = Wire()
    let one = try device(bufferSize: 189, on: wire)
    wire.tap(frame(1, 68))
    wire.tap(frame(2, 68))
    #expect(one.readableBytes == 94 + 94)
    #expect(try one.readFrames() == [frame(1, 68)])
  }

  @Test("C-101: with both buffers full this packet is lost, the old ones stay, a smaller one still fits")
  func bothFull() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    wire.tap(frame(1, 100))
    wire.tap(frame(2, 40))
    wire.tap(frame(3, 60))
    wire.tap(frame(4, 20))
    wire.tap(frame(5, 20))
    #expect(one.statistics.dropped == 2 && one.statistics.captured == 5 && one.statistics.waiting == 3)
    #expect(try one.readFrames() == [frame(1, 100)])
    #expect(try one.readNow() == [frame(2, 40), frame(4, 20)])
  }

  @Test(
    "C-103: the full buffer comes before the one that is filled, packets in the order of taps",
    arguments: [false, true])
  func order(immediate: Bool) throws {
    let wire = Wire()
    let one = try device(bufferSize: 256, on: wire)
    one.setImmediate(immediate)
    for number in 1...4 { wire.tap(frame(UInt8(number), 60)) }
    var all: [[UInt8]] = []
    while let some = try one.readNow() { all += some }
    #expect(all == (1...4).map { frame(UInt8($0), 60) })
  }

  @Test(
    "C-104: in the smallest buffer a record holds what is left of it, or nothing at all",
    arguments: [
      (BPF.Profile.freebsd, 32, 6), (.openbsd, 32, 2), (.netbsd, 32, nil), (.netbsd, 34, 0), (.netbsd, 33, nil),
    ]
      as [(BPF.Profile, Int, Int?)])
  func smallest(_ profile: BPF.Profile, bufferSize: Int, fits: Int?) throws {
    let wire = Wire()
    let one = try device(profile, bufferSize: bufferSize, on: wire)
    wire.tap(frame(1))
    if let fits {
      wire.tap(frame(2))
      #expect(one.statistics.waiting == 2 && one.statistics.dropped == 0 && one.statistics.cut == 2)
      for number in [UInt8(1), 2] {
        one.setImmediate(true)
        let record = try one.readRecords()
        #expect(record.map(\.frame) == [Array(frame(number).prefix(fits))] && record[0].length == 60)
      }
    } else {
      #expect(one.statistics.captured == 1 && one.statistics.dropped == 1 && one.readableBytes == 0)
      #expect(try one.readNow() == nil)
    }
    #expect(one.statistics.addsUp)
  }

  @Test("buffers of odd sizes hold what they hold", arguments: 32...75)
  func oddSizes(bufferSize: Int) throws {
    let wire = Wire()
    let one = try device(bufferSize: bufferSize, on: wire)
    var sent = 0
    for number in 0..<12 {
      wire.tap(frame(UInt8(number), 1 + number))
      sent += 1
      if number % 3 == 2 {
        while let some = try one.readNow() {
          #expect(some.allSatisfy { $0 == Array(frame($0[0], 1 + Int($0[0])).prefix($0.count)) })
        }
      }
    }
    #expect(one.statistics.addsUp && one.statistics.captured == UInt64(sent) && one.statistics.waiting == 0)
  }

  // MARK: Counters

  @Test("C-081, C-082: captured counts what the program accepts, dropped ones too; refused ones are not lost ones")
  func counts() throws {
    let wire = Wire()
    let one = try device(bufferSize: 128, on: wire)
    try one.setProgram(starting(with: 1))
    try one.setDirection(.in)
    for number in [UInt8(1), 2, 1, 1, 1] { wire.tap(frame(number, 100)) }
    wire.tap(frame(1, 100), .sent)
    let counts = one.statistics
    #expect(counts.offered == 6 && counts.hidden == 1 && counts.received == 5)
    #expect(counts.refused == 1 && counts.captured == 4 && counts.dropped == 2 && counts.waiting == 2)
  }

  @Test("C-083: received >= captured >= dropped after each step, and captured less dropped can be read")
  func countsAddUp() throws {
    let wire = Wire()
    let one = try device(bufferSize: 512, on: wire)
    try one.setProgram(starting(with: 1))
    var random = SystemRandomNumberGenerator()
    var read: UInt64 = 0
    for _ in 0..<2000 {
      if Int.random(in: 0..<6, using: &random) == 0 {
        read += UInt64(try one.readNow()?.count ?? 0)
      } else {
        wire.tap(frame(UInt8.random(in: 1...2, using: &random), .random(in: 1...300, using: &random)))
      }
      let counts = one.statistics
      #expect(counts.received >= counts.captured && counts.captured >= counts.dropped && counts.addsUp)
      #expect(counts.delivered == read)
    }
    while let some = try one.readNow() { read += UInt64(some.count) }
    #expect(one.statistics.dropped > 0 && one.statistics.captured - one.statistics.dropped == read)
  }
}
