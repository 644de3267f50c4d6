// How far into a frame a program may read: what the kernel's cut has to leave (design rule 4). Control paths.

/// The highest byte of a frame that any load of a program can touch.
package enum Reach: Sendable, Equatable {
  /// Loads end at or before this many bytes.
  case bytes(UInt32)
  /// Some indexed load has an X without a useful bound: the whole frame may be read.
  case unbounded
}

/// What a program may read, over every path. (No BSD origin: the kernel's cut must not change a verdict.)
///
/// Bounds are followed from byte and halfword loads, MSH, constants and masks through A, X and scratch memory; any other arithmetic
/// gives up the bound. Loads of metadata by marked programs read no bytes; other loads from 2^31 on are taken at their word.
package func reach(of program: Program) -> Reach { analyse(program).reach }

/// What following the bounds of a program's registers tells of it.
struct Analysis {
  var reach: Reach
  /// Some indexed load may be asked for a place at or beyond 2^31, or wrap.
  var mayIndexFar = false
  /// Some shift may be by 32 or more.
  var mayShiftFar = false
}

func analyse(_ program: Program) -> Analysis {
  let instructions = program.instructions
  var result = Analysis(reach: .bytes(0))
  var isUnbounded = false
  var carried = [Bounds?](repeating: nil, count: instructions.count)
  carried[0] = Bounds()
  var furthest: UInt64 = 0

  for (index, instruction) in instructions.enumerated() {
    // No way leads here.
    guard var bounds = carried[index] else { continue }
    let k = UInt64(instruction.k)
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      if !(program.isAncillary && instruction.k >= 0x8000_0000) {
        furthest = max(furthest, k + width(instruction.code))
      }
      // Metadata may be wider than the load that asks for it.
      bounds.a = program.isAncillary && instruction.k >= 0x8000_0000 ? Bounds.none : largest(instruction.code)
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
      if bounds.x == Bounds.none { isUnbounded = true }
      if bounds.x + k >= 0x7fff_fff0 { result.mayIndexFar = true }
      furthest = max(furthest, bounds.x + k + width(instruction.code))
      bounds.a = largest(instruction.code)
    case Opcode.LDX_MSH:
      furthest = max(furthest, k + 1)
      bounds.x = 60
    case Opcode.LD_IMM: bounds.a = k
    case Opcode.LDX_IMM: bounds.x = k
    case Opcode.LD_LEN: bounds.a = Bounds.none
    case Opcode.LDX_LEN: bounds.x = Bounds.none
    case Opcode.LD_MEM: bounds.a = bounds.memory[Int(k)]
    case Opcode.LDX_MEM: bounds.x = bounds.memory[Int(k)]
    case Opcode.ST: bounds.memory[Int(k)] = bounds.a
    case Opcode.STX: bounds.memory[Int(k)] = bounds.x
    case Opcode.TAX: bounds.x = bounds.a
    case Opcode.TXA: bounds.a = bounds.x
    case Opcode.AND_K: bounds.a = min(bounds.a, k)
    case Opcode.AND_X: bounds.a = min(bounds.a, bounds.x)
    case Opcode.RSH_K:
      if k >= 32 { result.mayShiftFar = true }
      bounds.a >>= k
    case Opcode.ADD_K: bounds.a = Bounds.known(bounds.a + k)
    case Opcode.ADD_X: bounds.a = Bounds.known(bounds.a + bounds.x)
    case Opcode.LSH_K:
      if k >= 32 { result.mayShiftFar = true }
      bounds.a = k < 32 ? Bounds.known(bounds.a << k) : 0
    case Opcode.MUL_K: bounds.a = Bounds.known(bounds.a * k)
    case Opcode.DIV_K: bounds.a /= k
    case Opcode.MOD_K: bounds.a = min(bounds.a, k - 1)
    case Opcode.SUB_K, Opcode.SUB_X, Opcode.MUL_X, Opcode.DIV_X, Opcode.MOD_X, Opcode.OR_K, Opcode.OR_X, Opcode.XOR_K,
      Opcode.XOR_X, Opcode.NEG:
      bounds.a = Bounds.none
    case Opcode.LSH_X, Opcode.RSH_X:
      if bounds.x >= 32 { result.mayShiftFar = true }
      bounds.a = Bounds.none
    case Opcode.JA:
      merge(bounds, into: &carried[index + 1 + Int(k)])
      continue
    case let code where code & 7 == BPF_JMP:
      merge(bounds, into: &carried[index + 1 + Int(instruction.jt)])
      merge(bounds, into: &carried[index + 1 + Int(instruction.jf)])
      continue
    default: continue  // The returns.
    }
    if index + 1 < carried.count { merge(bounds, into: &carried[index + 1]) }
  }
  result.reach = isUnbounded || furthest > UInt64(UInt32.max) ? .unbounded : .bytes(UInt32(furthest))
  return result
}

/// The largest values that the registers may hold.
private struct Bounds {
  /// As large as 32 bits allow.
  static let none = UInt64(UInt32.max)

  var a: UInt64 = 0
  var x: UInt64 = 0
  var memory = [UInt64](repeating: 0, count: Int(BPF_MEMWORDS))

  /// A sum or product that may wrap has no bound.
  static func known(_ value: UInt64) -> UInt64 { value >= none ? none : value }
}

private func merge(_ bounds: Bounds, into carried: inout Bounds?) {
  guard var merged = carried else {
    carried = bounds
    return
  }
  merged.a = max(merged.a, bounds.a)
  merged.x = max(merged.x, bounds.x)
  for word in merged.memory.indices { merged.memory[word] = max(merged.memory[word], bounds.memory[word]) }
  carried = merged
}

private func width(_ code: UInt16) -> UInt64 {
  switch code & 0x18 {
  case BPF_W: 4
  case BPF_H: 2
  default: 1
  }
}

private func largest(_ code: UInt16) -> UInt64 {
  switch code & 0x18 {
  case BPF_W: Bounds.none
  case BPF_H: 0xffff
  default: 0xff
  }
}
