import Synchronization
import Testing

@testable import SwBPFFilterMachine

/// NetBSD's t_cop and t_extmem.
@Suite("Coprocessor and external memory")
struct CoprocessorTests {
  private static let packet = PacketPieces([[7, 8, 9], [10]])

  /// The same functions as COP k and as COPX with X = k.
  private static func calls(_ k: UInt32) -> [[I]] {
    [[insn(Opcode.COP, k)], [insn(Opcode.LDX_IMM, k), insn(Opcode.COPX)]]
  }

  private static let functions: [FilterContext.Function] = [
    { a, _ in a }, { _, call in UInt32(call.packet.count) }, { _, call in call.wireLength },
    { _, call in UInt32(call.functionCount) },
  ]

  private func run(_ program: [I], _ context: FilterContext, memory: [UInt32] = []) throws -> (UInt32, [UInt32]) {
    var memory = memory
    let verdict = try ExtendedProgram(program, context: context).run(Self.packet, wireLength: 99, memory: &memory)
    return (verdict, memory)
  }

  private func refusal(_ program: [I], _ context: FilterContext) -> ProgramError? {
    do {
      _ = try ExtendedProgram(program, context: context)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "a function sees A, both lengths and the context (C-211, C-259)",
    arguments: [(0, 13), (1, 4), (2, 99), (3, 4)] as [(UInt32, UInt32)])
  func sees(function: UInt32, result: UInt32) throws {
    let context = try FilterContext(functions: Self.functions)
    for call in Self.calls(function) {
      #expect(try run([insn(Opcode.LD_IMM, 13)] + call + [insn(Opcode.RET_A)], context).0 == result)
    }
  }

  @Test("a function is called although a later load fails (C-260)")
  func sideEffect() throws {
    let called = Mutex(0)
    let context = try FilterContext(functions: [
      { a, _ in
        called.withLock { $0 += 1 }
        return a
      }
    ])
    for call in Self.calls(0) {
      #expect(try run(call + [insn(Opcode.LD_B_ABS, 99), insn(Opcode.RET_K, 1)], context).0 == 0)
    }
    #expect(called.withLock { $0 } == 2)
  }

  @Test("COP of a function that does not exist is refused, COPX of one ends the program with 0 (C-195, C-211, C-261)")
  func invalidIndex() throws {
    let context = try FilterContext(functions: Self.functions)
    #expect(refusal([insn(Opcode.COP, 4), insn(Opcode.RET_K, 1)], context) == .noSuchFunction(at: 0, function: 4))
    for k: UInt32 in [4, 5, .max] {
      #expect(try run([insn(Opcode.LDX_IMM, k), insn(Opcode.COPX), insn(Opcode.RET_K, 1)], context).0 == 0)
    }
  }

  @Test("functions called one after the other see each other's A (C-273)")
  func chain() throws {
    let context = try FilterContext(functions: [{ a, _ in a + 1 }, { a, _ in a * 10 }])
    let copx = [insn(Opcode.LDX_IMM, 1), insn(Opcode.COPX)]
    #expect(try run([insn(Opcode.COP, 0)] + copx + [insn(Opcode.RET_A)], context).0 == 10)
    #expect(try run(copx + [insn(Opcode.COP, 0), insn(Opcode.RET_A)], context).0 == 1)
  }

  // MARK: External memory: four words, 0 and 3 preinitialized.

  private func memory(_ functions: [FilterContext.Function] = []) throws -> FilterContext {
    try FilterContext(functions: functions, words: 4, preinitialized: 0b1001)
  }

  @Test("preinitialized words are read, others only after a store (C-262)")
  func loads() throws {
    #expect(try run([insn(Opcode.LD_MEM, 3), insn(Opcode.RET_A)], memory(), memory: [1, 2, 3, 4]).0 == 4)
    #expect(try refusal([insn(Opcode.LD_MEM, 1), insn(Opcode.RET_A)], memory()) == .unwrittenWord(at: 0, word: 1))
    #expect(try refusal([insn(Opcode.LD_MEM, 4), insn(Opcode.RET_A)], memory()) == .noSuchWord(at: 0, word: 4))
    #expect(try refusal([insn(Opcode.ST, 4), insn(Opcode.RET_A)], memory()) == .noSuchWord(at: 0, word: 4))
  }

  @Test("stores are the caller's afterwards, also those before a load that fails (C-262, C-263)")
  func stores() throws {
    let store = [insn(Opcode.LD_IMM, 9), insn(Opcode.ST, 1), insn(Opcode.LDX_IMM, 8), insn(Opcode.STX, 2)]
    var result = try run(store + [insn(Opcode.RET_K, 1)], memory(), memory: [1, 2, 3, 4])
    #expect(result == (1, [1, 9, 8, 4]))
    result = try run(store + [insn(Opcode.LD_B_ABS, 99), insn(Opcode.RET_K, 1)], memory(), memory: [1, 2, 3, 4])
    #expect(result == (0, [1, 9, 8, 4]))
  }

  @Test("functions see and change external memory (C-264)")
  func functionsSeeMemory() throws {
    let context = try memory([
      { _, call in call.memory[2] }, { _, call in call.memory[3] },
      { a, call in
        call.store(a, at: 0)
        return 0
      },
    ])
    for call in Self.calls(0) {
      let stores = [insn(Opcode.LD_IMM, 137), insn(Opcode.ST, 2)]
      #expect(try run(stores + call + [insn(Opcode.RET_A)], context, memory: [0, 0, 0, 5]).0 == 137)
    }
    for call in Self.calls(1) {
      #expect(try run(call + [insn(Opcode.RET_A)], context, memory: [0, 0, 0, 5]).0 == 5)
    }
    for call in Self.calls(2) {
      let program = [insn(Opcode.LD_IMM, 6)] + call + [insn(Opcode.LD_MEM, 0), insn(Opcode.RET_A)]
      let result = try run(program, context, memory: [0, 0, 0, 5])
      #expect(result == (6, [6, 0, 0, 5]))
    }
  }

  @Test("a context has at most 30 words, and initialises only those it has")
  func contexts() throws {
    _ = try FilterContext(words: 30, preinitialized: 1 << 29)
    for (words, mask) in [(31, 0), (4, 16), (0, 1), (30, 1 << 30)] as [(Int, UInt32)] {
      #expect(throws: ProgramError.invalidContext) { try FilterContext(words: words, preinitialized: mask) }
    }
  }

  @Test("a program without a context knows neither COP nor COPX (C-194, C-258)", arguments: [Opcode.COP, Opcode.COPX])
  func withoutContext(code: UInt16) {
    #expect(throws: ProgramError.unknownOpcode(at: 0, code: code)) { try Program([insn(code), insn(Opcode.RET_K)]) }
  }
}
