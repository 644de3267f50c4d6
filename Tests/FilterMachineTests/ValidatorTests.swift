import Testing

@testable import SwBPFFilterMachine

@Suite("Validator")
struct ValidatorTests {
  @Test(
    "returns alone are valid, A and X start at 0 (C-183, C-210, C-225, C-226)",
    arguments: [
      ([insn(Opcode.RET_K, 7)], 7), ([insn(Opcode.RET_A)], 0), ([insn(Opcode.TXA), insn(Opcode.RET_A)], 0),
    ] as [([I], UInt32)])
  func returnsAlone(program: [I], result: UInt32) throws {
    #expect(try run(program, on: [1, 2, 3]) == result)
  }

  @Test("a program must end with a return (C-184)")
  func missingReturn() {
    #expect(refusal([insn(Opcode.RET_K), insn(Opcode.LD_IMM)]) == .missingReturn(at: 1))
    #expect(refusal([]) == .empty)
  }

  @Test("RET X is refused (C-185)")
  func returnX() {
    #expect(refusal([insn(BPF_RET | BPF_X)]) == .unknownOpcode(at: 0, code: 0x0e))
  }

  @Test("exactly the 49 opcodes of the table are valid, also in unreachable code (C-186)")
  func opcodeTable() {
    #expect(Set(Opcode.all).count == 49)
    for code in UInt16.min...UInt16.max {
      // Words are written first, the instruction is unreachable, k = 1 suits every opcode.
      let program = [
        insn(Opcode.ST, 1), jump(Opcode.JA, 1, 0, 0), insn(code, 1), insn(Opcode.RET_K), insn(Opcode.RET_K),
      ]
      let expected: ProgramError? =
        switch code {
        // After a jump nothing reaches the load, so nothing is unwritten there.
        case let code where Opcode.all.contains(code): nil
        default: .unknownOpcode(at: 2, code: code)
        }
      if refusal(program) != expected { Issue.record("opcode \(code): \(String(describing: refusal(program)))") }
    }
  }

  @Test("the table holds the C spellings' values")
  func spelling() {
    var codes: Set<UInt16> = []
    for size in [BPF_W, BPF_H, BPF_B] { codes.formUnion([BPF_LD | size | BPF_ABS, BPF_LD | size | BPF_IND]) }
    codes.formUnion([BPF_LD | BPF_IMM, BPF_LD | BPF_MEM, BPF_LD | BPF_LEN])
    codes.formUnion([
      BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM, BPF_LDX | BPF_LEN, BPF_LDX | BPF_B | BPF_MSH, BPF_ST, BPF_STX,
    ])
    for operand in [BPF_K, BPF_X] {
      for op in [
        BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR,
      ] { codes.insert(BPF_ALU | op | operand) }
      for op in [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET] { codes.insert(BPF_JMP | op | operand) }
    }
    codes.formUnion([BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA, BPF_RET | BPF_K, BPF_RET | BPF_A])
    codes.formUnion([BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA])
    #expect(codes == Set(Opcode.all))
  }

  @Test(
    "scratch word 15 exists, 16 does not (C-187)", arguments: [Opcode.ST, Opcode.STX, Opcode.LD_MEM, Opcode.LDX_MEM])
  func memoryWords(code: UInt16) {
    let store = insn(Opcode.ST, 15)
    #expect(refusal([store, insn(code, 15), insn(Opcode.RET_A)]) == nil)
    #expect(refusal([store, insn(code, 16), insn(Opcode.RET_A)]) == .noSuchWord(at: 1, word: 16))
  }

  @Test(
    "a word that some path leaves unwritten cannot be read (C-188, C-224)", arguments: [Opcode.LD_MEM, Opcode.LDX_MEM])
  func unwrittenWord(load: UInt16) {
    #expect(refusal([insn(load, 5), insn(Opcode.RET_A)]) == .unwrittenWord(at: 0, word: 5))
    let oneBranch = [
      insn(Opcode.LD_LEN), jump(Opcode.JEQ_K, 1, 0, 1), insn(Opcode.ST, 5), insn(load, 5), insn(Opcode.RET_A),
    ]
    #expect(refusal(oneBranch) == .unwrittenWord(at: 3, word: 5))
    let overJump = [jump(Opcode.JA, 1, 0, 0), insn(Opcode.ST, 5), insn(load, 5), insn(Opcode.RET_A)]
    #expect(refusal(overJump) == .unwrittenWord(at: 2, word: 5))
  }

  @Test("a word stored before a branch is readable on both sides (C-189)")
  func writtenBeforeBranch() {
    let program = [
      insn(Opcode.LD_LEN), insn(Opcode.ST, 3), jump(Opcode.JEQ_K, 1, 0, 2),
      insn(Opcode.LD_MEM, 3), insn(Opcode.RET_A), insn(Opcode.LDX_MEM, 3), insn(Opcode.TXA), insn(Opcode.RET_A),
    ]
    #expect(refusal(program) == nil)
  }

  @Test("division and modulo by the constant 0 are refused, by X not (C-190, C-221)")
  func zeroDivisor() {
    for code in [Opcode.DIV_K, Opcode.MOD_K] {
      #expect(refusal([insn(code, 0), insn(Opcode.RET_A)]) == .zeroDivisor(at: 0))
      #expect(refusal([insn(code, 1), insn(Opcode.RET_A)]) == nil)
    }
    for code in [Opcode.DIV_X, Opcode.MOD_X] { #expect(refusal([insn(code, 0), insn(Opcode.RET_A)]) == nil) }
    let netbsd = [
      insn(0x20, 0), insn(0x34, 0), jump(0x15, 2, 0, 1), insn(Opcode.RET_K, 0x60), insn(Opcode.RET_K, 0),
    ]
    #expect(refusal(netbsd) == .zeroDivisor(at: 1))
  }

  @Test(
    "a conditional jump may reach the last instruction and not one further (C-191)",
    arguments: [
      Opcode.JEQ_K, Opcode.JEQ_X, Opcode.JGT_K, Opcode.JGT_X, Opcode.JGE_K, Opcode.JGE_X, Opcode.JSET_K, Opcode.JSET_X,
    ])
  func conditionalJumps(code: UInt16) {
    #expect(refusal([jump(code, 0, 1, 1), insn(Opcode.RET_K), insn(Opcode.RET_K)]) == nil)
    #expect(refusal([jump(code, 0, 2, 0), insn(Opcode.RET_K), insn(Opcode.RET_K)]) == .jumpOutside(at: 0, target: 3))
    #expect(refusal([jump(code, 0, 0, 2), insn(Opcode.RET_K), insn(Opcode.RET_K)]) == .jumpOutside(at: 0, target: 3))
  }

  @Test("JA stays inside and never goes back (C-192, C-267, C-271)")
  func jumpAlways() {
    #expect(refusal([insn(Opcode.JA, 5), insn(Opcode.RET_A)]) == .jumpOutside(at: 0, target: 6))
    #expect(
      refusal([insn(Opcode.JA), insn(Opcode.JA, UInt32(bitPattern: -2)), insn(Opcode.RET_A)])
        == .jumpOutside(at: 1, target: 2 + 0xffff_fffe))
    #expect(refusal([insn(Opcode.JA, .max), insn(Opcode.RET_A)]) != nil)
    let five = Array(repeating: insn(Opcode.RET_K), count: 4)
    #expect(refusal([insn(Opcode.JA, 4)] + five) == .jumpOutside(at: 0, target: 5))
    #expect(refusal([insn(Opcode.JA, 3)] + five) == nil)
  }

  @Test(
    "MOD and XOR are valid in both forms (C-193)", arguments: [Opcode.MOD_K, Opcode.MOD_X, Opcode.XOR_K, Opcode.XOR_X])
  func moduloAndXor(code: UInt16) {
    #expect(refusal([insn(code, 1), insn(Opcode.RET_A)]) == nil)
  }

  @Test("coprocessor calls are refused without a coprocessor (C-194, C-258)", arguments: [BPF_COP, BPF_COPX])
  func coprocessor(call: UInt16) {
    #expect(refusal([insn(BPF_MISC | call, 0), insn(Opcode.RET_A)]) == .unknownOpcode(at: 0, code: BPF_MISC | call))
  }

  @Test("512 instructions are accepted, 513 not; programs from expressions may be longer (C-159, C-196)")
  func length() {
    let longest = Array(repeating: insn(Opcode.RET_K), count: 512)
    #expect(refusal(longest) == nil)
    #expect(refusal(longest + [insn(Opcode.RET_K)]) == .tooLong(count: 513, limit: 512))
    #expect(refusal(longest + longest, limit: Program.expressionLimit) == nil)
    #expect(refusal(Array(repeating: insn(Opcode.RET_K), count: 4097), limit: Program.expressionLimit) != nil)
  }

  @Test("a return with a high bit set is refused (C-267, C-268)")
  func highBits() {
    #expect(refusal([insn(Opcode.RET_A | 0x8000)]) == .unknownOpcode(at: 0, code: 0x8016))
    #expect(refusal([insn(0x8006, 17)]) == .unknownOpcode(at: 0, code: 0x8006))
  }

  @Test("the program keeps a copy of its instructions (C-165)")
  func copies() throws {
    var instructions = [insn(Opcode.RET_K, 17)]
    let program = try Program(instructions)
    instructions[0].k = 0
    #expect(program.verdict([]) == 17)
    #expect(program.instructions == [insn(Opcode.RET_K, 17)])
  }

  @Test("every refusal is EINVAL and says where")
  func errors() {
    #expect(ProgramError.zeroDivisor(at: 3).errno == 22)
    #expect("\(ProgramError.unknownOpcode(at: 2, code: 0x8006))" == "instruction 2: unknown opcode 0x8006")
  }
}
