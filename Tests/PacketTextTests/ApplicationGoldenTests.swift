import Testing

@testable import SwBPFPacketText

struct ApplicationGoldenTests {
  @Test("prints the committed text of a message", arguments: lines)
  func line(_ golden: GoldenLine) {
    let options = plain(golden.linkType, golden.flags.isEmpty ? [] : [golden.flags])
    #expect(text([Record(bytes(golden.hex), wireLength: golden.wireLength)], options) == [golden.text])
  }

  @Test("a name that points to itself, or to and fro, ends")
  func loops() {
    let header = "450000370000400040110000 0a000001 0a000002 00359c41 00230000 0001 8180 0001 0000 0000 0000"
    for name in ["c00c 0001 0001", "c00e c00c 0001", "01 61 c00c 0001 0001", "c00d c00c c00c"] {
      let line = text([Record(bytes(header + name), wireLength: 55)], plain(101, ["-vvv"]))[0]
      #expect(line.hasSuffix("<BAD PTR> [|domain]\n"))
    }
  }

  @Test("options of DHCPv6 inside each other end at a limit instead of the stack's end")
  func nested() {
    var message: [UInt8] = [1, 0, 0, 1]
    let total = 15_000
    for level in 0..<total {
      let rest = 4 * (total - level - 1)
      message += [0, 45, UInt8(rest >> 8), UInt8(rest & 255)]
    }
    var builder = ApplicationBuilder(seed: 1)
    let packet = builder.packet(.dhcp6, payload: message)
    let line = text([Record(packet, wireLength: packet.count)], plain(101, ["-vvv"]))[0]
    #expect(line.contains("(LQ-client-data (LQ-client-data"))
    #expect(line.contains("[nested too deep]))"))
  }

  @Test("random and mutated messages never stop the printer", arguments: Application.allCases)
  func robust(_ application: Application) {
    var builder = ApplicationBuilder(seed: 99)
    let records = (0..<effort(5000)).map { _ in
      var message = builder.rarely(4) ? builder.base.some(builder.base.below(150)) : builder.message(application)
      for _ in 0...builder.base.below(6) where !message.isEmpty {
        message[builder.base.below(message.count)] = builder.base.byte()
      }
      let packet = builder.packet(application, payload: message)
      return Record(Array(packet.prefix(48 + builder.base.below(packet.count * 2))), wireLength: packet.count)
    }
    #expect(text(records, plain(101, ["-vvv"])).allSatisfy { $0.hasPrefix("IP") && $0.hasSuffix("\n") })
  }
}
