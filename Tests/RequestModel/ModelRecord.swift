// A frame, a record and a program as the model has them. Plain values; nothing of the sources is used.

/// A frame at a tap.
struct ModelFrame {
  var bytes: [UInt8]
  /// Bytes on the wire, at least those present.
  var length: Int
  var sent: Bool
  /// Wall clock, ns; nil when the tested side takes its own.
  var stamp: Int64?
}

/// A record that waits to be read.
struct ModelRecord {
  var header: Int
  var seconds: UInt64 = 0
  var fraction: UInt64 = 0
  /// The stamp cannot be foretold.
  var hidesStamp = false
  var length: Int
  var bytes: [UInt8]

  var size: Int { header + bytes.count }
}

/// A program by what it does, beside its instructions.
struct ModelProgram {
  enum Verdict {
    case constant(UInt32)
    case firstByte(UInt8, keep: UInt32)
    case longer(than: UInt32, keep: UInt32)
    case length
  }

  struct Instruction {
    var code: UInt16
    var jt: UInt8 = 0
    var jf: UInt8 = 0
    var k: UInt32 = 0
  }

  var verdict: Verdict
  var instructions: [Instruction]
  /// A valid one.
  var isGood = true

  /// One `RET K`, as programs have that only give a snapshot length.
  var isSnapshotLength: Bool { instructions.count == 1 && instructions[0].code == 6 }

  func judge(_ frame: ModelFrame) -> UInt32 {
    switch verdict {
    case .constant(let k): k
    case .firstByte(let byte, let keep): frame.bytes.first == byte ? keep : 0
    case .longer(let limit, let keep): frame.length > Int(limit) ? keep : 0
    case .length: UInt32(frame.length)
    }
  }

  /// One of a few kinds, good and bad.
  static func make(_ kind: UInt8, _ k: UInt8) -> ModelProgram {
    let keep = UInt32(k)
    let ret = Instruction(code: 6, k: keep)
    let none = Instruction(code: 6)
    func bad(_ instructions: [Instruction]) -> ModelProgram {
      ModelProgram(verdict: .constant(0), instructions: instructions, isGood: false)
    }
    switch kind % 20 {
    case 0, 1: return ModelProgram(verdict: .constant(.max), instructions: [Instruction(code: 6, k: .max)])
    case 2, 3: return ModelProgram(verdict: .constant(keep), instructions: [ret])
    case 4, 5:
      return ModelProgram(
        verdict: .firstByte(k & 3, keep: .max),
        instructions: [
          Instruction(code: 0x30), Instruction(code: 0x15, jf: 1, k: UInt32(k & 3)), Instruction(code: 6, k: .max),
          none,
        ])
    case 6, 7:
      return ModelProgram(
        verdict: .longer(than: 100, keep: keep),
        instructions: [Instruction(code: 0x80), Instruction(code: 0x25, jf: 1, k: 100), ret, none])
    case 8: return ModelProgram(verdict: .length, instructions: [Instruction(code: 0x80), Instruction(code: 0x16)])
    // A is 0 where nothing set it.
    case 9: return ModelProgram(verdict: .constant(0), instructions: [Instruction(code: 0x16)])
    case 10:
      return ModelProgram(
        verdict: .constant(keep), instructions: [Instruction](repeating: Instruction(code: 7), count: 511) + [ret])
    case 11: return bad([Instruction](repeating: Instruction(code: 7), count: 512) + [ret])
    case 12: return bad([Instruction(code: 7)])
    case 13: return bad([Instruction(code: 0x34), ret])
    case 14: return bad([Instruction(code: 0x60, k: 5), Instruction(code: 0x16)])
    case 15: return bad([Instruction(code: 0x15, jt: k | 1), ret])
    case 16: return bad([Instruction(code: 0x8006, k: keep)])
    case 17: return bad([Instruction(code: 5, k: .max - 1), ret])
    case 18: return bad([Instruction(code: 0x0e), ret])
    default: return bad([Instruction(code: 0x02, k: 16), ret])
    }
  }
}
