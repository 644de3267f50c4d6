// Tests of which one must hold: `src port 80 or dst port 80`. Control paths.

/// What an ``FilterGraph/either(of:)`` found.
struct FilterEither {
  /// Blocks that are asked one after the other when the test before failed.
  var others: [Int]
  /// Where a test that holds leads, the same for all.
  var holds: FilterTarget
  /// Where the last leads when it fails, too.
  var fails: FilterTarget
}

extension FilterGraph {
  /// Most tests that are made in vain, and most instructions of each.
  private static let mostOthers = 3
  private static let mostSteps = 3

  /// The tests that follow the test at a block's end when it fails, as long as they lead to the same place when they hold.
  ///
  /// They may be made whether or not the first holds, where the frame is long enough for their loads: they do nothing else.
  func either(of index: Int) -> FilterEither? {
    guard case .test(_, let holds, .block(let first)) = blocks[index].end, holds != .exit(0) else { return nil }
    // Each leaves another A.
    if case .block(let next) = holds, blocks[next].live & FilterLiveness.a != 0 { return nil }
    var others: [Int] = []
    var next = first
    while others.count < FilterGraph.mostOthers, mayAsk(next), case .test(_, holds, let fails) = blocks[next].end {
      others.append(next)
      guard case .block(let further) = fails else {
        return FilterEither(others: others, holds: holds, fails: fails)
      }
      next = further
    }
    return others.isEmpty ? nil : FilterEither(others: others, holds: holds, fails: .block(next))
  }

  /// A block that one jump leads to and that only loads from the frame.
  private func mayAsk(_ index: Int) -> Bool {
    blocks[index].entries == 1 && blocks[index].steps.count <= FilterGraph.mostSteps
      && blocks[index].steps.allSatisfy { step in
        guard case .instruction = step.kind else { return false }
        switch step.instruction.code {
        case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS: return !readsMetadata(step.instruction)
        case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND, Opcode.AND_K: return true
        default: return false
        }
      }
  }

  /// What the loads of a block ask for: bytes of the frame, and bytes from X on.
  func asks(_ index: Int) -> (length: UInt64, fromX: UInt64) {
    var (length, fromX): (UInt64, UInt64) = (0, 0)
    for step in blocks[index].steps where step.instruction.code & 7 == BPF_LD {
      let end = UInt64(step.instruction.k) + step.instruction.width
      if step.instruction.code & 0xe0 == BPF_IND { fromX = max(fromX, end) } else { length = max(length, end) }
    }
    return (length, fromX)
  }

  /// Whether any load reads the metadata.
  var readsMetadata: Bool {
    ancillary
      && blocks.contains { block in
        block.steps.contains { $0.instruction.code & 0xe7 == BPF_LD | BPF_ABS && readsMetadata($0.instruction) }
      }
  }
}
