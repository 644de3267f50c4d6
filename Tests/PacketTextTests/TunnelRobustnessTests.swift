import Testing

@testable import SwBPFPacketText

struct TunnelRobustnessTests {
  /// Prints what `make` makes of a tunnel inside IP; each text is a line of its own.
  private func print(_ verbosity: Int, _ make: (inout FrameBuilder) -> [UInt8]) {
    var builder = FrameBuilder(seed: UInt64(verbosity) &+ 177)
    var options = plain(101)
    options.verbosity = verbosity
    var printer = LinePrinter(options)
    var buffer = TextBuffer(capacity: 64)
    let count = effort(20_000)
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

  private func header(_ number: UInt8, _ builder: inout FrameBuilder) -> [UInt8] {
    [0x45, 0] + builder.be16(builder.below(4) == 0 ? 20 + builder.below(100) : 1500) + [0, 0, 0, 0, 64, number, 0, 0]
      + builder.ipv4Address() + builder.ipv4Address()
  }

  @Test("random bytes in a tunnel never stop the printer", arguments: [0, 1, 2])
  func random(_ verbosity: Int) {
    print(verbosity) { builder in
      let number = builder.oneOf([2, 2, 4, 41, 47, 47, 50, 51, 108, 115, 17])
      var ports: [UInt8] = []
      if number == 17 {
        ports = builder.be16(builder.oneOf([500, 4500, 4789, 4790])) + builder.some(2) + [5, 0, 0, 0]
        if builder.below(2) == 0 { ports += [0, 0, 0, 0] }
      }
      let first: [UInt8] = number == 2 ? [builder.oneOf([0x11, 0x13, 0x14, 0x22])] : []
      return header(UInt8(number), &builder) + ports + first + builder.some(builder.below(100))
    }
  }

  @Test("mutated tunnels never stop the printer", arguments: [0, 1, 2])
  func mutated(_ verbosity: Int) {
    print(verbosity) { builder in
      let (number, payload) = builder.below(4) == 0 ? (UInt8(17), builder.udpTunnel()) : builder.tunnel()
      var frame = header(number, &builder) + payload
      for _ in 0...builder.below(4) { frame[builder.below(min(frame.count, 90))] = builder.byte() }
      return Array(frame.prefix(1 + builder.below(frame.count * 2)))
    }
  }
}
