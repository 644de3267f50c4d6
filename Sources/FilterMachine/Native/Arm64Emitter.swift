// Machine code for arm64, AAPCS64 calling convention. Control paths.

/// Registers: frame X0, its length X1, wire length W2, metadata X3; A W4, X W5, what is remembered W6; W7 and W16 are free at
/// any time. The first eight scratch words of a program are W8 to W15; with more, all lie on the stack.
struct Arm64Emitter: MachineEmitter {
  private var code: [UInt32] = []
  private var places: [Int] = []
  private var jumps: [(at: Int, label: Int)] = []
  private var tables: [(at: Int, slots: [UInt32])] = []
  /// Register of each scratch word; nil: they are on the stack.
  private var words: [UInt32]?

  private static let frame: UInt32 = 0
  private static let length: UInt32 = 1
  private static let wire: UInt32 = 2
  private static let metadata: UInt32 = 3
  private static let a: UInt32 = 4
  private static let x: UInt32 = 5
  private static let remembered: UInt32 = 6
  private static let free: UInt32 = 7
  private static let second: UInt32 = 16
  private static let zero: UInt32 = 31
  private static let wide: UInt32 = 0x8000_0000

  private enum Op {
    static let add: UInt32 = 0x0b00_0000
    static let subtract: UInt32 = 0x4b00_0000
    static let and: UInt32 = 0x0a00_0000
    static let or: UInt32 = 0x2a00_0000
    static let exclusiveOr: UInt32 = 0x4a00_0000
    static let compare: UInt32 = 0x6b00_0000
    static let test: UInt32 = 0x6a00_0000
    static let multiply: UInt32 = 0x1b00_7c00
    static let multiplyLong: UInt32 = 0x9ba0_7c00
    static let divide: UInt32 = 0x1ac0_0800
    static let shiftLeft: UInt32 = 0x1ac0_2000
    static let shiftRight: UInt32 = 0x1ac0_2400
  }

  init(usesWords: UInt32) {
    code.reserveCapacity(256)
    if usesWords.nonzeroBitCount <= 8 {
      var registers = [UInt32](repeating: 0, count: Int(BPF_MEMWORDS))
      var next: UInt32 = 8
      for word in registers.indices where usesWords & FilterLiveness.word(UInt32(word)) != 0 {
        registers[word] = next
        next += 1
      }
      words = registers
    } else {
      // sub sp, sp, #64
      code.append(0xd101_03ff)
    }
  }

  // MARK: Labels

  mutating func label() -> MachineLabel {
    places.append(-1)
    return MachineLabel(number: places.count - 1)
  }

  mutating func place(_ label: MachineLabel) { places[label.number] = code.count }

  mutating func jump(_ label: MachineLabel) {
    jumps.append((code.count, label.number))
    code.append(0x1400_0000)
  }

  mutating func jump(_ label: MachineLabel, if condition: MachineCondition) {
    jumps.append((code.count, label.number))
    code.append(0x5400_0000 | Arm64Emitter.number(condition))
  }

  private static func number(_ condition: MachineCondition) -> UInt32 {
    switch condition {
    case .equal: 0
    case .notEqual: 1
    case .aboveOrEqual: 2
    case .below: 3
    case .above: 8
    case .belowOrEqual: 9
    }
  }

  // MARK: Encoding

  private mutating func registers(_ op: UInt32, _ to: UInt32, _ first: UInt32, _ second: UInt32) {
    code.append(op | second << 16 | first << 5 | to)
  }

  private mutating func move(_ to: UInt32, _ from: UInt32) { registers(Op.or, to, Arm64Emitter.zero, from) }

  /// A constant of up to 48 bits.
  private mutating func set(_ register: UInt32, _ k: UInt64) {
    // movz, movn, movk
    if k >> 16 == 0xffff { return code.append(0x1280_0000 | UInt32(~k & 0xffff) << 5 | register) }
    var first = true
    for part: UInt64 in 0...2 {
      let bits = UInt32(truncatingIfNeeded: k >> (16 * part) & 0xffff)
      if bits == 0 && !(part == 0 && k == 0) { continue }
      code.append((first ? 0xd280_0000 : 0xf280_0000) | UInt32(part) << 21 | bits << 5 | register)
      first = false
    }
  }

  private mutating func set(_ register: UInt32, _ k: UInt32) { set(register, UInt64(k)) }

  /// Compares a 32-bit register; may use the second free one.
  private mutating func compare(_ register: UInt32, _ k: UInt32) {
    if k < 4096 { return code.append(0x7100_001f | k << 10 | register << 5) }
    set(Arm64Emitter.second, k)
    registers(Op.compare, Arm64Emitter.zero, register, Arm64Emitter.second)
  }

  /// `op to, register, k`; may use the first free register.
  private mutating func constant(_ op: UInt32, _ to: UInt32, _ register: UInt32, _ k: UInt32) {
    set(Arm64Emitter.free, k)
    registers(op, to, register, Arm64Emitter.free)
  }

  // MARK: The frame

  mutating func checkLength(_ needed: UInt32, else label: MachineLabel) {
    compare(Arm64Emitter.length, needed)
    jump(label, if: .below)
  }

  mutating func checkLengthFromX(_ needed: UInt64, else label: MachineLabel) {
    addX(needed)
    registers(Op.compare | Arm64Emitter.wide, Arm64Emitter.zero, Arm64Emitter.free, Arm64Emitter.length)
    jump(label, if: .above)
  }

  /// The free register = X + k, in 64 bits.
  private mutating func addX(_ k: UInt64) {
    if k < 4096 { return code.append(0x9100_0000 | UInt32(k) << 10 | Arm64Emitter.x << 5 | Arm64Emitter.free) }
    set(Arm64Emitter.free, k)
    registers(Op.add | Arm64Emitter.wide, Arm64Emitter.free, Arm64Emitter.free, Arm64Emitter.x)
  }

  mutating func clearA() { set(Arm64Emitter.a, UInt32(0)) }

  mutating func clearX() { set(Arm64Emitter.x, UInt32(0)) }

  /// A load of 1, 2 or 4 bytes into a register.
  private mutating func load(_ to: UInt32, width: UInt64, base: UInt32, at k: UInt32, fromX: Bool) {
    let size: UInt32 = width == 1 ? 0 : width == 2 ? 0x4000_0000 : 0x8000_0000
    if !fromX && k.isMultiple(of: UInt32(width)) && k / UInt32(width) < 4096 {
      return code.append(0x3940_0000 | size | (k / UInt32(width)) << 10 | base << 5 | to)
    }
    if !fromX && k < 256 { return code.append(0x3840_0000 | size | k << 12 | base << 5 | to) }
    var index = Arm64Emitter.free
    if !fromX {
      set(index, k)
    } else if k == 0 {
      index = Arm64Emitter.x
    } else {
      addX(UInt64(k))
    }
    registers(0x3860_6800 | size, to, base, index)
  }

  mutating func load(width: UInt64, at k: UInt32, fromX: Bool, order: ByteOrder) {
    load(Arm64Emitter.a, width: width, base: Arm64Emitter.frame, at: k, fromX: fromX)
    guard order == .number && width > 1 else { return }
    // rev16, rev
    code.append((width == 2 ? 0x5ac0_0400 : 0x5ac0_0800) | Arm64Emitter.a << 5 | Arm64Emitter.a)
  }

  mutating func loadHeaderLength(at k: UInt32) {
    load(Arm64Emitter.x, width: 1, base: Arm64Emitter.frame, at: k, fromX: false)
    // ubfiz w5, w5, #2, #4
    code.append(0x531e_0c00 | Arm64Emitter.x << 5 | Arm64Emitter.x)
  }

  mutating func loadMetadata(_ field: FrameMetadata.Field, else label: MachineLabel) {
    checkMetadata(else: label)
    load(
      Arm64Emitter.a, width: UInt64(field.width), base: Arm64Emitter.metadata, at: UInt32(field.offset), fromX: false)
  }

  mutating func checkMetadata(else label: MachineLabel) {
    // cmp x3, #0
    code.append(0xf100_001f | Arm64Emitter.metadata << 5)
    jump(label, if: .equal)
  }

  // MARK: Arithmetic

  mutating func run(_ instruction: Instruction, else label: MachineLabel) {
    let (a, x, k) = (Arm64Emitter.a, Arm64Emitter.x, instruction.k)
    switch instruction.code {
    case Opcode.LD_LEN: move(a, Arm64Emitter.wire)
    case Opcode.LDX_LEN: move(x, Arm64Emitter.wire)
    case Opcode.LD_IMM: set(a, k)
    case Opcode.LDX_IMM: set(x, k)
    case Opcode.LD_MEM: scratch(a, k, store: false)
    case Opcode.LDX_MEM: scratch(x, k, store: false)
    case Opcode.ST: scratch(a, k, store: true)
    case Opcode.STX: scratch(x, k, store: true)
    case Opcode.TAX: move(x, a)
    case Opcode.TXA: move(a, x)
    case Opcode.ADD_K: constant(Op.add, a, a, k)
    case Opcode.SUB_K: constant(Op.subtract, a, a, k)
    case Opcode.OR_K: constant(Op.or, a, a, k)
    case Opcode.AND_K: constant(Op.and, a, a, k)
    case Opcode.XOR_K: constant(Op.exclusiveOr, a, a, k)
    case Opcode.MUL_K: constant(Op.multiply, a, a, k)
    case Opcode.ADD_X: registers(Op.add, a, a, x)
    case Opcode.SUB_X: registers(Op.subtract, a, a, x)
    case Opcode.OR_X: registers(Op.or, a, a, x)
    case Opcode.AND_X: registers(Op.and, a, a, x)
    case Opcode.XOR_X: registers(Op.exclusiveOr, a, a, x)
    case Opcode.MUL_X: registers(Op.multiply, a, a, x)
    case Opcode.NEG: registers(Op.subtract, a, Arm64Emitter.zero, a)
    case Opcode.LSH_K: shiftA(left: true, k)
    case Opcode.RSH_K: shiftA(left: false, k)
    case Opcode.LSH_X: shiftAByX(Op.shiftLeft)
    case Opcode.RSH_X: shiftAByX(Op.shiftRight)
    case Opcode.DIV_K: divide(by: k, remainder: false)
    case Opcode.MOD_K: divide(by: k, remainder: true)
    case Opcode.DIV_X, Opcode.MOD_X:
      compare(x, 0)
      jump(label, if: .equal)
      divide(byRegister: x, remainder: instruction.code == Opcode.MOD_X)
    default: preconditionFailure("no such instruction")
    }
  }

  private mutating func scratch(_ register: UInt32, _ k: UInt32, store: Bool) {
    if let words {
      let word = words[Int(k)]
      return store ? move(word, register) : move(register, word)
    }
    code.append((store ? 0xb900_0000 : 0xb940_0000) | k << 10 | 31 << 5 | register)
  }

  private mutating func shiftA(left: Bool, _ k: UInt32) {
    if k >= 32 { return clearA() }
    if k == 0 { return }
    // ubfm
    let fields = left ? (32 - k) << 16 | (31 - k) << 10 : k << 16 | 31 << 10
    code.append(0x5300_0000 | fields | Arm64Emitter.a << 5 | Arm64Emitter.a)
  }

  private mutating func shiftAByX(_ op: UInt32) {
    registers(op, Arm64Emitter.a, Arm64Emitter.a, Arm64Emitter.x)
    // The processor shifts modulo 32: csel w4, w4, wzr, lo
    compare(Arm64Emitter.x, 32)
    select(Arm64Emitter.a, Arm64Emitter.a, if: .below, else: Arm64Emitter.zero)
  }

  private mutating func select(_ to: UInt32, _ one: UInt32, if condition: MachineCondition, else other: UInt32) {
    registers(0x1a80_0000 | Arm64Emitter.number(condition) << 12, to, one, other)
  }

  private mutating func divide(byRegister divisor: UInt32, remainder: Bool) {
    let (a, second) = (Arm64Emitter.a, Arm64Emitter.second)
    registers(Op.divide, remainder ? second : a, a, divisor)
    if remainder { multiplySubtract(second, divisor) }
  }

  /// A = A - quotient * divisor
  private mutating func multiplySubtract(_ quotient: UInt32, _ divisor: UInt32) {
    registers(0x1b00_8000 | Arm64Emitter.a << 10, Arm64Emitter.a, quotient, divisor)
  }

  private mutating func divide(by k: UInt32, remainder: Bool) {
    let (a, free, second) = (Arm64Emitter.a, Arm64Emitter.free, Arm64Emitter.second)
    if k & (k - 1) == 0 {
      if remainder { return constant(Op.and, a, a, k - 1) }
      return shiftA(left: false, UInt32(k.trailingZeroBitCount))
    }
    guard let (factor, count) = Reciprocal.of(k) else {
      set(free, k)
      return divide(byRegister: free, remainder: remainder)
    }
    set(free, factor)
    let quotient = remainder ? second : a
    registers(Op.multiplyLong, quotient, a, free)
    // lsr
    code.append(0xd340_fc00 | UInt32(count) << 16 | quotient << 5 | quotient)
    if remainder {
      set(free, k)
      multiplySubtract(quotient, free)
    }
  }

  // MARK: Comparisons

  mutating func compareA(_ k: UInt32) { compare(Arm64Emitter.a, k) }

  mutating func compareAX() { registers(Op.compare, Arm64Emitter.zero, Arm64Emitter.a, Arm64Emitter.x) }

  mutating func testA(_ k: UInt32) { constant(Op.test, Arm64Emitter.zero, Arm64Emitter.a, k) }

  mutating func testAX() { registers(Op.test, Arm64Emitter.zero, Arm64Emitter.a, Arm64Emitter.x) }

  mutating func compareA(minus low: UInt32, _ span: UInt32) {
    constant(Op.subtract, Arm64Emitter.free, Arm64Emitter.a, low)
    compare(Arm64Emitter.free, span)
  }

  mutating func compareA(_ table: PerfectHash) {
    let (free, second) = (Arm64Emitter.free, Arm64Emitter.second)
    constant(Op.multiply, free, Arm64Emitter.a, table.multiplier)
    // lsr w7, w7, shift; adr x16, table; ldr w7, [x16, x7, lsl #2]
    code.append(0x5300_7c00 | table.shift << 16 | free << 5 | free)
    tables.append((code.count, table.slots))
    code.append(0x1000_0000 | second)
    registers(0xb860_7800, free, second, free)
    registers(Op.compare, Arm64Emitter.zero, Arm64Emitter.a, free)
  }

  mutating func remember(_ violation: MachineViolation, first: Bool) {
    let to = first ? Arm64Emitter.remembered : Arm64Emitter.second
    switch violation {
    case .differs(let k): constant(Op.exclusiveOr, to, Arm64Emitter.a, k)
    case .bits(let k): constant(Op.and, to, Arm64Emitter.a, k)
    case .holds(let condition):
      // cset
      code.append(0x1a9f_07e0 | Arm64Emitter.number(condition.inverse) << 12 | to)
    }
    if !first { registers(Op.or, Arm64Emitter.remembered, Arm64Emitter.remembered, to) }
  }

  mutating func compareRemembered() { compare(Arm64Emitter.remembered, 0) }

  mutating func keep(_ condition: MachineCondition, first: Bool) {
    // cset
    let to = first ? Arm64Emitter.metadata : Arm64Emitter.second
    code.append(0x1a9f_07e0 | Arm64Emitter.number(condition.inverse) << 12 | to)
    if !first { registers(Op.and, Arm64Emitter.metadata, Arm64Emitter.metadata, to) }
  }

  mutating func compareKept(withRemembered: Bool) {
    if withRemembered {
      registers(Op.or, Arm64Emitter.metadata, Arm64Emitter.metadata, Arm64Emitter.remembered)
    }
    compare(Arm64Emitter.metadata, 0)
  }

  // MARK: Ends

  mutating func returnConstant(_ k: UInt32) {
    set(0, k)
    leave()
  }

  mutating func returnA() {
    move(0, Arm64Emitter.a)
    leave()
  }

  mutating func returnConstant(_ k: UInt32, if condition: MachineCondition, else other: UInt32) {
    set(Arm64Emitter.free, k)
    set(Arm64Emitter.second, other)
    select(0, Arm64Emitter.free, if: condition, else: Arm64Emitter.second)
    leave()
  }

  private mutating func leave() {
    // add sp, sp, #64
    if words == nil { code.append(0x9101_03ff) }
    // ret
    code.append(0xd65f_03c0)
  }

  mutating func finish() -> [UInt8] {
    for (at, label) in jumps {
      let distance = UInt32(bitPattern: Int32(places[label] - at))
      // b.cond has 19 bits for words, b 26.
      code[at] |= code[at] >> 24 == 0x54 ? (distance & 0x7ffff) << 5 : distance & 0x3ff_ffff
    }
    for (at, slots) in tables {
      let distance = UInt32(code.count - at) * 4
      code[at] |= (distance & 3) << 29 | (distance >> 2) << 5
      code += slots
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(code.count * 4)
    for word in code {
      for byte: UInt32 in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * byte))) }
    }
    return bytes
  }
}
