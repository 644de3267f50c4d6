import Testing

@testable import SwBPFPacketText

/// A million packets in all that no honest sender makes, printed tersely and verbosely.
struct RobustnessTests {
  private static let linkTypes: [Int32] = [1, 12, 101, 0, 108, 113, 276, 105, 239]

  /// Prints with one printer; every text has to be lines of printable characters.
  private struct Bench: ~Copyable {
    var printer: LinePrinter
    var buffer = TextBuffer(capacity: 64)
    var printed = 0
    var wrong = 0

    init(_ linkType: Int32, verbosity: Int) {
      var options = plain(linkType)
      options.linkHeader = (Int(linkType) + verbosity) % 2 == 0
      options.quiet = verbosity == 3
      options.verbosity = verbosity
      options.dump = [.none, .hex, .hexAndText, .text][verbosity]
      printer = LinePrinter(options)
    }

    mutating func print(_ frame: [UInt8], wireLength: Int) {
      buffer.removeAll()
      printer.print(
        seconds: 0, nanoseconds: 0, wireLength: UInt32(wireLength), frame: frame.span.bytes, to: &buffer)
      printed += 1
      let isRight = buffer.bytes.withUnsafeBytes { text in
        var index = 0
        while index < text.count {
          let byte = text[index]
          if byte < 0x20 && byte != 0x0a && byte != 0x09 || byte > 0x7e { return false }
          index += 1
        }
        return text.last == 0x0a
      }
      if !isRight { wrong += 1 }
    }
  }

  /// Prints what the builder makes, a quarter of `count` with each verbosity.
  private func print(_ count: Int, _ linkType: Int32, _ make: (inout FrameBuilder) -> [UInt8]) {
    var builder = FrameBuilder(seed: UInt64(linkType) &+ 77)
    for verbosity in 0...3 {
      var bench = Bench(linkType, verbosity: verbosity)
      for _ in 0..<(count + 3) / 4 {
        let frame = make(&builder)
        bench.print(frame, wireLength: frame.count + (builder.below(3) == 0 ? builder.below(2000) : 0))
      }
      #expect(bench.wrong == 0)
    }
  }

  @Test("random bytes never stop the printer", arguments: linkTypes)
  func random(_ linkType: Int32) {
    print(effort(31_250), linkType) { $0.some($0.below(120)) }
  }

  @Test("mutated frames never stop the printer", arguments: linkTypes)
  func mutated(_ linkType: Int32) {
    print(effort(31_250), linkType) { builder in
      var frame = builder.below(2) == 0 ? builder.frame(linkType) : builder.detailed(linkType)
      for _ in 0...builder.below(4) { frame[builder.below(min(frame.count, 90))] = builder.byte() }
      return Array(frame.prefix(1 + builder.below(frame.count * 2)))
    }
  }

  @Test("packets of every protocol, with bytes changed and cut anywhere, never stop the printer", arguments: 0...3)
  func corpus(_ verbosity: Int) throws {
    var builder = FrameBuilder(seed: UInt64(verbosity) &+ 4993)
    let groups = Corpus.names.filter { !$0.hasSuffix("-cut") }.map { Corpus(name: $0) }
    let total = try groups.map { try $0.packets().count }.reduce(0, +)
    let rounds = effort(127_000) / total
    try #require(rounds > 0)
    for group in groups {
      var bench = Bench(try group.linkType(), verbosity: verbosity)
      let packets = try group.packets()
      for packet in packets {
        for round in 0..<rounds {
          var frame = packet.bytes
          // Every third is only cut.
          if round % 3 > 0 {
            for _ in 0..<round % 3 { frame[builder.below(frame.count)] = builder.byte() }
          }
          bench.print(Array(frame.prefix(1 + builder.below(frame.count))), wireLength: packet.wireLength)
        }
      }
      #expect(bench.printed == packets.count * rounds)
      #expect(bench.wrong == 0, "\(group.name)")
    }
  }

  @Test("packets inside packets end at a limit instead of the stack's end")
  func nested() {
    var frame: [UInt8] = []
    for level in 0..<3000 {
      let length = 65000 - level * 20
      frame += [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 0, 0, 0, 64, 4, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    }
    let line = text([Record(frame, wireLength: 65000)], plain(101))[0]
    #expect(line.hasPrefix("IP 1.1.1.1 > 2.2.2.2: IP 1.1.1.1 > 2.2.2.2: "))
    #expect(line.hasSuffix("[nested too deep]\n"))
  }
}
