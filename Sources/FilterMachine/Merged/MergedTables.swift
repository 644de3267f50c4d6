// The merged form's look-ups as the walk reads them: hash tables and ranges. Control paths.

/// Nodes and their entries as the walk reads them.
struct MergedTables {
  private(set) var nodes: [MergedCode.Node] = []
  private(set) var entries: [MergedCode.Entry] = []

  mutating func add(_ node: MergePlanNode) {
    let first = entries.count
    var shift: UInt32 = 0
    if node.pieces.allSatisfy({ $0.low == $0.high }) { shift = addHash(node) } else { addRanges(node) }
    nodes.append(
      MergedCode.Node(
        key: node.key, first: UInt32(first), count: UInt32(entries.count - first), shift: shift,
        usual: UInt32(node.usual), short: UInt32(node.short)))
  }

  private mutating func addHash(_ node: MergePlanNode) -> UInt32 {
    var bits: UInt32 = 1
    while 1 << bits < 2 * node.pieces.count + 1 { bits += 1 }
    let first = entries.count
    let mask = (1 << Int(bits)) - 1
    entries += [MergedCode.Entry](repeating: MergedCode.Entry(key: 0, edge: 0), count: mask + 1)
    for piece in node.pieces {
      var slot = Int((piece.low &* MergedCode.hashFactor) >> (32 - bits))
      while entries[first + slot].edge != 0 { slot = (slot + 1) & mask }
      entries[first + slot] = MergedCode.Entry(key: piece.low, edge: UInt32(piece.edge) + 1)
    }
    return 32 - bits
  }

  private mutating func addRanges(_ node: MergePlanNode) {
    var next: UInt64 = 0
    for piece in node.pieces {
      if UInt64(piece.low) > next {
        entries.append(MergedCode.Entry(key: UInt32(next), edge: UInt32(node.usual)))
      }
      entries.append(MergedCode.Entry(key: piece.low, edge: UInt32(piece.edge)))
      next = UInt64(piece.high) + 1
    }
    if next <= UInt64(UInt32.max) {
      entries.append(MergedCode.Entry(key: UInt32(next), edge: UInt32(node.usual)))
    }
  }
}
