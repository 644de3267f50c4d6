// Programs of one kind as one body of the union: a value that they compare is looked up once for all. Control paths.

/// What the union has one behind the other.
enum UnionBody {
  /// Lets everything through.
  case everything
  case one(UnionPart)
  /// Programs of one kind, merged: what any of them may want.
  case many(MergePlan)

  /// The bodies of some wishes; nothing comes behind one that lets everything through.
  static func bodies(_ wishes: [Union.Wish]) -> [UnionBody] {
    let parts = wishes.compactMap(\.part)
    if parts.count < wishes.count { return [.everything] }
    var bodies: [UnionBody] = []
    for kind in MergedPrograms.kinds(of: parts.map(\.program)) {
      if kind.count > 1, let plan = MergedPrograms.plan(kind.map { parts[$0].program }) {
        bodies.append(.many(plan))
      } else {
        bodies += kind.map { .one(parts[$0]) }
      }
    }
    return bodies
  }

  /// Fewer instructions than so many do not come of it.
  var least: Int { if case .one(let part) = self { part.instructions.count } else { 1 } }
}

/// The values from `first` up to the next step lead to a label.
struct LookupStep {
  var first: UInt32
  var label: Int
}

/// What leads where from one value, as rising steps, the first from 0 on.
struct LookupSteps {
  private(set) var steps: [LookupStep]

  /// - Parameters:
  ///   - pieces: ranges of the value, rising and apart, and the label of each.
  ///   - usual: the label of all others.
  ///   - greatest: the value has no more.
  init(_ pieces: [(low: UInt32, high: UInt32, label: Int)], usual: Int, greatest: UInt32) {
    steps = [LookupStep(first: 0, label: usual)]
    for piece in pieces {
      add(piece.low, piece.label)
      if piece.high < greatest { add(piece.high + 1, usual) }
    }
  }

  private mutating func add(_ first: UInt32, _ label: Int) {
    if steps[steps.count - 1].first == first {
      steps.removeLast()
    }
    if steps.last?.label != label { steps.append(LookupStep(first: first, label: label)) }
  }

  /// Has at most `limit` ranges lead to `label`, by closing the narrowest gaps between them.
  mutating func widen(_ label: Int, to limit: Int) {
    let ranges = steps.indices.filter { steps[$0].label == label }
    if ranges.count <= limit { return }
    // A gap has one step: two would be two labels that are no range.
    let gaps = zip(ranges, ranges.dropFirst()).filter { $1 == $0 + 2 }.map { $0.1 - 1 }
    let narrow = gaps.sorted { width($0) < width($1) }.prefix(ranges.count - limit)
    for gap in narrow { steps[gap].label = label }
    var joined: [LookupStep] = []
    for step in steps where joined.last?.label != step.label { joined.append(step) }
    steps = joined
  }

  private func width(_ step: Int) -> UInt32 { steps[step + 1].first - steps[step].first }
}

/// Emits a merged plan as a part of a union.
struct UnionLookup {
  private typealias Label = UnionAssembler.Label

  /// What is known where a node begins.
  private struct Known {
    /// Bytes that the frame has.
    var length: UInt32
    /// X has the length of the header there.
    var header: UInt32?
  }

  /// Steps of a look-up that share the instructions that its comparisons jump to.
  private static let nearby = 60

  private let plan: MergePlan
  /// Ranges of one value that may be accepted.
  private let ranges: Int
  private let cut: UInt32
  private let isGuarded: Bool
  private let next: UnionAssembler.Label
  private var known: [Int: Known] = [:]
  private var starts: [Int: UnionAssembler.Label] = [:]

  // Numbers of labels in steps: nodes are counted from 1.
  private static let refuses = 0
  private static let accepts = -1

  init(_ plan: MergePlan, ranges: Int, cut: UInt32, isGuarded: Bool, next: UnionAssembler.Label) {
    (self.plan, self.ranges, self.cut, self.isGuarded, self.next) = (plan, ranges, cut, isGuarded, next)
  }

  mutating func emit(into assembler: inout UnionAssembler) {
    let begin = leads(0)
    if begin <= 0 { return emitEnd(begin, &assembler) }
    let order = plan.order(from: begin)
    for node in order { starts[node] = assembler.label() }
    known[begin] = Known(length: 0, header: nil)
    for node in order { emit(node, &assembler) }
  }

  /// Where an edge leads: to a node, or to an end.
  private func leads(_ edge: Int) -> Int {
    let edge = plan.edges[edge]
    if edge.set > 0, plan.sets[edge.set - 1].dropLast(plan.words).contains(where: { $0 != 0 }) {
      return UnionLookup.accepts
    }
    return edge.target
  }

  private func emitEnd(_ label: Int, _ assembler: inout UnionAssembler) {
    if label == UnionLookup.accepts {
      assembler.emit(Opcode.RET_K, cut)
    } else if let start = starts[label] {
      assembler.jump(to: start)
    } else {
      assembler.jump(to: next)
    }
  }

  // MARK: A node

  private mutating func emit(_ number: Int, _ assembler: inout UnionAssembler) {
    let node = plan.nodes[number - 1]
    assembler.place(starts[number]!)
    // No way leads there any more.
    guard var here = known[number] else { return }
    let short = leads(node.short)
    let before = here
    load(node.key, short: short, &here, &assembler)

    var steps = LookupSteps(
      node.pieces.map { ($0.low, $0.high, leads($0.edge)) }, usual: leads(node.usual), greatest: node.key.greatest)
    steps.widen(UnionLookup.accepts, to: ranges)
    if short > 0 {
      let header = before.header == here.header ? here.header : nil
      carry(Known(length: before.length, header: header), to: short)
    }
    for step in steps.steps where step.label > 0 { carry(here, to: step.label) }
    search(steps.steps[...], &assembler)
  }

  private mutating func carry(_ here: Known, to node: Int) {
    guard let there = known[node] else {
      known[node] = here
      return
    }
    known[node] = Known(
      length: min(there.length, here.length), header: there.header == here.header ? here.header : nil)
  }

  /// Loads a value into A; where the load would fail, goes to `short`.
  private func load(_ key: MergedKey, short: Int, _ here: inout Known, _ assembler: inout UnionAssembler) {
    // A load that fails refuses: the last body leaves that to the kernel.
    let isTested = isGuarded || short != UnionLookup.refuses
    let size = key.width == 4 ? BPF_W : key.width == 2 ? BPF_H : BPF_B
    let end = key.k &+ UInt32(key.width)
    switch key.source {
    case .metadata: assembler.emit(Opcode.LD_W_ABS, key.k)
    case .length: assembler.emit(Opcode.LD_LEN)
    case .absolute:
      if isTested && end > here.length {
        test(short, &assembler) { assembler, fails in
          assembler.emit(Opcode.LD_LEN)
          assembler.require(Opcode.JGE_K, end, otherwise: fails)
        }
      }
      here.length = max(here.length, end)
      assembler.emit(BPF_LD | BPF_ABS | size, key.k)
    case .indexed:
      let least = max(key.header + 1, end)
      if isTested && least > here.length {
        test(short, &assembler) { assembler, fails in
          assembler.emit(Opcode.LD_LEN)
          assembler.require(Opcode.JGE_K, least, otherwise: fails)
        }
      }
      here.length = max(here.length, least)
      if here.header != key.header { assembler.emit(Opcode.LDX_MSH, key.header) }
      here.header = key.header
      if isTested {
        test(short, &assembler) { assembler, fails in
          assembler.emit(Opcode.LD_LEN)
          assembler.emit(Opcode.SUB_K, end)
          assembler.require(Opcode.JGE_X, 0, otherwise: fails)
        }
      }
      assembler.emit(BPF_LD | BPF_IND | size, key.k)
    }
    if key.mask != .max { assembler.emit(Opcode.AND_K, key.mask) }
  }

  /// A test that leads to a label of steps where it fails.
  private func test(
    _ label: Int, _ assembler: inout UnionAssembler,
    _ body: (inout UnionAssembler, UnionAssembler.Label) -> Void
  ) {
    if label != UnionLookup.accepts { return body(&assembler, starts[label] ?? next) }
    let (fails, holds) = (assembler.label(), assembler.label())
    body(&assembler, fails)
    assembler.jump(to: holds)
    assembler.place(fails)
    assembler.emit(Opcode.RET_K, cut)
    assembler.place(holds)
  }

  // MARK: A look-up

  /// Halves the steps until few are left, which jump to instructions close behind them.
  private func search(_ steps: ArraySlice<LookupStep>, _ assembler: inout UnionAssembler) {
    if steps.count > UnionLookup.nearby {
      let middle = steps.startIndex + steps.count / 2
      let upper = assembler.label()
      assembler.refuse(Opcode.JGE_K, steps[middle].first, to: upper)
      search(steps[..<middle], &assembler)
      assembler.place(upper)
      return search(steps[middle...], &assembler)
    }
    // What follows here is often where the first one leads: nothing to jump over then.
    let last = steps[steps.startIndex].label
    var labels = [last: assembler.label()]
    for step in steps where labels[step.label] == nil { labels[step.label] = assembler.label() }
    halve(steps, labels, &assembler)
    for (label, place) in labels.sorted(by: { $0.key < $1.key }) where label != last {
      assembler.place(place)
      emitEnd(label, &assembler)
    }
    assembler.place(labels[last]!)
    emitEnd(last, &assembler)
  }

  private func halve(
    _ steps: ArraySlice<LookupStep>, _ labels: [Int: UnionAssembler.Label], _ assembler: inout UnionAssembler
  ) {
    let first = steps.startIndex
    func label(_ index: Int) -> UnionAssembler.Label { labels[steps[first + index].label]! }
    switch steps.count {
    case 1: assembler.jump(to: label(0))
    case 2: assembler.branch(Opcode.JGE_K, steps[first + 1].first, holds: label(1), fails: label(0))
    case 3 where steps[first].label == steps[first + 2].label && steps[first + 2].first == steps[first + 1].first + 1:
      assembler.branch(Opcode.JEQ_K, steps[first + 1].first, holds: label(1), fails: label(0))
    default:
      let middle = first + steps.count / 2
      let upper = assembler.label()
      assembler.refuse(Opcode.JGE_K, steps[middle].first, to: upper)
      halve(steps[..<middle], labels, &assembler)
      assembler.place(upper)
      halve(steps[middle...], labels, &assembler)
    }
  }
}
