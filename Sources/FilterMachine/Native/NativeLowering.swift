// From the graph of a program to machine code, for either processor. Control paths.

/// Walks the blocks once, forwards, and remembers what is known of the frame's length.
struct NativeLowering<Emitter: MachineEmitter> {
  /// What is known at a point.
  struct Known {
    /// The frame has at least so many bytes.
    var length: UInt64 = 0
    /// And so many from X on; 0 is nothing known.
    var lengthFromX: UInt64 = 0
    /// X is at most this.
    var x = UInt64(UInt32.max)
    var order = ByteOrder.number

    mutating func join(_ other: Known) {
      length = min(length, other.length)
      lengthFromX = min(lengthFromX, other.lengthFromX)
      x = max(x, other.x)
    }
  }

  let graph: FilterGraph
  var emitter: Emitter
  var known: [Known?]
  var labels: [MachineLabel] = []
  private var exits: [(k: UInt32, label: MachineLabel)] = []
  private let refuse: MachineLabel
  /// A register more is free: that of the metadata.
  let mayKeep: Bool

  /// The code of a program; nil when it is larger than anything sensible.
  static func code(of instructions: [Instruction], ancillary: Bool) -> [UInt8] {
    code(of: FilterGraph(instructions, ancillary: ancillary))
  }

  static func code(of unfolded: FilterGraph) -> [UInt8] {
    var graph = unfolded
    graph.fold()
    var lowering = NativeLowering(graph)
    return lowering.emit()
  }

  private init(_ graph: FilterGraph) {
    self.graph = graph
    mayKeep = !graph.readsMetadata
    var words: UInt32 = 0
    for block in graph.blocks {
      for step in block.steps where step.instruction.code == Opcode.ST || step.instruction.code == Opcode.STX {
        words |= FilterLiveness.word(step.instruction.k)
      }
    }
    emitter = Emitter(usesWords: words)
    known = [Known?](repeating: nil, count: graph.blocks.count)
    known[0] = Known(x: 0)
    refuse = emitter.label()
    exits = [(0, refuse)]
    labels = graph.blocks.map { _ in emitter.label() }
  }

  private mutating func emit() -> [UInt8] {
    if graph.blocks[0].live & FilterLiveness.a != 0 { emitter.clearA() }
    if graph.blocks[0].live & FilterLiveness.x != 0 { emitter.clearX() }
    for index in graph.blocks.indices {
      guard var known = known[index] else { continue }
      emitter.place(labels[index])
      var remembers = false
      for step in graph.blocks[index].steps { emit(step, &known, &remembers) }
      let next = follower(of: index)
      if case .test(let test, _, _) = graph.blocks[index].end, endEither(index, test, known, remembers, next) {
        continue
      }
      end(graph.blocks[index].end, known, remembers, next: next)
    }
    for (k, label) in exits {
      emitter.place(label)
      emitter.returnConstant(k)
    }
    return emitter.finish()
  }

  /// The block whose code comes next: of those that are already known to be reached, or that this block reaches, the first.
  private func follower(of index: Int) -> Int? {
    for next in (index + 1)..<max(index + 1, graph.blocks.count) where graph.blocks[next].entries > 0 { return next }
    return nil
  }

  mutating func label(_ target: FilterTarget) -> MachineLabel {
    switch target {
    case .block(let index): return labels[index]
    case .exit(let k):
      if let exit = exits.first(where: { $0.k == k }) { return exit.label }
      let label = emitter.label()
      exits.append((k, label))
      return label
    }
  }

  // MARK: Steps

  mutating func emit(_ step: FilterStep, _ known: inout Known, _ remembers: inout Bool) {
    if case .require(let test, let holds) = step.kind {
      require(test, holds, known.order, &remembers)
      return
    }
    let instruction = step.instruction
    let usesA = step.live & FilterLiveness.a != 0
    let usesX = step.live & FilterLiveness.x != 0
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      if graph.readsMetadata(instruction), let field = FrameMetadata.field(at: instruction.k) {
        if usesA { emitter.loadMetadata(field, else: refuse) } else { emitter.checkMetadata(else: refuse) }
        known.order = .number
        return
      }
      demand(UInt64(instruction.k) + instruction.width, step.needed, &known)
      if usesA { load(step, fromX: false, &known) }
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
      let limit = UInt64(instruction.k) + instruction.width
      if known.lengthFromX < limit && known.length < known.x + limit {
        emitter.checkLengthFromX(step.neededFromX, else: refuse)
        known.lengthFromX = step.neededFromX
        known.length = max(known.length, step.neededFromX)
      }
      if usesA { load(step, fromX: true, &known) }
    case Opcode.LDX_MSH:
      demand(UInt64(instruction.k) + 1, step.needed, &known)
      if usesX { emitter.loadHeaderLength(at: instruction.k) }
      known.lengthFromX = 0
      known.x = 60
    case Opcode.LDX_IMM, Opcode.LDX_LEN, Opcode.LDX_MEM, Opcode.TAX:
      if usesX { emitter.run(instruction, else: refuse) }
      known.lengthFromX = 0
      known.x = instruction.code == Opcode.LDX_IMM ? UInt64(instruction.k) : UInt64(UInt32.max)
    case Opcode.ST, Opcode.STX:
      if step.live & FilterLiveness.word(instruction.k) != 0 { emitter.run(instruction, else: refuse) }
    case Opcode.AND_K, Opcode.OR_K, Opcode.XOR_K:
      if usesA {
        emitter.run(Instruction(code: instruction.code, k: known.order(instruction.k)), else: refuse)
      }
    case Opcode.DIV_X, Opcode.MOD_X: emitter.run(instruction, else: refuse)
    case Opcode.LD_IMM, Opcode.LD_LEN, Opcode.LD_MEM, Opcode.TXA:
      if usesA { emitter.run(instruction, else: refuse) }
      known.order = .number
    default:
      if usesA { emitter.run(instruction, else: refuse) }
    }
  }

  private mutating func demand(_ limit: UInt64, _ needed: UInt64, _ known: inout Known) {
    if known.length >= limit { return }
    emitter.checkLength(UInt32(needed), else: refuse)
    known.length = needed
  }

  private mutating func load(_ step: FilterStep, fromX: Bool, _ known: inout Known) {
    known.order = order(of: step)
    emitter.load(width: step.instruction.width, at: step.instruction.k, fromX: fromX, order: known.order)
  }

  /// How a load of the frame leaves A.
  func order(of step: FilterStep) -> ByteOrder {
    let width = step.instruction.width
    let asNumber = step.live & FilterLiveness.number != 0 || width == 1
    return asNumber ? .number : width == 2 ? .frame16 : .frame32
  }

  // MARK: Tests

  private mutating func require(_ test: FilterTest, _ holds: Bool, _ order: ByteOrder, _ remembers: inout Bool) {
    switch test {
    case .constant(BPF_JEQ, let k) where holds: emitter.remember(.differs(order(k)), first: !remembers)
    case .constant(BPF_JSET, let k) where !holds: emitter.remember(.bits(order(k)), first: !remembers)
    default:
      guard let condition = compare(test, order) else {
        let go = emitter.label()
        branch(test, order, holds ? go : refuse, holds ? refuse : go)
        emitter.place(go)
        return
      }
      emitter.remember(.holds(holds ? condition.inverse : condition), first: !remembers)
    }
    remembers = true
  }

  /// Compares, so that the condition tells whether the test holds; nil when one comparison is not enough.
  mutating func compare(_ test: FilterTest, _ order: ByteOrder) -> MachineCondition? {
    switch test {
    case .constant(BPF_JSET, let k):
      emitter.testA(order(k))
      return .notEqual
    case .index(BPF_JSET):
      emitter.testAX()
      return .notEqual
    case .constant(let op, let k):
      emitter.compareA(order(k))
      return condition(op)
    case .index(let op):
      emitter.compareAX()
      return condition(op)
    case .within(let low, let high):
      emitter.compareA(minus: low, high - low)
      return .belowOrEqual
    case .member(let keys):
      guard let table = PerfectHash(distinct(keys, order)) else { return nil }
      emitter.compareA(table)
      return .equal
    }
  }

  private func condition(_ op: UInt16) -> MachineCondition {
    switch op {
    case BPF_JEQ: .equal
    case BPF_JGT: .above
    default: .aboveOrEqual
    }
  }

  func distinct(_ keys: [UInt32], _ order: ByteOrder) -> [UInt32] {
    var sorted = keys.map { order($0) }
    sorted.sort()
    var count = 0
    for key in sorted where count == 0 || sorted[count - 1] != key {
      sorted[count] = key
      count += 1
    }
    sorted.removeLast(sorted.count - count)
    return sorted
  }

  /// A test that one comparison cannot decide.
  private mutating func branch(_ test: FilterTest, _ order: ByteOrder, _ holds: MachineLabel, _ fails: MachineLabel) {
    guard case .member(let keys) = test else { preconditionFailure("only sets are too large for a table") }
    search(distinct(keys, order)[...].map { ($0, holds) }[...], fails)
  }

  /// Binary search over keys in rising order.
  private mutating func search(_ rungs: ArraySlice<(key: UInt32, label: MachineLabel)>, _ other: MachineLabel) {
    if rungs.count <= 3 {
      for rung in rungs {
        emitter.compareA(rung.key)
        emitter.jump(rung.label, if: .equal)
      }
      emitter.jump(other)
      return
    }
    let middle = rungs.startIndex + rungs.count / 2
    let upper = emitter.label()
    emitter.compareA(rungs[middle].key)
    emitter.jump(upper, if: .aboveOrEqual)
    search(rungs[..<middle], other)
    emitter.place(upper)
    search(rungs[middle...], other)
  }

  // MARK: Ends

  private mutating func end(_ end: FilterBlock.End, _ known: Known, _ remembers: Bool, next: Int?) {
    switch end {
    case .returnA:
      refuseRemembered(remembers)
      emitter.returnA()
    case .go(.exit(let k)):
      if remembers {
        emitter.compareRemembered()
        emitter.returnConstant(k, if: .equal, else: 0)
      } else {
        emitter.returnConstant(k)
      }
    case .go(.block(let index)):
      refuseRemembered(remembers)
      reach(.block(index), known)
      if index != next { emitter.jump(labels[index]) }
    case .test(let test, let holds, let fails): endTest(test, holds, fails, known, remembers, next)
    case .ladder(let rungs, let other):
      refuseRemembered(remembers)
      reach(other, known)
      var targets: [UInt32: FilterTarget] = [:]
      for rung in rungs { targets[known.order(rung.key)] = rung.target }
      var sorted: [(key: UInt32, label: MachineLabel)] = []
      for (key, target) in targets {
        reach(target, known)
        sorted.append((key, label(target)))
      }
      sorted.sort { $0.key < $1.key }
      search(sorted[...], label(other))
    }
  }

  private mutating func endTest(
    _ test: FilterTest, _ holds: FilterTarget, _ fails: FilterTarget, _ known: Known, _ remembers: Bool, _ next: Int?
  ) {
    reach(holds, known)
    reach(fails, known)
    if case .exit(let k) = holds, case .exit(let other) = fails {
      if remembers && (k == 0 || other == 0) {
        var remembers = remembers
        require(test, other == 0, known.order, &remembers)
        emitter.compareRemembered()
        emitter.returnConstant(other == 0 ? k : other, if: .equal, else: 0)
        return
      }
      refuseRemembered(remembers)
      if let condition = compare(test, known.order) {
        emitter.returnConstant(k, if: condition, else: other)
        return
      }
    } else {
      // With what is remembered one jump is enough when the test, too, fails to `return 0`.
      if remembers, holds == .exit(0) || fails == .exit(0) {
        var remembers = remembers
        require(test, fails == .exit(0), known.order, &remembers)
        let target = fails == .exit(0) ? holds : fails
        emitter.compareRemembered()
        emitter.jump(refuse, if: .notEqual)
        if target != next.map({ .block($0) }) { emitter.jump(label(target)) }
        return
      }
      refuseRemembered(remembers)
      if let condition = compare(test, known.order) {
        if holds == next.map({ .block($0) }) {
          emitter.jump(label(fails), if: condition.inverse)
          return
        }
        emitter.jump(label(holds), if: condition)
        if case .exit(let k) = fails {
          emitter.returnConstant(k)
        } else if fails != next.map({ .block($0) }) {
          emitter.jump(label(fails))
        }
        return
      }
    }
    branch(test, known.order, label(holds), label(fails))
  }

  mutating func refuseRemembered(_ remembers: Bool) {
    guard remembers else { return }
    emitter.compareRemembered()
    emitter.jump(refuse, if: .notEqual)
  }

  /// A way to a block with what is known on it.
  mutating func reach(_ target: FilterTarget, _ known: Known) {
    guard case .block(let index) = target else { return }
    if self.known[index] == nil { self.known[index] = known } else { self.known[index]!.join(known) }
  }
}
