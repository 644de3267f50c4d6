import SwBPFKern
import TestSupport
import Testing

@testable import SwBPFFilterMachine

@Suite("Many programs at once")
struct MergedTests {
  /// Sets of one run; `make fuzz-filter` asks for more.
  static let rounds = max(150, NativeTests.rounds / 200)

  /// Compares a merged form, with machine code and without, with the interpreter's verdicts of the programs alone.
  private func agree(
    _ programs: [Program], _ frames: [[UInt8]], _ random: inout Random
  ) -> (accepted: Int, merged: MergedPrograms) {
    let (fast, plain) = (MergedPrograms(programs), MergedPrograms(programs, native: false))
    var accepted = 0
    for (index, frame) in frames.enumerated() {
      let metadata: FrameMetadata? =
        index % 5 == 0
        ? nil
        : FrameMetadata(
          packetType: UInt8.random(in: 0...4, using: &random), vlanPresent: index % 2 == 0,
          vlanTag: UInt16.random(in: 0...9, using: &random), protocolType: UInt16.random(in: 0...9, using: &random),
          interfaceIndex: UInt32.random(in: 0...9, using: &random))
      let wire = UInt32(frame.count) + UInt32.random(in: 0...9, using: &random)
      let expected = programs.map { $0.run(frame.span.bytes, wireLength: wire, metadata: metadata) }
      accepted += expected.count { $0 != 0 }
      for merged in [fast, plain] {
        let verdicts = merged.verdicts(frame, wire: wire, metadata: metadata)
        for (program, verdict) in verdicts.enumerated() where verdict != expected[program] {
          Issue.record(
            "\(verdict), alone \(expected[program]): \(programs[program].instructions) on \(frame)")
        }
      }
    }
    return (accepted, fast)
  }

  @Test("random sets of expressions: every program's verdict from the merged form is its own")
  func expressions() throws {
    var random = Random(state: NativeTests.seed)
    var accepted = 0
    var shared = 0
    for _ in 0..<Self.rounds {
      let count = Int.random(in: 1...40, using: &random)
      let programs = try ProgramSet.expressions(&random, count: count)
      let frames = (0..<25).map { _ in ProgramSet.frame(&random) }
      let result = agree(programs, frames, &random)
      accepted += result.accepted
      if result.merged.nodeCount > 0 { shared += 1 }
    }
    #expect(accepted > 10 * Self.rounds && shared > Self.rounds / 3)
  }

  @Test("random sets of random programs, equal ones and ones that differ in constants among them")
  func randomPrograms() {
    var random = Random(state: NativeTests.seed &+ 1)
    var accepted = 0
    for round in 0..<2 * Self.rounds {
      let count = Int.random(in: 1...12, using: &random)
      let programs = ProgramSet.random(&random, count: count, ancillary: round % 2 == 0)
      let frames = (0..<12).map { _ in RandomProgram.frame(&random, length: 30) }
      accepted += agree(programs, frames, &random).accepted
    }
    #expect(accepted > 4 * Self.rounds)
  }

  @Test("expressions and random programs together, and the same set twice")
  func mixed() throws {
    var random = Random(state: NativeTests.seed &+ 2)
    for _ in 0..<Self.rounds / 4 {
      var programs = try ProgramSet.expressions(&random, count: 12)
      programs += ProgramSet.random(&random, count: 6, ancillary: false)
      programs += programs
      let frames = (0..<20).map { _ in ProgramSet.frame(&random) }
      let merged = agree(programs, frames, &random).merged
      #expect(merged.memberCount <= 18 && Array(merged.members[..<18]) == Array(merged.members[18...]))
    }
  }

  @Test("one program, equal ones, and more of a kind than one table takes")
  func edges() throws {
    let one = MergedPrograms([keeping(9), keeping(9)])
    #expect(one.verdicts([1, 2]) == [9, 9] && one.nodeCount == 0 && one.memberCount == 1)
    let none = MergedPrograms([keeping(0)])
    #expect(none.verdicts([1, 2]) == [0])
    let many = try (0..<UInt32(MergedKind.limit + 3)).map { k in
      try Program([insn(Opcode.LD_H_ABS, 0), jump(Opcode.JEQ_K, k, 0, 1), insn(Opcode.RET_K, 5), insn(Opcode.RET_K, 0)])
    }
    let merged = MergedPrograms(many + [many[7]])
    #expect(merged.kindCount == 2 && merged.memberCount == many.count && merged.nodeCount == 2)
    for k in [0, 7, 63, 64, 1023, 1024, 1026] {
      let verdicts = merged.verdicts([UInt8(k >> 8), UInt8(k & 255)])
      #expect(verdicts.dropLast().enumerated().allSatisfy { $1 == ($0 == k ? 5 : 0) })
      #expect(verdicts.last == verdicts[7])
    }
    #expect(merged.verdicts([3]).allSatisfy { $0 == 0 })
  }

  private func keeping(_ k: UInt32) -> Program { try! Program([insn(Opcode.RET_K, k)]) }

  @Test("sixty-four peers with a port each: a graph as large as one program's, and nobody has to be run")
  func ports() throws {
    let programs = try (1...64).map { try Program(try compile("udp port \($0 * 97)"), ancillary: true) }
    let one = MergedPrograms(Array(programs[..<2]))
    let merged = MergedPrograms(programs)
    #expect(merged.nodeCount <= one.nodeCount + 2)
    var random = Random(state: 64)
    var found = 0
    for port in 1...6300 {
      var frame = ProgramSet.frame(&random)
      guard frame.count >= 42, frame[12] == 8, frame[14] == 0x45, frame[20] & 0x3f == 0, frame[21] == 0, frame[23] == 17
      else { continue }
      frame[34..<38] = [UInt8(port >> 8), UInt8(port & 255), 0, 97]
      let asked = merged.asked(frame)
      #expect(asked.run == 0 && asked.sure == (port % 97 == 0 && port > 97 && port <= 64 * 97 ? 2 : 1))
      found += asked.sure
    }
    #expect(found > 1000)
  }

  @Test("host lists, nets and ranges of ports that differ in constants are looked up, too")
  func lists() throws {
    let sets: [(Int) -> String] = [
      { "host 10.0.0.\($0) or host 10.0.1.\($0)" }, { "net 10.\($0).0.0/16" },
      { "udp portrange \($0 * 10)-\($0 * 10 + 5)" },
      { "ether host 2:0:0:0:0:\(String($0, radix: 16))" },
    ]
    var random = Random(state: 65)
    for text in sets {
      let programs = try (1...64).map { try Program(try compile(text($0)), ancillary: true) }
      let merged = MergedPrograms(programs)
      #expect(merged.nodeCount < 40)
      for _ in 0..<200 { #expect(merged.asked(ProgramSet.frame(&random)).run <= 2) }
      let frames = (0..<200).map { _ in ProgramSet.frame(&random) }
      _ = agree(programs, frames, &random)
    }
  }

  @Test("programs that go ways of their own run one by one")
  func tooLarge() throws {
    var random = Random(state: 66)
    // Each compares bytes in an order of its own.
    let programs = try (0..<60).map { _ in
      var instructions: [I] = []
      for _ in 0..<12 {
        instructions += [
          insn(Opcode.LD_B_ABS, UInt32(random.next() % 20)), jump(Opcode.JGT_K, UInt32(random.next() % 9), 0, 1),
        ]
        instructions += [insn(Opcode.LD_B_ABS, UInt32(random.next() % 20))]
        instructions += [jump(Opcode.JEQ_K, UInt32(random.next() % 9), 0, 1), insn(Opcode.RET_K, 3)]
      }
      return try Program(instructions + [insn(Opcode.RET_K, 0)])
    }
    let frames = (0..<100).map { _ in (0..<19).map { _ in UInt8(random.next() % 10) } }
    let result = agree(programs, frames, &random)
    #expect(result.accepted > 0 && result.merged.nodeCount == 0)
  }
}
