// The interpreter for packets in pieces, functions and external memory: every access is checked, none is fast.

/// One run of a validated program.
struct PiecesMachine {
  private(set) var call: FilterContext.Call
  private let functions: [FilterContext.Function]
  private let metadata: FrameMetadata?
  private var a: UInt32 = 0
  private var x: UInt32 = 0

  init(
    packet: PacketPieces, wireLength: UInt32, memory: [UInt32], functions: [FilterContext.Function],
    metadata: FrameMetadata?
  ) {
    call = FilterContext.Call(
      packet: packet, wireLength: wireLength, memory: memory, functionCount: functions.count)
    self.functions = functions
    self.metadata = metadata
  }

  /// Why a run ended before its return: then the verdict is 0.
  private struct Refused: Error {}

  mutating func run(_ program: [Instruction]) -> UInt32 {
    var next = 0
    while true {
      let instruction = program[next]
      next += 1
      switch instruction.code & 7 {
      case BPF_RET: return instruction.code == Opcode.RET_K ? instruction.k : a
      case BPF_JMP where instruction.code == Opcode.JA: next += Int(instruction.k)
      case BPF_JMP: next += Int(holds(instruction) ? instruction.jt : instruction.jf)
      default:
        do { try step(instruction) } catch { return 0 }
      }
    }
  }

  private func holds(_ instruction: Instruction) -> Bool {
    let operand = instruction.code & BPF_X != 0 ? x : instruction.k
    switch instruction.code & 0xf0 {
    case BPF_JEQ: return a == operand
    case BPF_JGT: return a > operand
    case BPF_JGE: return a >= operand
    default: return a & operand != 0
    }
  }

  private mutating func step(_ instruction: Instruction) throws(Refused) {
    let k = instruction.k
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      a = try number(UInt64(k), instruction.width, orMetadata: k)
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
      a = try number(UInt64(x) + UInt64(k), instruction.width, orMetadata: nil)
    case Opcode.LDX_MSH: x = try (number(UInt64(k), 1, orMetadata: nil) & 15) * 4
    case Opcode.LD_LEN: a = call.wireLength
    case Opcode.LDX_LEN: x = call.wireLength
    case Opcode.LD_IMM: a = k
    case Opcode.LDX_IMM: x = k
    case Opcode.LD_MEM: a = call.memory[Int(k)]
    case Opcode.LDX_MEM: x = call.memory[Int(k)]
    case Opcode.ST: call.memory[Int(k)] = a
    case Opcode.STX: call.memory[Int(k)] = x
    case Opcode.TAX: x = a
    case Opcode.TXA: a = x
    case Opcode.COP: a = functions[Int(k)](a, &call)
    case Opcode.COPX:
      guard x < UInt32(clamping: functions.count) else { throw Refused() }
      a = functions[Int(x)](a, &call)
    case Opcode.NEG: a = 0 &- a
    default: try arithmetic(instruction.code & 0xf0, instruction.code & BPF_X != 0 ? x : k)
    }
  }

  private mutating func arithmetic(_ op: UInt16, _ operand: UInt32) throws(Refused) {
    switch op {
    case BPF_ADD: a = a &+ operand
    case BPF_SUB: a = a &- operand
    case BPF_MUL: a = a &* operand
    case BPF_OR: a |= operand
    case BPF_AND: a &= operand
    case BPF_XOR: a ^= operand
    // Swift's shifts give 0 from the width on.
    case BPF_LSH: a = a << operand
    case BPF_RSH: a = a >> operand
    default:
      if operand == 0 { throw Refused() }
      a = op == BPF_DIV ? a / operand : a % operand
    }
  }

  private func number(_ offset: UInt64, _ width: UInt64, orMetadata k: UInt32?) throws(Refused) -> UInt32 {
    if let value = call.packet.number(at: offset, width: Int(width)) { return value }
    if let k, let value = metadata?.load(at: k) { return value }
    throw Refused()
  }
}
