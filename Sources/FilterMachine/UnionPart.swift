// One peer's program as a part of the kernel's union: what decides whether it may be there, and what it needs. Control paths.

/// A program looked at once for ``Union``; immutable, so any thread reads it.
package final class UnionPart: Sendable {
  package let program: Program
  let instructions: [Instruction]
  let isAncillary: Bool
  /// The kernel judges at least the frames that the machine here accepts.
  package let isPushable: Bool
  /// It asks for the VLAN tag that was taken out of the frame.
  let asksForTag: Bool
  /// Bytes that a frame must keep for this program: what it may return and how far it may read; nil is the whole frame.
  package let need: UInt32?
  /// A scratch word that the program does not use; nil when it uses all.
  let spareWord: UInt32?
  /// What holds a value that is read later, in front of each instruction and behind the last.
  let live: [Live]

  package init(_ program: Program) {
    self.program = program
    let instructions = program.instructions
    let isAncillary = program.isAncillary
    let analysis = analyse(program)
    var isPushable = !analysis.mayIndexFar && !analysis.mayShiftFar && instructions.count <= Union.limit
    var asksForTag = false
    var words: UInt16 = 0
    var largest: UInt32? = 0

    for instruction in instructions {
      switch instruction.code {
      case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
        guard instruction.k >= 0x8000_0000 else { break }
        switch instruction.k &- SKF_AD_OFF {
        // The kernel answers these as the ring's frame header will.
        case SKF_AD_PKTTYPE, SKF_AD_IFINDEX: if !isAncillary { isPushable = false }
        case SKF_AD_VLAN_TAG, SKF_AD_VLAN_TAG_PRESENT:
          asksForTag = true
          if !isAncillary { isPushable = false }
        default: isPushable = false
        }
      case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND, Opcode.LDX_MSH:
        if instruction.k >= 0x8000_0000 { isPushable = false }
      case Opcode.LSH_K, Opcode.RSH_K: if instruction.k >= 32 { isPushable = false }
      case Opcode.ST, Opcode.STX, Opcode.LD_MEM, Opcode.LDX_MEM: words |= 1 << UInt16(instruction.k)
      case Opcode.RET_K: largest = largest.map { max($0, instruction.k) }
      case Opcode.RET_A: largest = nil
      default: break
      }
    }
    spareWord = (0..<BPF_MEMWORDS).first { words & (1 << UInt16($0)) == 0 }
    if spareWord == nil && instructions.contains(where: Self.wantsSpareWord) { isPushable = false }

    self.instructions = instructions
    self.isAncillary = isAncillary
    self.isPushable = isPushable
    self.asksForTag = asksForTag
    live = Self.liveness(instructions)
    if case .bytes(let reach) = analysis.reach, let largest {
      need = max(reach, largest)
    } else {
      need = nil
    }
  }

  /// Nothing but a length.
  var takesEverything: Bool {
    instructions.count == 1 && instructions[0].code == Opcode.RET_K && instructions[0].k != 0
  }

  /// The same instructions with the same meaning.
  func equals(_ other: UnionPart) -> Bool {
    self === other || (isAncillary == other.isAncillary && instructions == other.instructions)
  }

  /// A guard in front of it has to put A aside.
  private static func wantsSpareWord(_ instruction: Instruction) -> Bool {
    switch instruction.code {
    case Opcode.LDX_MSH, Opcode.DIV_X, Opcode.MOD_X: true
    default: false
    }
  }

  struct Live: Sendable, Equatable {
    var a = false
    var x = false
  }

  /// Jumps only go forward, so one pass from the end sees everything.
  private static func liveness(_ instructions: [Instruction]) -> [Live] {
    var live = [Live](repeating: Live(), count: instructions.count + 1)
    for index in instructions.indices.reversed() {
      let instruction = instructions[index]
      var now = live[index + 1]
      switch instruction.code {
      case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS, Opcode.LD_LEN, Opcode.LD_IMM, Opcode.LD_MEM:
        now.a = false
      case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND, Opcode.TXA: now = Live(a: false, x: true)
      case Opcode.LDX_IMM, Opcode.LDX_MEM, Opcode.LDX_LEN, Opcode.LDX_MSH: now.x = false
      case Opcode.TAX: now = Live(a: true, x: false)
      case Opcode.ST: now.a = true
      case Opcode.STX: now.x = true
      case Opcode.RET_K: now = Live()
      case Opcode.RET_A: now = Live(a: true, x: false)
      case Opcode.JA: now = live[index + 1 + Int(instruction.k)]
      case let code where code & 7 == BPF_JMP:
        let other = [live[index + 1 + Int(instruction.jt)], live[index + 1 + Int(instruction.jf)]]
        now = Live(a: true, x: code & BPF_X != 0 || other[0].x || other[1].x)
      default:  // Arithmetic.
        now.a = true
        if instruction.code & BPF_X != 0 && instruction.code != Opcode.NEG { now.x = true }
      }
      live[index] = now
    }
    return live
  }
}
