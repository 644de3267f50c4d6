// A validated program as a graph of blocks: what native code is made from. Control paths.

/// What a block does with A at its end, or a step in its middle.
enum FilterTest: Equatable {
  /// One of BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET with a constant.
  case constant(UInt16, UInt32)
  /// The same with X.
  case index(UInt16)
  /// A is at least the first and at most the second.
  case within(UInt32, UInt32)
  /// A is one of these; more than one.
  case member([UInt32])
}

/// One thing that a block does.
struct FilterStep {
  enum Kind: Equatable {
    /// An instruction that is neither a jump nor a return.
    case instruction
    /// The program returns 0 unless the test comes out so. It need not do so at once: nothing else can be seen of it.
    case require(FilterTest, holds: Bool)
  }

  var kind: Kind
  var instruction: Instruction

  /// Every way from here to anything but `return 0` needs this many bytes of the frame (``FilterGraph/never``: there is none).
  var needed: UInt64 = 0
  /// The same, counted from X.
  var neededFromX: UInt64 = 0
  /// What is used after the step; see ``FilterLiveness``.
  var live: UInt32 = 0

  init(_ instruction: Instruction) {
    kind = .instruction
    self.instruction = instruction
  }

  init(requiring test: FilterTest, holds: Bool) {
    kind = .require(test, holds: holds)
    instruction = Instruction(code: 0)
  }
}

/// A target of a jump: a block, or an end of the program with a constant.
enum FilterTarget: Equatable {
  case block(Int)
  case exit(UInt32)
}

struct FilterBlock {
  enum End {
    case go(FilterTarget)
    case test(FilterTest, FilterTarget, FilterTarget)
    /// The target of A's key, else the default. Of equal keys the *last* one counts.
    case ladder([(key: UInt32, target: FilterTarget)], FilterTarget)
    case returnA
  }

  var steps: [FilterStep] = []
  var end: End
  /// Jumps that lead here; 0 is a block that is no longer there. The first block has one more.
  var entries = 0
  /// As in a step, at the block's begin.
  var needed: UInt64 = 0
  var neededFromX: UInt64 = 0
  var live: UInt32 = 0
}

/// The blocks of a program in an order in which every jump goes forward.
struct FilterGraph {
  /// More bytes than any frame has.
  static let never = UInt64(1) << 32

  var blocks: [FilterBlock] = []
  let ancillary: Bool

  /// Takes a program apart: jumps over jumps and returns are followed, what no way leads to is left out.
  init(_ instructions: [Instruction], ancillary: Bool) {
    self.ancillary = ancillary
    let count = instructions.count
    var reached = [Bool](repeating: false, count: count)
    var number = [Int](repeating: -1, count: count)
    var starts = 0

    /// Where a jump to an instruction ends up.
    func place(_ index: Int) -> Int {
      var index = index
      while instructions[index].code == Opcode.JA { index += 1 + Int(instructions[index].k) }
      return index
    }
    func start(_ index: Int) {
      let index = place(index)
      if instructions[index].code == Opcode.RET_K { return }
      reached[index] = true
      if number[index] < 0 {
        // Numbered in order below.
        number[index] = 0
        starts += 1
      }
    }
    start(0)
    for index in 0..<count where reached[index] {
      let instruction = instructions[index]
      switch instruction.code & 7 {
      case BPF_JMP where instruction.code != Opcode.JA:
        start(index + 1 + Int(instruction.jt))
        start(index + 1 + Int(instruction.jf))
      case BPF_JMP, BPF_RET: break
      default:
        let next = place(index + 1)
        // A straight run goes on; over a JA it becomes a jump.
        if next == index + 1 { reached[next] = true } else { start(next) }
      }
    }
    blocks.reserveCapacity(starts)
    for index in 0..<count where number[index] == 0 {
      number[index] = blocks.count
      blocks.append(FilterBlock(end: .returnA))
    }
    func target(_ index: Int) -> FilterTarget {
      let index = place(index)
      let instruction = instructions[index]
      return instruction.code == Opcode.RET_K ? .exit(instruction.k) : .block(number[index])
    }
    if blocks.isEmpty {
      blocks.append(FilterBlock(end: .go(target(0))))
      return
    }
    for first in 0..<count where number[first] >= 0 {
      let block = number[first]
      var index = first
      while true {
        let instruction = instructions[index]
        if instruction.code & 7 == BPF_JMP {
          let (holds, fails) = (target(index + 1 + Int(instruction.jt)), target(index + 1 + Int(instruction.jf)))
          let test: FilterTest =
            instruction.code & BPF_X != 0
            ? .index(instruction.code & 0xf0) : .constant(instruction.code & 0xf0, instruction.k)
          blocks[block].end = holds == fails ? .go(holds) : .test(test, holds, fails)
          break
        }
        if instruction.code == Opcode.RET_A { break }
        blocks[block].steps.append(FilterStep(instruction))
        index += 1
        let next = place(index)
        if next != index || number[next] >= 0 || instructions[next].code == Opcode.RET_K {
          blocks[block].end = .go(target(next))
          break
        }
      }
    }
    countEntries()
  }

  /// Counts the jumps to each block anew; blocks that none leads to become empty.
  mutating func countEntries() {
    for index in blocks.indices { blocks[index].entries = index == 0 ? 1 : 0 }
    for index in blocks.indices {
      if blocks[index].entries == 0 {
        blocks[index].steps = []
        blocks[index].end = .go(.exit(0))
        continue
      }
      switch blocks[index].end {
      case .go(let target): enter(target)
      case .test(_, let holds, let fails):
        enter(holds)
        enter(fails)
      case .ladder(let rungs, let other):
        for rung in rungs { enter(rung.target) }
        enter(other)
      case .returnA: break
      }
    }
  }

  private mutating func enter(_ target: FilterTarget) {
    if case .block(let index) = target { blocks[index].entries += 1 }
  }
}
