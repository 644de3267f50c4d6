// What native code has to know of each point of a program: the length that every way needs, and what is still used.

/// Bits of what a point's future uses.
enum FilterLiveness {
  static let a: UInt32 = 1 << 16
  static let x: UInt32 = 1 << 17
  /// A's use asks for the number itself, not for its bytes in the frame's order.
  static let number: UInt32 = 1 << 18
  static func word(_ k: UInt32) -> UInt32 { 1 << k }
}

extension FilterGraph {
  private struct Point {
    var needed: UInt64
    var neededFromX: UInt64
    var live: UInt32

    mutating func join(_ other: Point) {
      needed = min(needed, other.needed)
      neededFromX = min(neededFromX, other.neededFromX)
      live |= other.live
    }
  }

  /// Whether a load reads the metadata; then it needs no byte of the frame.
  func readsMetadata(_ instruction: Instruction) -> Bool {
    ancillary && FrameMetadata.field(at: instruction.k) != nil
  }

  /// Looks at the program from its end. A block from which every way returns 0 becomes that.
  ///
  /// A load that fails returns 0, and nothing that a program did before can be seen then. So a length that every way from a
  /// point to anything but `return 0` asks for may be asked for at that point.
  mutating func analyse() {
    for index in blocks.indices.reversed() {
      var point = end(of: index)
      for step in blocks[index].steps.indices.reversed() {
        blocks[index].steps[step].live = point.live
        back(&point, over: blocks[index].steps[step])
        blocks[index].steps[step].needed = point.needed
        blocks[index].steps[step].neededFromX = point.neededFromX
      }
      if point.needed >= FilterGraph.never {
        point.needed = FilterGraph.never
        blocks[index].steps = []
        blocks[index].end = .go(.exit(0))
        point.live = 0
      }
      // Where several ways meet, A must be the same in all of them.
      if blocks[index].entries > 1 && point.live & FilterLiveness.a != 0 { point.live |= FilterLiveness.number }
      blocks[index].needed = point.needed
      blocks[index].neededFromX = point.neededFromX
      blocks[index].live = point.live
    }
  }

  private func begin(of target: FilterTarget) -> Point {
    switch target {
    case .exit(let k):
      let needed = k == 0 ? FilterGraph.never : 0
      return Point(needed: needed, neededFromX: needed, live: 0)
    case .block(let index):
      return Point(
        needed: blocks[index].needed, neededFromX: blocks[index].neededFromX, live: blocks[index].live)
    }
  }

  /// What holds at the end of a block; a test or jump whose targets became one is made a jump.
  private mutating func end(of index: Int) -> Point {
    func resolved(_ target: FilterTarget) -> FilterTarget {
      guard case .block(let next) = target, blocks[next].steps.isEmpty, case .go(let further) = blocks[next].end else {
        return target
      }
      return further
    }
    switch blocks[index].end {
    case .go(let target):
      let target = resolved(target)
      blocks[index].end = .go(target)
      return begin(of: target)
    case .test(let test, let holds, let fails):
      let (holds, fails) = (resolved(holds), resolved(fails))
      if holds == fails {
        blocks[index].end = .go(holds)
        return begin(of: holds)
      }
      blocks[index].end = .test(test, holds, fails)
      var point = begin(of: holds)
      point.join(begin(of: fails))
      point.live |= FilterGraph.uses(test)
      return point
    case .ladder(var rungs, var other):
      other = resolved(other)
      var point = begin(of: other)
      for rung in rungs.indices {
        rungs[rung].target = resolved(rungs[rung].target)
        point.join(begin(of: rungs[rung].target))
      }
      point.live |= FilterLiveness.a
      blocks[index].end = .ladder(rungs, other)
      return point
    case .returnA: return Point(needed: 0, neededFromX: 0, live: FilterLiveness.a | FilterLiveness.number)
    }
  }

  static func uses(_ test: FilterTest) -> UInt32 {
    switch test {
    case .constant(BPF_JEQ, _), .constant(BPF_JSET, _), .member: FilterLiveness.a
    case .constant, .within: FilterLiveness.a | FilterLiveness.number
    case .index: FilterLiveness.a | FilterLiveness.number | FilterLiveness.x
    }
  }

  private func back(_ point: inout Point, over step: FilterStep) {
    if case .require(let test, _) = step.kind {
      point.live |= FilterGraph.uses(test)
      return
    }
    let (a, x, number) = (FilterLiveness.a, FilterLiveness.x, FilterLiveness.number)
    let instruction = step.instruction
    let k = UInt64(instruction.k)
    /// X gets another value; what was counted from the new one says nothing of the old one.
    func setsX() {
      point.live &= ~x
      point.neededFromX = point.needed >= FilterGraph.never ? FilterGraph.never : 0
    }
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      point.live &= ~(a | number)
      if !readsMetadata(instruction) { point.needed = max(point.needed, k + instruction.width) }
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
      point.live = point.live & ~(a | number) | x
      point.needed = max(point.needed, k + instruction.width)
      point.neededFromX = max(point.neededFromX, k + instruction.width)
    case Opcode.LDX_MSH:
      setsX()
      point.needed = max(point.needed, k + 1)
    case Opcode.LD_IMM, Opcode.LD_LEN: point.live &= ~(a | number)
    case Opcode.LDX_IMM, Opcode.LDX_LEN: setsX()
    case Opcode.LD_MEM: point.live = point.live & ~(a | number) | FilterLiveness.word(instruction.k)
    case Opcode.LDX_MEM:
      setsX()
      point.live |= FilterLiveness.word(instruction.k)
    case Opcode.ST:
      if point.live & FilterLiveness.word(instruction.k) != 0 { point.live |= a | number }
      point.live &= ~FilterLiveness.word(instruction.k)
    case Opcode.STX:
      if point.live & FilterLiveness.word(instruction.k) != 0 { point.live |= x }
      point.live &= ~FilterLiveness.word(instruction.k)
    case Opcode.TAX:
      if point.live & x != 0 { point.live |= a | number }
      setsX()
    case Opcode.TXA:
      if point.live & a != 0 { point.live |= x }
      point.live &= ~(a | number)
    case Opcode.AND_K, Opcode.OR_K, Opcode.XOR_K: break
    case Opcode.DIV_X, Opcode.MOD_X: point.live |= a | number | x
    default:
      // Arithmetic on A.
      if point.live & a == 0 { break }
      point.live |= number
      if instruction.code & BPF_X != 0 && instruction.code != Opcode.NEG { point.live |= x }
    }
  }
}

extension Instruction {
  /// Bytes that a load of the frame reads.
  var width: UInt64 {
    switch code & 0x18 {
    case BPF_W: 4
    case BPF_H: 2
    default: 1
    }
  }
}
