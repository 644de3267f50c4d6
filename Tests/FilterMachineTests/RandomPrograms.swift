// Random programs and frames that look for trouble: at the ends of frames, of numbers and of jumps.
@testable import SwBPFFilterMachine

struct RandomProgram {
  /// Instructions; not always a valid program.
  var instructions: [I] = []

  /// - Parameters:
  ///   - length: of the frames it will see, more or less.
  ///   - ancillary: some loads read the metadata, if the program is marked.
  init(_ random: inout Random, length: Int, ancillary: Bool = false) {
    // Now and then one with jumps as long as they may be.
    let count =
      Int.random(in: 0..<100, using: &random) == 0
      ? Int.random(in: 200...480, using: &random) : Int.random(in: 1...40, using: &random)
    var written: [UInt32] = []
    func one(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    func offset() -> UInt32 {
      if ancillary && one(3) == 0 {
        return SKF_AD_OFF + [0, 4, 8, 12, 44, 48].randomElement(using: &random)!
      }
      switch one(12) {
      case 0: return .max - UInt32(one(6))
      case 1: return 0x8000_0000 &+ UInt32(one(5)) &- 3
      case 2...4: return UInt32(clamping: length - 6 + one(9))
      case 5...7: return [12, 14, 20, 23, 26, 30].randomElement(using: &random)!
      default: return UInt32(one(24))
      }
    }
    func constant() -> UInt32 {
      switch one(8) {
      case 0: return [0x8000_0000, 0x7fff_ffff, .max, .max - 1, 0xffff, 0x1_0000].randomElement(using: &random)!
      case 1: return UInt32(truncatingIfNeeded: random.next())
      case 2: return 1 << UInt32(one(32))
      case 3: return UInt32(one(65536))
      default: return UInt32(one(10))
      }
    }
    func skips(_ index: Int) -> UInt8 {
      let left = count - index
      // Often to the returns at the end.
      return UInt8(clamping: one(3) == 0 ? left + one(4) : one(min(left, 6) + 1))
    }

    while instructions.count < count {
      let index = instructions.count
      switch one(20) {
      case 0...3:
        instructions.append(insn([Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS][one(3)], offset()))
      case 4, 5:
        instructions.append(insn([Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND][one(3)], offset()))
      case 6: instructions.append(insn(Opcode.LDX_MSH, offset()))
      case 7:
        instructions.append(insn([Opcode.LDX_IMM, Opcode.LD_IMM][one(2)], constant()))
      case 8: instructions.append(insn([Opcode.LD_LEN, Opcode.LDX_LEN, Opcode.TAX, Opcode.TXA][one(4)]))
      case 9:
        let word = UInt32(one(16))
        written.append(word)
        instructions.append(insn([Opcode.ST, Opcode.STX][one(2)], word))
      case 10:
        if let word = written.randomElement(using: &random) {
          instructions.append(insn([Opcode.LD_MEM, Opcode.LDX_MEM][one(2)], word))
        }
      case 11...13:
        let op = [
          BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_NEG, BPF_MOD, BPF_XOR, BPF_AND,
        ][one(12)]
        if op == BPF_NEG {
          instructions.append(insn(Opcode.NEG))
        } else if one(3) == 0 {
          instructions.append(insn(BPF_ALU | op | BPF_X))
        } else {
          var k = constant()
          if op == BPF_LSH || op == BPF_RSH { k = one(8) == 0 ? k : k & 31 }
          if op == BPF_DIV || op == BPF_MOD { k = max(k, 1) }
          instructions.append(insn(BPF_ALU | op | BPF_K, k))
        }
      case 14:
        if one(3) == 0 {
          instructions.append(insn(Opcode.JA, one(8) == 0 ? UInt32(count - index) : UInt32(skips(index))))
        }
      case 15:
        // A ladder, now and then with a load before each rung.
        let rungs = min(1 + one(8), count - index)
        let loads = one(2) == 0
        let negated = one(4) == 0
        let target = count + one(4)
        for rung in 0..<rungs {
          if loads {
            let code = [Opcode.LD_H_ABS, Opcode.LD_B_ABS, Opcode.LD_W_ABS, Opcode.LD_H_IND, Opcode.LD_B_IND][one(5)]
            instructions.append(insn(code, one(6) == 0 ? offset() : UInt32(one(30))))
          }
          let far = UInt8(clamping: max(0, one(6) == 0 ? rungs - rung + one(3) : target - instructions.count - 1))
          let op = one(9) == 0 ? [Opcode.JGE_K, Opcode.JGT_K, Opcode.JSET_K][one(3)] : Opcode.JEQ_K
          instructions.append(jump(op, constant(), negated ? 0 : far, negated ? far : 0))
        }
      case 16 where index + 2 < count && one(8) == 0:
        instructions.append(insn([Opcode.RET_K, Opcode.RET_A][one(2)], constant()))
      default:
        let op = [BPF_JEQ, BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET][one(5)]
        let code = BPF_JMP | op | (one(5) == 0 ? BPF_X : BPF_K)
        instructions.append(
          jump(code, code & BPF_X != 0 ? 0 : constant(), skips(index), one(2) == 0 ? 0 : skips(index)))
      }
    }
    instructions += [insn(Opcode.RET_A), insn(Opcode.RET_K, 0), insn(Opcode.RET_K, 0), insn(Opcode.RET_K, .max)]
    if one(2) == 0 { instructions.append(insn(Opcode.RET_K, 5)) }
  }

  /// Bytes of which many are small, so that comparisons with small numbers hold now and then.
  static func frame(_ random: inout Random, length: Int) -> [UInt8] {
    let count = max(0, length - 4 + Int.random(in: 0...6, using: &random))
    return (0..<count).map { _ in
      Int.random(in: 0..<3, using: &random) > 0
        ? UInt8.random(in: 0...9, using: &random) : UInt8.random(in: 0...255, using: &random)
    }
  }

  /// Shifts by 32 and more are left undefined by libpcap.
  var mayShiftFar: Bool {
    instructions.contains {
      $0.code == Opcode.LSH_X || $0.code == Opcode.RSH_X
        || (($0.code == Opcode.LSH_K || $0.code == Opcode.RSH_K) && $0.k >= 32)
    }
  }
}
