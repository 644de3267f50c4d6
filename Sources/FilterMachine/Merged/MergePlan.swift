// The merged form while it is made: a graph of values to look at, with who is done where. Control paths.

/// What a look at one value leads to.
struct MergedEdge: Hashable {
  /// Whose verdict is known now; the number of a set, 0 for nobody.
  var set: Int
  /// The node to go on with, counted from 1; 0 is the end.
  var target: Int
}

/// One value that is looked at.
struct MergePlanNode {
  var key: MergedKey
  /// Ranges of the value, rising and apart, and the edge of each; every other value takes `usual`.
  var pieces: [(low: UInt32, high: UInt32, edge: Int)] = []
  var usual = 0
  /// When the load fails.
  var short = 0
  /// All edges go to the same node.
  var isIndex = false
}

/// Nodes, edges and sets; the first node is the first to look at.
struct MergePlan {
  var nodes: [MergePlanNode] = []
  /// The first leads to the first node.
  var edges: [MergedEdge] = []
  /// Of each set three rows of `words` words: programs that accept, programs that have to be run, programs that refuse.
  var sets: [[UInt64]] = []
  let words: Int
  /// It was too large to be followed to its end.
  var isCut = false
}

/// A set under construction.
struct MergedSet: Hashable {
  private(set) var bits: [UInt64]
  private let words: Int

  init(words: Int) {
    self.words = words
    bits = [UInt64](repeating: 0, count: 3 * words)
  }

  mutating func insert(_ program: Int, _ outcome: MergedOutcome) {
    let row =
      switch outcome {
      case .accepted: 0
      case .perhaps, .at: 1
      case .refused: 2
      }
    for other in 0..<3 { bits[other * words + program / 64] &= ~(1 << UInt64(program % 64)) }
    bits[row * words + program / 64] |= 1 << UInt64(program % 64)
  }

  var isEmpty: Bool { bits.allSatisfy { $0 == 0 } }
}
