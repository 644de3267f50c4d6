// Makes the merged form: follows all programs at once, from value to value. Control paths, never a ring thread.

/// A *state* is the list of positions at which the programs stand that are not done. In each state the value that most of
/// them compare is looked at, once, and every program goes on as its own constants say.
///
/// Where the constants of many programs differ (64 peers with a port each), a state for each of them would be too many:
/// the value is looked up, whoever has it as a constant is done, and all go on together. Who is done and goes on for
/// company is not asked again. What gets too large is not followed: its programs have to be run.
struct MergeBuilder {
  /// Most nodes, and most programs in all states together.
  private static let nodeLimit = 512
  private static let workLimit = 60_000
  /// Most ways out of a node that lead to states of their own.
  private static let wayLimit = 16
  /// Most ranges that one program makes of one value, and comparisons looked at for it.
  private static let pieceLimit = 3000

  private let sources: [MergedSource]
  private var plan: MergePlan
  private var positions: [(program: Int, position: MergedPosition, key: MergedKey)] = []
  private var numbers: [Located: Int] = [:]
  private var pieces: [Int: Pieces] = [:]
  private var states: [[Int]: Int] = [:]
  private var waiting: [[Int]] = []
  private var edges: [MergedEdge: Int] = [:]
  private var sets: [MergedSet: Int] = [:]
  private var work = 0

  private struct Located: Hashable {
    var program: Int
    var position: MergedPosition
  }

  /// What one program makes of a value.
  private struct Pieces {
    var usual: MergedOutcome
    var others: [(low: UInt32, high: UInt32, outcome: MergedOutcome)]
  }

  /// A program that does something else than usual.
  private struct Change: Hashable {
    var program: Int
    var outcome: MergedOutcome
  }

  static func plan(_ sources: [MergedSource]) -> MergePlan {
    var builder = MergeBuilder(sources)
    builder.build()
    return builder.plan
  }

  private init(_ sources: [MergedSource]) {
    self.sources = sources
    plan = MergePlan(words: (sources.count + 63) / 64)
  }

  private mutating func build() {
    var alive: [Int] = []
    var done = MergedSet(words: plan.words)
    for program in sources.indices {
      let outcome = located(program, sources[program].advance(MergedPosition()))
      if case .at(let position) = outcome { alive.append(position) } else { done.insert(program, outcome) }
    }
    _ = edge(done, alive)
    var next = 0
    while next < waiting.count {
      expand(next)
      next += 1
    }
  }

  private mutating func located(_ program: Int, _ stop: MergedSource.Stop) -> MergedOutcome {
    switch stop {
    case .end(let outcome): return outcome
    case .comparison(let position):
      let place = Located(program: program, position: position)
      if let known = numbers[place] { return .at(known) }
      positions.append((program, position, sources[program].key(at: position)))
      numbers[place] = positions.count - 1
      return .at(positions.count - 1)
    }
  }

  // MARK: Edges

  /// An edge to the state of these positions; where that is one too many, its programs have to be run.
  private mutating func edge(_ set: MergedSet, _ alive: [Int]) -> Int {
    var set = set
    let target = node(alive)
    if target == nil { for position in alive { set.insert(positions[position].program, .perhaps) } }
    return edge(set, to: target ?? 0)
  }

  private mutating func edge(_ set: MergedSet, to target: Int) -> Int {
    var number = 0
    // Who refuses need not be told at the end.
    if !(set.isEmpty || (target == 0 && set.bits.dropLast(plan.words).allSatisfy { $0 == 0 })) {
      if let known = sets[set] {
        number = known
      } else {
        plan.sets.append(set.bits)
        number = plan.sets.count
        sets[set] = number
      }
    }
    let edge = MergedEdge(set: number, target: target)
    if let known = edges[edge] { return known }
    plan.edges.append(edge)
    edges[edge] = plan.edges.count - 1
    return plan.edges.count - 1
  }

  /// The node of a state, counted from 1; 0 when nobody is left, nil when there are too many.
  private mutating func node(_ alive: [Int]) -> Int? {
    if alive.isEmpty { return 0 }
    if let known = states[alive] { return known }
    if plan.nodes.count >= MergeBuilder.nodeLimit || work + alive.count > MergeBuilder.workLimit {
      plan.isCut = true
      return nil
    }
    work += alive.count
    plan.nodes.append(MergePlanNode(key: positions[alive[0]].key))
    waiting.append(alive)
    states[alive] = plan.nodes.count
    return plan.nodes.count
  }

  // MARK: A state

  private mutating func expand(_ index: Int) {
    let alive = waiting[index]
    let key = mostCompared(alive)
    var node = MergePlanNode(key: key)
    let others = alive.filter { positions[$0].key != key }
    let asking = alive.filter { positions[$0].key == key }
    let found = ways(asking)
    let goesOn = found.distinct.contains { way in
      way.contains { if case .at = $0.outcome { true } else { false } }
    }
    let branches = found.distinct.count <= 2 || (goesOn && found.distinct.count <= MergeBuilder.wayLimit)
    node.isIndex = !branches

    var usual = MergedSet(words: plan.words)
    var usually = others
    for position in asking {
      let outcome = pieces[position]!.usual
      if case .at(let next) = outcome {
        usually.append(next)
      } else if outcome != .refused {
        usual.insert(positions[position].program, outcome)
      }
    }
    usually.sort()
    node.usual = edge(usual, usually)
    node.short = edge(MergedSet(words: plan.words), others)
    var made: [Int] = []
    for way in found.distinct {
      made.append(branches ? branch(way, asking, others) : company(way, usual, usually, to: node.usual))
    }
    node.pieces = found.ranges.map { ($0.low, $0.high, made[$0.way]) }
    plan.nodes[index] = node
  }

  private func mostCompared(_ alive: [Int]) -> MergedKey {
    var counts: [MergedKey: Int] = [:]
    for position in alive { counts[positions[position].key, default: 0] += 1 }
    var best = positions[alive[0]].key
    for position in alive where counts[positions[position].key]! > counts[best]! { best = positions[position].key }
    return best
  }

  /// An edge to a state of its own.
  private mutating func branch(_ way: [Change], _ asking: [Int], _ others: [Int]) -> Int {
    var changed: [Int: MergedOutcome] = [:]
    for change in way { changed[change.program] = change.outcome }
    var set = MergedSet(words: plan.words)
    var alive = others
    for position in asking {
      let program = positions[position].program
      let outcome = changed[program] ?? pieces[position]!.usual
      if case .at(let next) = outcome {
        alive.append(next)
      } else if outcome != .refused {
        set.insert(program, outcome)
      }
    }
    alive.sort()
    return edge(set, alive)
  }

  /// An edge to where the usual one leads: who does otherwise is done, and goes on for company.
  private mutating func company(_ way: [Change], _ usual: MergedSet, _ usually: [Int], to edge: Int) -> Int {
    var set = usual
    let target = plan.edges[edge].target
    if target == 0 { for position in usually { set.insert(positions[position].program, .perhaps) } }
    for change in way { set.insert(change.program, change.outcome) }
    return self.edge(set, to: target)
  }

  // MARK: What programs make of a value

  private struct Ways {
    var ranges: [(low: UInt32, high: UInt32, way: Int)] = []
    var distinct: [[Change]] = []
  }

  /// The ranges of a value for which some program does not do what it usually does.
  private mutating func ways(_ asking: [Int]) -> Ways {
    var events: [(at: UInt64, begins: Bool, change: Change)] = []
    for position in asking {
      let program = positions[position].program
      for piece in pieces(of: position).others {
        let change = Change(program: program, outcome: piece.outcome)
        events.append((UInt64(piece.low), true, change))
        events.append((UInt64(piece.high) + 1, false, change))
      }
    }
    events.sort { $0.at < $1.at }
    var found = Ways()
    var numbers: [[Change]: Int] = [:]
    var active: [Change] = []
    var index = 0
    while index < events.count {
      let at = events[index].at
      var begun: [Change] = []
      while index < events.count, events[index].at == at {
        let event = events[index]
        if event.begins {
          begun.append(event.change)
        } else if let place = active.firstIndex(of: event.change) {
          active.remove(at: place)
        }
        index += 1
      }
      active += begun
      if active.isEmpty { continue }
      active.sort { $0.program < $1.program }
      let way = numbers[active] ?? found.distinct.count
      if way == found.distinct.count {
        numbers[active] = way
        found.distinct.append(active)
      }
      found.ranges.append((UInt32(at), UInt32(events[index].at - 1), way))
    }
    return found
  }

  private mutating func pieces(of position: Int) -> Pieces {
    if let known = pieces[position] { return known }
    let (program, first, key) = positions[position]
    let source = sources[program]
    var regions: [MergedOutcome: MergedSource.Region] = [:]
    var todo: [(position: MergedPosition, region: MergedSource.Region)] = [(first, [0...key.greatest])]
    var steps = 0
    while let (here, region) = todo.popLast() {
      steps += region.count
      let (holds, fails) = source.split(region, at: here)
      let next = source.followers(of: here)
      for (stop, part) in [(next.holds, holds), (next.fails, fails)] where !part.isEmpty {
        if steps > MergeBuilder.pieceLimit * 64 || part.count > MergeBuilder.pieceLimit {
          regions[.perhaps, default: []] += part
        } else if case .comparison(let further) = stop, source.key(at: further) == key {
          todo.append((further, part))
        } else {
          regions[located(program, stop), default: []] += part
        }
      }
    }
    let made = MergeBuilder.pieces(regions)
    pieces[position] = made
    return made
  }

  private static func pieces(_ regions: [MergedOutcome: MergedSource.Region]) -> Pieces {
    var usual = MergedOutcome.refused
    var most: UInt64 = 0
    for (outcome, region) in regions {
      let size = region.reduce(UInt64(0)) { $0 + UInt64($1.upperBound - $1.lowerBound) + 1 }
      // Of equal ones always the same, whatever the order of the dictionary.
      if size > most || (size == most && region[0].lowerBound < (regions[usual]?[0].lowerBound ?? .max)) {
        usual = outcome
        most = size
      }
    }
    var others: [(low: UInt32, high: UInt32, outcome: MergedOutcome)] = []
    for (outcome, region) in regions where outcome != usual {
      for range in region { others.append((range.lowerBound, range.upperBound, outcome)) }
    }
    others.sort { $0.low < $1.low }
    return Pieces(usual: usual, others: others)
  }
}
