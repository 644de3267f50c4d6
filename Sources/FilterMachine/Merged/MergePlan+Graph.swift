// The merged form as machine code: how far a frame goes before anybody is done. Control paths.

extension MergePlan {
  /// Most comparisons that a node's ranges may take; more are looked at by the walk.
  private static let rangeLimit = 12

  /// A program over the nodes. It returns the node, counted from 1, from which on the walk has to look at the frame, or 0
  /// when nobody wants it. Nil: there is nothing to look at.
  func graph() -> FilterGraph? {
    let root = edges[0].target
    if root == 0 { return nil }
    var graph = MergeGraph(plan: self, order: order(from: root))
    graph.build()
    return FilterGraph(merged: graph.blocks)
  }

  /// The nodes that a node leads to, itself first, each in front of those that it leads to.
  func order(from root: Int) -> [Int] {
    var order: [Int] = []
    var seen = [Bool](repeating: false, count: nodes.count + 1)
    visit(root, &seen, &order)
    return order.reversed()
  }

  /// Targets behind what leads to them, without recursion: graphs may be deep.
  private func visit(_ root: Int, _ seen: inout [Bool], _ order: inout [Int]) {
    var stack: [(node: Int, targets: [Int])] = [(root, targets(of: root))]
    seen[root] = true
    while let (node, targets) = stack.last {
      guard let next = targets.last else {
        order.append(node)
        stack.removeLast()
        continue
      }
      stack[stack.count - 1].targets.removeLast()
      if next == 0 || seen[next] { continue }
      seen[next] = true
      stack.append((next, self.targets(of: next)))
    }
  }

  /// Where a node leads, 0 too.
  fileprivate func targets(of node: Int) -> [Int] {
    let node = nodes[node - 1]
    return [edges[node.short].target, edges[node.usual].target] + node.pieces.map { edges[$0.edge].target }
  }

  /// The machine code of a node would not be what the walk does.
  fileprivate func isOpaque(_ node: Int) -> Bool {
    let node = nodes[node - 1]
    // A load that fails ends machine code.
    if edges[node.short] != MergedEdge(set: 0, target: 0) { return true }
    return node.pieces.filter { $0.low != $0.high }.count > MergePlan.rangeLimit
  }
}

/// The blocks while they are made.
private struct MergeGraph {
  let plan: MergePlan
  let order: [Int]
  var blocks: [FilterBlock] = []
  /// The first block of each node.
  private var first: [Int]
  /// Where the walk begins when somebody is done at a node: there, or where the look-ups of which it is the last began.
  private var resume: [Int]
  /// X at the begin of a node, as far as it is known: the header it was made from.
  private var header: [UInt32??]

  init(plan: MergePlan, order: [Int]) {
    self.plan = plan
    self.order = order
    first = [Int](repeating: 0, count: plan.nodes.count + 1)
    resume = [Int](repeating: 0, count: plan.nodes.count + 1)
    header = [UInt32??](repeating: nil, count: plan.nodes.count + 1)
  }

  mutating func build() {
    var entries = [Int](repeating: 0, count: plan.nodes.count + 1)
    for node in order {
      resume[node] = node
      for target in Set(plan.targets(of: node)) { entries[target] += 1 }
    }
    var count = 0
    for node in order {
      first[node] = count
      count += plan.isOpaque(node) ? 1 : ranges(node).count + 1
      // A chain of look-ups is walked from its begin, so that all of them lead to one place.
      let next = plan.edges[plan.nodes[node - 1].usual].target
      if plan.nodes[node - 1].isIndex && !plan.isOpaque(node) && next != 0 && entries[next] == 1 {
        resume[next] = resume[node]
      }
    }
    header[order[0]] = .some(nil)
    for node in order { append(node) }
  }

  private func ranges(_ node: Int) -> [(low: UInt32, high: UInt32, edge: Int)] {
    plan.nodes[node - 1].pieces.filter { $0.low != $0.high }
  }

  private func target(_ edge: Int, of node: Int) -> FilterTarget {
    let edge = plan.edges[edge]
    if edge.set != 0 { return .exit(UInt32(resume[node])) }
    return edge.target == 0 ? .exit(0) : .block(first[edge.target])
  }

  private mutating func append(_ number: Int) {
    if plan.isOpaque(number) {
      blocks.append(FilterBlock(end: .go(.exit(UInt32(resume[number])))))
      return
    }
    let node = plan.nodes[number - 1]
    let usual = target(node.usual, of: number)
    var known: UInt32? = header[number] ?? nil
    if node.key.source == .indexed { known = node.key.header }
    for target in Set(plan.targets(of: number)) where target != 0 {
      switch header[target] {
      case .none: header[target] = .some(known)
      case .some(let other): if other != known { header[target] = .some(nil) }
      }
    }
    var steps = steps(node.key, x: header[number] ?? nil)
    if let end = asMask(node, number, usual) {
      if node.key.mask != .max { steps.removeLast() }
      blocks.append(FilterBlock(steps: steps, end: end))
      return
    }
    for range in ranges(number) {
      let next = blocks.count + 1
      blocks.append(
        FilterBlock(
          steps: steps, end: .test(.within(range.low, range.high), target(range.edge, of: number), .block(next))))
      steps = []
    }
    blocks.append(FilterBlock(steps: steps, end: single(node, number, usual)))
  }

  /// Comparisons with single numbers.
  private func single(_ node: MergePlanNode, _ number: Int, _ usual: FilterTarget) -> FilterBlock.End {
    var rungs: [(key: UInt32, target: FilterTarget)] = []
    for piece in node.pieces where piece.low == piece.high {
      let target = target(piece.edge, of: number)
      if target != usual { rungs.append((piece.low, target)) }
    }
    guard let one = rungs.first?.target else { return .go(usual) }
    if rungs.count == 1 { return .test(.constant(BPF_JEQ, rungs[0].key), one, usual) }
    if rungs.allSatisfy({ $0.target == one }) { return .test(.member(rungs.map(\.key)), one, usual) }
    return .ladder(rungs, usual)
  }

  /// 0 under a mask, or not: one test without an AND.
  private func asMask(_ node: MergePlanNode, _ number: Int, _ usual: FilterTarget) -> FilterBlock.End? {
    guard node.key.mask != .max, node.key.mask != 0, node.pieces.count == 1 else { return nil }
    let piece = node.pieces[0]
    let other = target(piece.edge, of: number)
    if piece.low == 0 && piece.high == 0 { return .test(.constant(BPF_JSET, node.key.mask), usual, other) }
    if piece.low == 1 && piece.high == node.key.greatest {
      return .test(.constant(BPF_JSET, node.key.mask), other, usual)
    }
    return nil
  }

  private func steps(_ key: MergedKey, x: UInt32?) -> [FilterStep] {
    var steps: [FilterStep] = []
    let size = key.width == 4 ? BPF_W : key.width == 2 ? BPF_H : BPF_B
    switch key.source {
    case .absolute, .metadata: steps.append(FilterStep(.statement(BPF_LD | BPF_ABS | size, key.k)))
    case .length: steps.append(FilterStep(.statement(Opcode.LD_LEN)))
    case .indexed:
      if x != key.header { steps.append(FilterStep(.statement(Opcode.LDX_MSH, key.header))) }
      steps.append(FilterStep(.statement(BPF_LD | BPF_IND | size, key.k)))
    }
    if key.mask != .max { steps.append(FilterStep(.statement(Opcode.AND_K, key.mask))) }
    return steps
  }
}

extension FilterGraph {
  /// A graph of blocks that no program has. Loads of metadata read it.
  fileprivate init(merged blocks: [FilterBlock]) {
    self.blocks = blocks
    ancillary = true
    countEntries()
  }
}
