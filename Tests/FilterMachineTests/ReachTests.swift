import Testing

@testable import SwBPFFilterMachine

@Suite("Reach")
struct ReachTests {
  static func reachOf(_ program: [I], ancillary: Bool = false) throws -> Reach {
    reach(of: try Program(program, ancillary: ancillary, limit: Program.expressionLimit))
  }

  @Test("absolute loads reach offset plus width, MSH one byte, LEN and returns nothing")
  func absolute() throws {
    #expect(try Self.reachOf([insn(Opcode.LD_B_ABS, 100), insn(Opcode.RET_K, 64)]) == .bytes(101))
    #expect(try Self.reachOf([insn(Opcode.LD_H_ABS, 12), insn(Opcode.RET_A)]) == .bytes(14))
    #expect(try Self.reachOf([insn(Opcode.LD_W_ABS, 26), insn(Opcode.LD_B_ABS, 2), insn(Opcode.RET_A)]) == .bytes(30))
    #expect(try Self.reachOf([insn(Opcode.LDX_MSH, 14), insn(Opcode.RET_A)]) == .bytes(15))
    #expect(try Self.reachOf([insn(Opcode.LD_LEN), insn(Opcode.RET_A)]) == .bytes(0))
  }

  @Test("an indexed load is bounded where X comes from MSH, on every way that leads to it")
  func indexed() throws {
    #expect(try Self.reachOf(compile("tcp port 80")) == .bytes(14 + 60 + 4))
    #expect(try Self.reachOf([insn(Opcode.LDX_LEN), insn(Opcode.LD_B_IND), insn(Opcode.RET_A)]) == .unbounded)
    let oneWay = [
      insn(Opcode.LDX_MSH, 14), insn(Opcode.LD_B_ABS), jump(Opcode.JEQ_K, 1, 1, 0), insn(Opcode.LDX_LEN),
      insn(Opcode.LD_B_IND, 14), insn(Opcode.RET_A),
    ]
    #expect(try Self.reachOf(oneWay) == .unbounded)
    let wrapped = [
      insn(Opcode.LDX_IMM, 3), insn(Opcode.TXA), insn(Opcode.SUB_K, 1), insn(Opcode.TAX), insn(Opcode.LD_B_IND),
      insn(Opcode.RET_A),
    ]
    #expect(try Self.reachOf(wrapped) == .unbounded)
  }

  @Test("loads of metadata reach nothing in a marked program")
  func metadata() throws {
    let program = try compile("outbound and udp port 9")
    #expect(try Self.reachOf(program, ancillary: true) == Self.reachOf(compile("udp port 9")))
  }

  @Test("a frame cut to the reach gets the whole frame's verdict")
  func cut() throws {
    var random = Random(state: 4)
    var programs = DifferentialTests.expressions.compactMap {
      try? Program(compile($0), limit: Program.expressionLimit)
    }
    for _ in 0..<3000 { if let program = try? Program(DifferentialTests.program(&random)) { programs.append(program) } }
    var bounded = 0
    for program in programs {
      guard case .bytes(let limit) = reach(of: program) else { continue }
      bounded += 1
      for _ in 0..<50 {
        let frame = DifferentialTests.frame(&random)
        let wire = UInt32(frame.count)
        let whole = program.verdict(frame, wireLength: wire)
        let short = program.verdict(Array(frame.prefix(Int(limit))), wireLength: wire)
        if whole != short {
          Issue.record("reach \(limit): \(whole), cut \(short): \(program.instructions) on \(frame)")
        }
      }
    }
    #expect(bounded > 500)
  }
}
