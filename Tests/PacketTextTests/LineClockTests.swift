import Testing

@testable import SwBPFPacketText

struct LineClockTests {
  /// Seconds and nanoseconds of each line, with time going backwards once.
  static let stamps: [(Int64, UInt32)] = [
    (1_700_000_000, 1_002_003), (1_700_000_000, 5_000_999), (1_700_000_001, 4_000_000), (1_699_999_999, 999_999_999),
    (1_700_090_000, 0),
  ]

  private func stamped(
    _ style: StampStyle, nanoseconds: Bool = false, _ stamps: [(Int64, UInt32)] = Self.stamps
  ) -> [String] {
    var clock = LineClock(style: style, nanoseconds: nanoseconds)
    return stamps.map { stamp in
      var buffer = TextBuffer(capacity: 64)
      clock.append(seconds: stamp.0, nanoseconds: stamp.1, to: &buffer)
      return string(buffer)
    }
  }

  @Test("-ttt counts from the line before, with a sign")
  func previous() {
    #expect(
      stamped(.sincePrevious) == [
        " 00:00:00.000000 ", " 00:00:00.003998 ", " 00:00:00.999000 ", "-00:00:01.004001 ", " 01:00:00.000001 ",
      ])
    #expect(
      stamped(.sincePrevious, nanoseconds: true) == [
        " 00:00:00.000000000 ", " 00:00:00.003998996 ", " 00:00:00.998999001 ", "-00:00:01.004000001 ",
        " 01:00:00.000000001 ",
      ])
  }

  @Test("-ttttt counts from the first line, with a sign")
  func first() {
    #expect(
      stamped(.sinceFirst) == [
        " 00:00:00.000000 ", " 00:00:00.003998 ", " 00:00:01.002998 ", "-00:00:00.001003 ", " 00:59:59.998998 ",
      ])
  }

  @Test("-tttt begins with the day")
  func day() {
    let texts = stamped(.date)
    let clock = stamped(.clock)
    #expect(texts.count == 5)
    for index in texts.indices {
      // No zone is further than a day from Greenwich.
      #expect(texts[index].hasPrefix("2023-11-1"))
      #expect(texts[index].dropFirst(11) == clock[index])
    }
  }

  @Test(
    "stamps as tcpdump does", .enabled(if: Reference.isInstalled, "needs tcpdump 4.99.3, whose text is the measure"),
    arguments: 0...5, [false, true])
  func reference(_ count: Int, _ nanoseconds: Bool) throws {
    let packet = bytes("45000020 00010000 40110000 0a000001 0a000002 9c41 9c42 000c 0000 61616161")
    let records = (Self.stamps + [(0, 0), (0, 0), (5, 0), (0x8000_0000, 0), (3, 1)]).map { stamp in
      var record = Record(packet)
      (record.seconds, record.nanoseconds) = stamp
      return record
    }
    var options = TextOptions(linkType: 101)
    options.stamp = try #require(StampStyle(rawValue: count))
    options.nanoseconds = nanoseconds
    options.packetNumber = true
    let flags = ["-n", "-#"] + (nanoseconds ? ["--nano"] : []) + [String](repeating: "-t", count: count)
    #expect(text(records, options).joined() == (try Reference.output(records, linkType: 101, flags: flags)))
  }
}
