// Machine code for x86-64, System V calling convention. Control paths.

/// Registers: frame RDI, its length RSI, wire length EDX, metadata RCX; A EAX, X R8D, what is remembered R9D; R10 and R11 are
/// free at any time. Scratch words lie in the 128 bytes below the stack pointer that belong to a function without calls.
struct X86Emitter: MachineEmitter {
  private var code: [UInt8] = []
  private var places: [Int] = []
  private var jumps: [(at: Int, label: Int)] = []
  private var tables: [(at: Int, slots: [UInt32])] = []

  private enum Register: UInt8 {
    case a = 0
    case metadata = 1
    case wire = 2
    case length = 6
    case frame = 7
    case x = 8
    case remembered = 9
    case free = 10
    case second = 11
    /// The three bits in the instruction; the fourth is in the prefix.
    var low: UInt8 { rawValue & 7 }
    var high: UInt8 { rawValue >> 3 }
  }

  init(usesWords: UInt32) { code.reserveCapacity(512) }

  // MARK: Labels

  mutating func label() -> MachineLabel {
    places.append(-1)
    return MachineLabel(number: places.count - 1)
  }

  mutating func place(_ label: MachineLabel) { places[label.number] = code.count }

  mutating func jump(_ label: MachineLabel) {
    code.append(0xe9)
    refer(label)
  }

  mutating func jump(_ label: MachineLabel, if condition: MachineCondition) {
    code += [0x0f, 0x80 | X86Emitter.number(condition)]
    refer(label)
  }

  private mutating func refer(_ label: MachineLabel) {
    jumps.append((code.count, label.number))
    word(0)
  }

  private static func number(_ condition: MachineCondition) -> UInt8 {
    switch condition {
    case .below: 2
    case .aboveOrEqual: 3
    case .equal: 4
    case .notEqual: 5
    case .belowOrEqual: 6
    case .above: 7
    }
  }

  // MARK: Encoding

  private mutating func word(_ value: UInt32) {
    code.append(UInt8(truncatingIfNeeded: value))
    code.append(UInt8(truncatingIfNeeded: value >> 8))
    code.append(UInt8(truncatingIfNeeded: value >> 16))
    code.append(UInt8(truncatingIfNeeded: value >> 24))
  }

  /// `opcode r/m, reg` on registers.
  private mutating func registers(_ opcode: [UInt8], _ reg: Register, _ rm: Register, wide: Bool = false) {
    prefix(wide: wide, reg: reg.high, index: 0, base: rm.high)
    code += opcode
    code.append(0xc0 | reg.low << 3 | rm.low)
  }

  private mutating func prefix(wide: Bool, reg: UInt8, index: UInt8, base: UInt8) {
    let rex = (wide ? 8 : 0) | reg << 2 | index << 1 | base
    if rex != 0 { code.append(0x40 | rex) }
  }

  /// `opcode reg, [base + index + displacement]`; the base is neither RSP nor R12, R13, RBP.
  private mutating func memory(
    _ opcode: [UInt8], _ reg: Register, base: Register, index: Register?, displacement: Int32, wide: Bool = false
  ) {
    prefix(wide: wide, reg: reg.high, index: index?.high ?? 0, base: base.high)
    code += opcode
    let short = displacement >= -128 && displacement <= 127
    let mode: UInt8 = displacement == 0 ? 0 : short ? 0x40 : 0x80
    if let index {
      code += [mode | reg.low << 3 | 4, index.low << 3 | base.low]
    } else {
      code.append(mode | reg.low << 3 | base.low)
    }
    if displacement == 0 { return }
    if short {
      code.append(UInt8(bitPattern: Int8(displacement)))
    } else {
      word(UInt32(bitPattern: displacement))
    }
  }

  /// `op register, constant`; `extension` chooses the operation (7 CMP, 4 AND, 0 ADD, 1 OR, 6 XOR, 5 SUB).
  private mutating func constant(_ op: UInt8, _ register: Register, _ k: UInt32) {
    prefix(wide: false, reg: 0, index: 0, base: register.high)
    let signed = Int32(bitPattern: k)
    if signed >= -128 && signed <= 127 {
      code += [0x83, 0xc0 | op << 3 | register.low, UInt8(truncatingIfNeeded: k)]
    } else {
      code += [0x81, 0xc0 | op << 3 | register.low]
      word(k)
    }
  }

  /// `mov register, k`, which leaves the flags alone.
  private mutating func set(_ register: Register, _ k: UInt32) {
    prefix(wide: false, reg: 0, index: 0, base: register.high)
    code.append(0xb8 | register.low)
    word(k)
  }

  private mutating func move(_ to: Register, _ from: Register) { registers([0x8b], to, from) }

  // MARK: The frame

  mutating func checkLength(_ needed: UInt32, else label: MachineLabel) {
    constant(7, .length, needed)
    jump(label, if: .below)
  }

  mutating func checkLengthFromX(_ needed: UInt64, else label: MachineLabel) {
    if needed <= UInt64(Int32.max) {
      memory([0x8d], .free, base: .x, index: nil, displacement: Int32(needed), wide: true)
    } else {
      // mov r10, imm64
      code += [0x49, 0xba]
      word(UInt32(truncatingIfNeeded: needed))
      word(UInt32(truncatingIfNeeded: needed >> 32))
      registers([0x03], .free, .x, wide: true)
    }
    registers([0x39], .length, .free, wide: true)
    jump(label, if: .above)
  }

  mutating func clearA() { registers([0x31], .a, .a) }

  mutating func clearX() { registers([0x31], .x, .x) }

  /// `opcode A or X, [frame + k]` or `[frame + X + k]`.
  private mutating func frame(_ opcode: [UInt8], _ to: Register, at k: UInt32, fromX: Bool) {
    if k <= UInt32(Int32.max) {
      memory(opcode, to, base: .frame, index: fromX ? .x : nil, displacement: Int32(k))
      return
    }
    set(.free, k)
    if fromX { registers([0x03], .free, .x, wide: true) }
    memory(opcode, to, base: .frame, index: .free, displacement: 0)
  }

  mutating func load(width: UInt64, at k: UInt32, fromX: Bool, order: ByteOrder) {
    switch width {
    case 1: frame([0x0f, 0xb6], .a, at: k, fromX: fromX)
    case 2:
      frame([0x0f, 0xb7], .a, at: k, fromX: fromX)
      // rol ax, 8
      if order == .number { code += [0x66, 0xc1, 0xc0, 8] }
    default:
      frame([0x8b], .a, at: k, fromX: fromX)
      // bswap eax
      if order == .number { code += [0x0f, 0xc8] }
    }
  }

  mutating func loadHeaderLength(at k: UInt32) {
    frame([0x0f, 0xb6], .x, at: k, fromX: false)
    constant(4, .x, 15)
    shift(.left, .x, 2)
  }

  mutating func loadMetadata(_ field: FrameMetadata.Field, else label: MachineLabel) {
    checkMetadata(else: label)
    let opcode: [UInt8] = field.width == 1 ? [0x0f, 0xb6] : field.width == 2 ? [0x0f, 0xb7] : [0x8b]
    memory(opcode, .a, base: .metadata, index: nil, displacement: Int32(field.offset))
  }

  mutating func checkMetadata(else label: MachineLabel) {
    registers([0x85], .metadata, .metadata, wide: true)
    jump(label, if: .equal)
  }

  // MARK: Arithmetic

  private enum Shift: UInt8 {
    case left = 4
    case right = 5
  }

  private mutating func shift(_ way: Shift, _ register: Register, _ count: UInt8) {
    prefix(wide: false, reg: 0, index: 0, base: register.high)
    code += [0xc1, 0xc0 | way.rawValue << 3 | register.low, count]
  }

  mutating func run(_ instruction: Instruction, else label: MachineLabel) {
    let k = instruction.k
    switch instruction.code {
    case Opcode.LD_LEN: move(.a, .wire)
    case Opcode.LDX_LEN: move(.x, .wire)
    case Opcode.LD_IMM: set(.a, k)
    case Opcode.LDX_IMM: set(.x, k)
    case Opcode.LD_MEM: scratch(0x8b, .a, k)
    case Opcode.LDX_MEM: scratch(0x8b, .x, k)
    case Opcode.ST: scratch(0x89, .a, k)
    case Opcode.STX: scratch(0x89, .x, k)
    case Opcode.TAX: move(.x, .a)
    case Opcode.TXA: move(.a, .x)
    case Opcode.ADD_K: constant(0, .a, k)
    case Opcode.SUB_K: constant(5, .a, k)
    case Opcode.OR_K: constant(1, .a, k)
    case Opcode.AND_K: constant(4, .a, k)
    case Opcode.XOR_K: constant(6, .a, k)
    case Opcode.ADD_X: registers([0x03], .a, .x)
    case Opcode.SUB_X: registers([0x2b], .a, .x)
    case Opcode.OR_X: registers([0x0b], .a, .x)
    case Opcode.AND_X: registers([0x23], .a, .x)
    case Opcode.XOR_X: registers([0x33], .a, .x)
    case Opcode.MUL_K:
      code += [0x69, 0xc0]
      word(k)
    case Opcode.MUL_X: registers([0x0f, 0xaf], .a, .x)
    // neg eax
    case Opcode.NEG: code += [0xf7, 0xd8]
    case Opcode.LSH_K: shiftA(.left, k)
    case Opcode.RSH_K: shiftA(.right, k)
    case Opcode.LSH_X: shiftAByX(.left)
    case Opcode.RSH_X: shiftAByX(.right)
    case Opcode.DIV_K: divide(by: k, remainder: false)
    case Opcode.MOD_K: divide(by: k, remainder: true)
    case Opcode.DIV_X, Opcode.MOD_X:
      registers([0x85], .x, .x)
      jump(label, if: .equal)
      divide(by: .x, remainder: instruction.code == Opcode.MOD_X)
    default: preconditionFailure("no such instruction")
    }
  }

  /// `mov` between a register and a scratch word at [rsp - 64 + 4k].
  private mutating func scratch(_ opcode: UInt8, _ register: Register, _ k: UInt32) {
    prefix(wide: false, reg: register.high, index: 0, base: 0)
    code += [opcode, 0x44 | register.low << 3, 0x24, UInt8(bitPattern: Int8(-64 + 4 * Int(k)))]
  }

  private mutating func shiftA(_ way: Shift, _ k: UInt32) {
    if k >= 32 { return clearA() }
    if k > 0 { shift(way, .a, UInt8(k)) }
  }

  private mutating func shiftAByX(_ way: Shift) {
    // The count must be in CL, where the metadata is.
    registers([0x8b], .second, .metadata, wide: true)
    move(.metadata, .x)
    code += [0xd3, 0xc0 | way.rawValue << 3]
    registers([0x8b], .metadata, .second, wide: true)
    // The processor shifts modulo 32: sbb r10d, r10d makes a mask of the comparison.
    constant(7, .x, 32)
    registers([0x1b], .free, .free)
    registers([0x23], .a, .free)
  }

  private mutating func divide(by divisor: Register, remainder: Bool) {
    move(.second, .wire)
    registers([0x31], .wire, .wire)
    prefix(wide: false, reg: 0, index: 0, base: divisor.high)
    code += [0xf7, 0xf0 | divisor.low]
    if remainder { move(.a, .wire) }
    move(.wire, .second)
  }

  private mutating func divide(by k: UInt32, remainder: Bool) {
    if k & (k - 1) == 0 {
      if remainder { return constant(4, .a, k - 1) }
      return shiftA(.right, UInt32(k.trailingZeroBitCount))
    }
    guard let (factor, count) = Reciprocal.of(k) else {
      set(.free, k)
      return divide(by: .free, remainder: remainder)
    }
    set(.free, factor)
    if remainder { move(.second, .a) }
    // imul rax, r10; shr rax, count
    registers([0x0f, 0xaf], .a, .free, wide: true)
    code += [0x48, 0xc1, 0xe8, count]
    if remainder {
      code += [0x69, 0xc0]
      word(k)
      registers([0x2b], .second, .a)
      move(.a, .second)
    }
  }

  // MARK: Comparisons

  mutating func compareA(_ k: UInt32) {
    if k == 0 { registers([0x85], .a, .a) } else { constant(7, .a, k) }
  }

  mutating func compareAX() { registers([0x3b], .a, .x) }

  mutating func testA(_ k: UInt32) {
    if k < 256 {
      code += [0xa8, UInt8(k)]
    } else {
      code.append(0xa9)
      word(k)
    }
  }

  mutating func testAX() { registers([0x85], .a, .x) }

  mutating func compareA(minus low: UInt32, _ span: UInt32) {
    memory([0x8d], .free, base: .a, index: nil, displacement: Int32(bitPattern: 0 &- low))
    constant(7, .free, span)
  }

  mutating func compareA(_ table: PerfectHash) {
    // imul r10d, eax, multiplier; shr r10d, shift; lea r11, [table]; cmp eax, [r11 + 4 * r10]
    code += [0x44, 0x69, 0xd0]
    word(table.multiplier)
    shift(.right, .free, UInt8(table.shift))
    code += [0x4c, 0x8d, 0x1d]
    tables.append((code.count, table.slots))
    word(0)
    code += [0x43, 0x3b, 0x04, 0x93]
  }

  mutating func remember(_ violation: MachineViolation, first: Bool) {
    let to: Register = first ? .remembered : .free
    switch violation {
    case .differs(let k):
      move(to, .a)
      if k != 0 { constant(6, to, k) }
    case .bits(let k):
      move(to, .a)
      constant(4, to, k)
    case .holds(let condition):
      // setcc; movzx
      prefix(wide: false, reg: 0, index: 0, base: to.high)
      code += [0x0f, 0x90 | X86Emitter.number(condition), 0xc0 | to.low]
      registers([0x0f, 0xb6], to, to)
    }
    if !first { registers([0x0b], .remembered, .free) }
  }

  mutating func compareRemembered() { registers([0x85], .remembered, .remembered) }

  mutating func keep(_ condition: MachineCondition, first: Bool) {
    // setcc; movzx, in ECX or R10D
    let to: Register = first ? .metadata : .free
    prefix(wide: false, reg: 0, index: 0, base: to.high)
    code += [0x0f, 0x90 | X86Emitter.number(condition), 0xc0 | to.low]
    registers([0x0f, 0xb6], to, to)
    if !first { registers([0x23], .metadata, .free) }
  }

  mutating func compareKept(withRemembered: Bool) {
    if withRemembered {
      registers([0x0b], .metadata, .remembered)
    } else {
      registers([0x85], .metadata, .metadata)
    }
  }

  // MARK: Ends

  mutating func returnConstant(_ k: UInt32) {
    if k == 0 { clearA() } else { set(.a, k) }
    returnA()
  }

  mutating func returnA() { code.append(0xc3) }

  mutating func returnConstant(_ k: UInt32, if condition: MachineCondition, else other: UInt32) {
    set(.a, other)
    set(.free, k)
    // cmovcc eax, r10d
    registers([0x0f, 0x40 | X86Emitter.number(condition)], .a, .free)
    returnA()
  }

  mutating func finish() -> [UInt8] {
    for (at, label) in jumps { patch(at, places[label] - at - 4) }
    for (at, slots) in tables {
      while code.count % 4 != 0 { code.append(0xcc) }
      patch(at, code.count - at - 4)
      for slot in slots { word(slot) }
    }
    return code
  }

  private mutating func patch(_ at: Int, _ distance: Int) {
    let value = UInt32(bitPattern: Int32(distance))
    for byte in 0..<4 { code[at + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte))) }
  }
}
