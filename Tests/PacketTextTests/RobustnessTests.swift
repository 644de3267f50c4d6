import Testing

@testable import SwBPFPacketText

struct RobustnessTests {
  private static let linkTypes: [Int32] = [1, 12, 101, 0, 108, 113, 276, 105]

  /// Prints what the builder makes of each number, with one printer; each text is a line of its own.
  private func print(_ count: Int, _ linkType: Int32, _ make: (inout FrameBuilder) -> [UInt8]) {
    var builder = FrameBuilder(seed: UInt64(linkType) &+ 77)
    var options = plain(linkType)
    options.linkHeader = linkType % 2 == 0
    var printer = LinePrinter(options)
    var buffer = TextBuffer(capacity: 64)
    var complete = 0
    for _ in 0..<count {
      let frame = make(&builder)
      let wireLength = frame.count + (builder.below(3) == 0 ? builder.below(2000) : 0)
      buffer.removeAll()
      printer.print(
        seconds: 0, nanoseconds: 0, wireLength: UInt32(wireLength), frame: frame.span.bytes, to: &buffer)
      if buffer.bytes.unsafeLoad(fromByteOffset: buffer.count - 1, as: UInt8.self) == 10 { complete += 1 }
    }
    #expect(complete == count)
  }

  @Test("random bytes never stop the printer", arguments: linkTypes)
  func random(_ linkType: Int32) {
    print(effort(12_500), linkType) { $0.some($0.below(120)) }
  }

  @Test("mutated frames never stop the printer", arguments: linkTypes)
  func mutated(_ linkType: Int32) {
    print(effort(12_500), linkType) { builder in
      var frame = builder.frame(linkType)
      for _ in 0...builder.below(4) { frame[builder.below(min(frame.count, 90))] = builder.byte() }
      return Array(frame.prefix(1 + builder.below(frame.count * 2)))
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
