import Foundation
import TestSupport
import Testing

@testable import SwBPFPacketText

struct JSONRobustnessTests {
  private static let linkTypes: [Int32] = [1, 12, 101, 0, 108, 113, 276, 105]

  /// Prints what `make` makes of each number, all with one printer into one buffer, and asks python3.
  private func check(_ count: Int, _ linkType: Int32, _ make: (inout FrameBuilder) -> [UInt8]) throws {
    var builder = FrameBuilder(seed: UInt64(linkType) &+ 99)
    var printer = JSONPrinter(plain(linkType))
    var buffer = TextBuffer(capacity: 64)
    for _ in 0..<count {
      let frame = make(&builder)
      let wireLength = builder.below(3) == 0 ? builder.below(2000) : frame.count
      printer.print(
        seconds: Int64(builder.below(1 << 40)), nanoseconds: UInt32(builder.below(1 << 32)),
        wireLength: UInt32(wireLength), frame: frame.span.bytes, to: &buffer)
    }
    let verdict = try pythonVerdict(buffer.bytes.withUnsafeBytes { Data($0) })
    #expect(verdict == "\(count)\n", "\(verdict.prefix(4000))")
  }

  @Test("random bytes give one valid object each", .needsTool("python3"), arguments: linkTypes)
  func random(_ linkType: Int32) throws {
    try check(effort(6000), linkType) { $0.some($0.below(120)) }
  }

  @Test("mutated and cut frames give one valid object each", .needsTool("python3"), arguments: linkTypes)
  func mutated(_ linkType: Int32) throws {
    try check(effort(9000), linkType) { builder in
      var frame = builder.frame(linkType)
      for _ in 0..<builder.below(5) { frame[builder.below(min(frame.count, 90))] = builder.byte() }
      return Array(frame.prefix(builder.below(frame.count * 2)))
    }
  }

  @Test("headers upon headers give valid objects", .needsTool("python3"))
  func chains() throws {
    // Tags, extension headers, GRE in GRE, AH in AH, IP in IP, each repeated until the frame is full.
    let units: [(Int32, String, String, Int)] = [
      (1, "000000000000 000000000000 8100", "0001 8100", 4000),
      (101, "6000 0000 ffff 00 40" + String(repeating: "00", count: 32), "3c00000000000000", 2000),
      (101, "6000 0000 ffff 2c 40" + String(repeating: "00", count: 32), "2c00000000000000", 2000),
      (101, "4500ffff 0000 0000 40 33 0000 00000000 00000000", "3301 0000 00000000 00000000", 2000),
      (101, "4500ffff 0000 0000 40 2f 0000 00000000 00000000", "00006558 000000000000 000000000000 0800", 2000),
      (101, "", "6000 0000 ffff 29 40" + String(repeating: "00", count: 32), 1000),
    ]
    var all = Data()
    var count = 0
    for (linkType, head, unit, times) in units {
      let frame = bytes(head) + (0..<times).flatMap { _ in bytes(unit) }
      for length in [frame.count, frame.count - 1, frame.count / 2 + 3] {
        let record = Record(Array(frame.prefix(length)), wireLength: frame.count)
        for line in json([record], plain(linkType)) { all.append(contentsOf: line.utf8) }
        count += 1
      }
    }
    #expect(try pythonVerdict(all) == "\(count)\n")
  }
}
