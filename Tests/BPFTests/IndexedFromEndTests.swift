// NetBSD's t_bpfilter: a program that looks for a pattern at the end of the packet, wherever that is.
import SwBPFFilterMachine
import Testing

@testable import SwBPFBPF

@Suite("Programs that count from the end", .timeLimit(.minutes(1)))
struct IndexedFromEndTests {
  private static let magic: [UInt8] = [37, 0xc2, 0xc2, 0x7d, 0x7d, 0x7d, 0x7d]

  /// ld len; sub #7; tax; ldb [x] is 37; ldh [x + 1] is 0xc2c2; ld [x + 3] is 0x7d7d7d7d.
  private static let program: [Instruction] = [
    .statement(0x80, 0), .statement(0x14, 7), .statement(0x07, 0), .statement(0x50, 0), .jump(0x15, 37, 0, 5),
    .statement(0x48, 1), .jump(0x15, 0xc2c2, 0, 3), .statement(0x40, 3), .jump(0x15, 0x7d7d_7d7d, 0, 1),
    .statement(0x06, .max), .statement(0x06, 0),
  ]

  private let bench: Bench
  private let one: BPF.Descriptor

  init() throws {
    bench = try Bench()
    one = try bench.open(.netbsd, attached: false)
    // BIOCSRTIMEOUT of 500 us, BIOCSETIF, BIOCSETF.
    #expect(one.refusal(0x8010_427a, little(UInt64(0)) + little(UInt64(500))) == 0)
    #expect(one.refusal(0x8090_426c, ifreq("en0", size: 144)) == 0)
    #expect(one.refusal(0x8010_4267, program: Self.program) == 0)
  }

  /// A reply to a ping with the pattern at its end.
  private static func echo(_ count: Int) -> [UInt8] {
    let ip: [UInt8] = [0x45, 0, UInt8((count - 14) >> 8), UInt8((count - 14) & 255), 0, 0, 0, 0, 64, 1, 0, 0]
    let head = [UInt8](repeating: 2, count: 12) + [8, 0] + ip + [10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 1]
    return head + [UInt8](repeating: 0x5a, count: count - head.count - magic.count) + magic
  }

  /// bs_capt of BIOCGSTATS.
  private func captured() throws -> UInt64 {
    let answer = try one.answer(0x4080_426f)
    return answer[16..<24].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test("C-222: a pattern at the end of a contiguous packet is found: all of it is read, and counted")
  func contiguous() throws {
    let echo = Self.echo(128)
    bench.tap(Array(echo.dropLast()))
    bench.tap(echo)
    bench.tap(Array(echo.dropLast(3)) + [0, 0, 0])
    let records = try one.readRecords()
    #expect(records.map(\.frame) == [echo])
    #expect(records.allSatisfy { $0.captured == 128 && $0.length == 128 && $0.headerLength > 0 })
    #expect(try captured() == 1)
  }

  @Test("C-223: a pattern at the end of a packet in pieces is found, wherever the pieces meet", arguments: [129, 513])
  func chain(count: Int) throws {
    let echo = Self.echo(count)
    for cut in 0...count {
      // Two pieces, three about the pattern's beginning, and one that has nothing.
      let cuts = [cut, max(cut, count - 5), max(cut, count - 5)]
      var reader = TapReader()
      let isOpen = reader.begin(bench.interface.pointOfDriver)
      #expect(isOpen)
      for frame in [echo, Array(echo.dropLast()) + [0]] {
        frame.withUnsafeBytes { whole in
          let borders = [0] + cuts + [count]
          reader.tap(
            zip(borders, borders.dropFirst()).map { UnsafeRawBufferPointer(rebasing: whole[$0..<$1]) }, .received,
            stamp: 1_000_000_000)
        }
      }
      reader.end()
      let records = try one.readRecords()
      #expect(records.map(\.frame) == [echo] && records.map(\.length) == [count])
      #expect(try captured() == UInt64(cut + 1))
    }
  }
}
