// Makes fewer and better tests of a program's jumps, before code is made of them.

extension FilterGraph {
  /// Steps that may run in vain for the sake of one jump less.
  private static let worth = 14

  /// All of it, in an order in which each helps the next.
  mutating func fold() {
    foldLadders()
    countEntries()
    analyse()
    countEntries()
    foldRequirements()
    countEntries()
    analyse()
    countEntries()
  }

  /// Comparisons of the same A one behind the other: ladders, sets and ranges.
  private mutating func foldLadders() {
    for index in blocks.indices.reversed() {
      guard case .test(.constant(let op, let k), let holds, let fails) = blocks[index].end else { continue }
      switch op {
      case BPF_JEQ:
        guard let next = comparison(fails) else { continue }
        let end = blocks[next].end
        switch end {
        case .test(.constant(BPF_JEQ, let other), holds, let last):
          blocks[index].end = .test(.member([k, other]), holds, last)
        case .test(.member(let keys), holds, let last):
          remove(next)
          blocks[index].end = .test(.member(with(k, keys)), holds, last)
          continue
        case .test(.constant(BPF_JEQ, let other), let holds2, let last):
          blocks[index].end = .ladder([(other, holds2), (k, holds)], last)
        case .test(.member(let keys), let holds2, let last):
          blocks[index].end = .ladder(keys.map { ($0, holds2) } + [(k, holds)], last)
        case .ladder(var rungs, let last):
          remove(next)
          rungs.append((k, holds))
          blocks[index].end = .ladder(rungs, last)
          continue
        default: continue
        }
        remove(next)
      case BPF_JGE, BPF_JGT:
        guard let low = FilterGraph.least(op, k) else { continue }
        if let next = comparison(holds),
          case .test(.constant(let op2, let k2), let over, let inside) = blocks[next].end,
          let high = FilterGraph.least(op2, k2), over == fails, high > low
        {
          blocks[index].end = .test(.within(low, high - 1), inside, fails)
          remove(next)
        } else if let next = comparison(fails),
          case .test(.constant(let op2, let k2), let inside, let under) = blocks[next].end,
          let low2 = FilterGraph.least(op2, k2), under == holds, low > low2
        {
          blocks[index].end = .test(.within(low2, low - 1), inside, under)
          remove(next)
        }
      default: continue
      }
    }
  }

  private func with(_ key: UInt32, _ keys: consuming [UInt32]) -> [UInt32] {
    var keys = keys
    keys.append(key)
    return keys
  }

  /// The least A for which JGE or JGT holds; nil for none, and for other comparisons.
  private static func least(_ op: UInt16, _ k: UInt32) -> UInt32? {
    if op == BPF_JGE { return k }
    return op == BPF_JGT && k < .max ? k + 1 : nil
  }

  /// A block that only compares and that one jump leads to.
  private func comparison(_ target: FilterTarget) -> Int? {
    guard case .block(let index) = target, blocks[index].steps.isEmpty, blocks[index].entries == 1 else { return nil }
    return index
  }

  private mutating func remove(_ index: Int) {
    blocks[index].entries = 0
    blocks[index].steps = []
    blocks[index].end = .go(.exit(0))
  }

  /// A block that fails to `return 0` and otherwise goes on to one that does so too becomes one block with that one: the
  /// test is remembered, and looked at with the others. Its loads happen in vain when the test fails, which nobody sees.
  private mutating func foldRequirements() {
    for index in blocks.indices.reversed() where blocks[index].entries > 0 {
      switch blocks[index].end {
      case .go(.block(let next)) where blocks[next].entries == 1: join(index, next)
      case .test(let test, .exit(0), .block(let next)) where joins(next):
        blocks[index].steps.append(FilterStep(requiring: test, holds: false))
        join(index, next)
      case .test(let test, .block(let next), .exit(0)) where joins(next):
        blocks[index].steps.append(FilterStep(requiring: test, holds: true))
        join(index, next)
      default: break
      }
    }
  }

  private func joins(_ next: Int) -> Bool {
    guard blocks[next].entries == 1, blocks[next].steps.count <= FilterGraph.worth else { return false }
    switch blocks[next].end {
    case .test(_, .exit(0), _), .test(_, _, .exit(0)), .test(_, .exit, .exit), .go(.exit): break
    // The last of several tests of which one must hold may return 0, too.
    case .test where either(of: next)?.fails == .exit(0): break
    default: return false
    }
    // Divisions are slow, and arithmetic is not worth doing in vain.
    return blocks[next].steps.allSatisfy { step in
      step.instruction.code & 7 != BPF_ALU || step.instruction.code == Opcode.AND_K
    }
  }

  private mutating func join(_ index: Int, _ next: Int) {
    blocks[index].steps.append(contentsOf: blocks[next].steps)
    blocks[index].end = blocks[next].end
    remove(next)
  }
}
