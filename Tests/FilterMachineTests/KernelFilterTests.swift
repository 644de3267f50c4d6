import Testing

@testable import SwBPFFilterMachine

/// Why some programs do not go to the kernel: there they mean something else. Facts of Linux, shown.
@Suite("Where the kernel differs")
struct KernelFilterTests {
  /// A program, and the bytes that each keeps of a frame of four; nil: refused.
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let program: [I]
    let ours: UInt32
    let kernel: Int?
    var testDescription: String { name }
  }

  static let cases = [
    Case(
      name: "an index that wraps",
      program: [insn(Opcode.LDX_IMM, .max), insn(Opcode.LD_B_IND, 1), insn(Opcode.RET_K, 3)],
      ours: 0, kernel: 3),
    Case(
      name: "X by 32 to the left",
      program: [insn(Opcode.LD_IMM, 3), insn(Opcode.LDX_IMM, 32), insn(Opcode.LSH_X), insn(Opcode.RET_A)], ours: 0,
      kernel: 3),
    Case(
      name: "X by 33 to the right",
      program: [insn(Opcode.LD_IMM, 6), insn(Opcode.LDX_IMM, 33), insn(Opcode.RSH_X), insn(Opcode.RET_A)], ours: 0,
      kernel: 3),
    Case(
      name: "K by 32", program: [insn(Opcode.LD_IMM, 3), insn(Opcode.LSH_K, 32), insn(Opcode.RET_K, 2)], ours: 2,
      kernel: nil),
    Case(
      name: "offsets of metadata", program: [insn(Opcode.LD_W_ABS, SKF_AD_OFF), insn(Opcode.RET_K, 2)], ours: 0,
      kernel: 2),
    Case(
      name: "the tag's presence",
      program: [insn(Opcode.LD_B_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), insn(Opcode.RET_K, 2)], ours: 0,
      kernel: 2),
  ]

  @Test("a program that the kernel understands otherwise is not for it (C-212)", arguments: cases)
  func differs(one: Case) throws {
    let program = try Program(one.program)
    #expect(program.verdict([9, 8, 7, 6]) == one.ours)
    let kernel = try #require(KernelFilter())
    #expect(kernel.attach(program) == (one.kernel != nil))
    if let kept = one.kernel { #expect(kernel.kept([9, 8, 7, 6]) == kept) }
    #expect(!UnionPart(program).isPushable)
  }

  @Test("both refuse what cannot be right: words unwritten, division by 0, jumps and returns that lead out (C-212)")
  func refusals() throws {
    let programs: [[I]] = [
      [insn(Opcode.LD_MEM, 1), insn(Opcode.RET_A)], [insn(Opcode.DIV_K, 0), insn(Opcode.RET_A)],
      [insn(Opcode.MOD_K, 0), insn(Opcode.RET_A)], [jump(Opcode.JEQ_K, 0, 1, 0), insn(Opcode.RET_A)],
      [insn(Opcode.JA, 1), insn(Opcode.RET_A)], [insn(Opcode.JA, .max), insn(Opcode.RET_A)], [insn(Opcode.LD_LEN)],
      [insn(Opcode.ST, 16), insn(Opcode.RET_A)], [insn(0x0e), insn(Opcode.RET_A)],
      [jump(Opcode.JEQ_K, 0, 0, 1), insn(Opcode.ST, 3), insn(Opcode.LD_MEM, 3), insn(Opcode.RET_A)],
    ]
    let kernel = try #require(KernelFilter())
    for program in programs {
      #expect(refusal(program) != nil, "\(program)")
      #expect(!kernel.attach(program), "\(program)")
    }
  }
}
