// Judges programs before they can run. Called when a Program is made, on control paths only.

/// FreeBSD's opcode table and NetBSD's memory check in one pass. (`bpf_validate` of both)
///
/// What passes here ends after at most `count` steps, touches no scratch word it has not written, and divides by no constant
/// zero; the interpreter relies on all of it. Unreachable code is held to the same rules.
/// - Cost: linear; jumps only go forward, so one pass sees every state that can reach an instruction.
enum Validator {
  /// Throws the first rule broken; returns whether the program uses scratch memory.
  /// - Parameter context: of an extended program; nil knows no functions and sixteen words.
  static func check(_ program: [Instruction], limit: Int, context: FilterContext? = nil) throws(ProgramError) -> Bool {
    let count = program.count
    if count == 0 { throw .empty }
    if count > limit { throw .tooLong(count: count, limit: limit) }
    var usesMemory = false
    let words = context.map { $0.words > 0 ? UInt32($0.words) : BPF_MEMWORDS } ?? BPF_MEMWORDS
    // Words that may be unwritten: at the running instruction, and what earlier jumps brought to later ones.
    var unwritten: UInt32 = ~(context?.preinitialized ?? 0)
    var carried = [UInt32](repeating: 0, count: count)

    for index in 0..<count {
      let instruction = program[index]
      unwritten |= carried[index]
      switch instruction.code {
      case Opcode.LD_MEM, Opcode.LDX_MEM, Opcode.ST, Opcode.STX:
        usesMemory = true
        if instruction.k >= words { throw .noSuchWord(at: index, word: instruction.k) }
        let word = UInt32(1) << instruction.k
        if instruction.code == Opcode.ST || instruction.code == Opcode.STX {
          unwritten &= ~word
        } else if unwritten & word != 0 {
          throw .unwrittenWord(at: index, word: instruction.k)
        }
      case Opcode.DIV_K, Opcode.MOD_K:
        if instruction.k == 0 { throw .zeroDivisor(at: index) }
      case Opcode.JA:
        let target = index + 1 + Int(instruction.k)
        if target >= count { throw .jumpOutside(at: index, target: target) }
        carried[target] |= unwritten
        unwritten = 0
      case Opcode.JEQ_K, Opcode.JEQ_X, Opcode.JGT_K, Opcode.JGT_X, Opcode.JGE_K, Opcode.JGE_X, Opcode.JSET_K,
        Opcode.JSET_X:
        for skip in [instruction.jt, instruction.jf] {
          let target = index + 1 + Int(skip)
          if target >= count { throw .jumpOutside(at: index, target: target) }
          carried[target] |= unwritten
        }
        unwritten = 0
      case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS, Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND,
        Opcode.LD_LEN, Opcode.LD_IMM, Opcode.LDX_IMM, Opcode.LDX_LEN, Opcode.LDX_MSH,
        Opcode.ADD_K, Opcode.ADD_X, Opcode.SUB_K, Opcode.SUB_X, Opcode.MUL_K, Opcode.MUL_X, Opcode.DIV_X,
        Opcode.OR_K, Opcode.OR_X, Opcode.AND_K, Opcode.AND_X, Opcode.LSH_K, Opcode.LSH_X, Opcode.RSH_K, Opcode.RSH_X,
        Opcode.NEG, Opcode.MOD_X, Opcode.XOR_K, Opcode.XOR_X, Opcode.RET_K, Opcode.RET_A, Opcode.TAX, Opcode.TXA:
        break
      case Opcode.COP where context != nil:
        if Int(instruction.k) >= context!.functions.count { throw .noSuchFunction(at: index, function: instruction.k) }
      // Which function it is shows when it runs.
      case Opcode.COPX where context != nil: break
      default:
        throw .unknownOpcode(at: index, code: instruction.code)
      }
    }
    let last = program[count - 1].code
    if last != Opcode.RET_K && last != Opcode.RET_A { throw .missingReturn(at: count - 1) }
    return usesMemory
  }
}
