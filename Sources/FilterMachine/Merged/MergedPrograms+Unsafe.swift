// Many programs at once: the merged form and what taps hold of it. Made on control paths; immutable.

/// What the packet path holds of a merged form: addresses, no reference, nothing to retain.
///
/// Dangles when the last reference to its ``MergedPrograms`` goes, which whoever publishes it to a packet path rules out.
@safe package struct MergedCode: @unchecked Sendable {
  /// One value to look at.
  struct Node {
    var key: MergedKey
    /// Where its entries begin, and how many there are.
    var first: UInt32
    var count: UInt32
    /// Entries are the slots of a hash table: 32 less the bits of an index. 0: ranges in rising order, the first from 0 on.
    var shift: UInt32
    var usual: UInt32
    var short: UInt32
  }

  struct Entry {
    /// The constant, or where the range begins.
    var key: UInt32
    /// In a hash table one more than the edge, and 0 in an empty slot.
    var edge: UInt32
  }

  struct Edge {
    var set: UInt32
    var target: UInt32
  }

  /// One of the different programs.
  package struct Member {
    package let code: ProgramCode
    /// What it returns for each frame that it accepts; only then is it sure of any.
    package let take: UInt32
  }

  let nodes: UnsafePointer<Node>
  let entries: UnsafePointer<Entry>
  let edges: UnsafePointer<Edge>
  let sets: UnsafePointer<UInt64>
  package let members: UnsafePointer<Member>
  package let memberCount: Int
  /// 64-bit words of a row of bits, one for each member.
  package let words: Int
  /// Machine code that says from where to walk; nil: from the begin.
  fileprivate(set) var native: NativeEntry?

  static let hashFactor: UInt32 = 0x9e37_79b1

  /// Finds who wants a frame.
  ///
  /// - Parameter rows: three rows of ``words``. The first becomes the members that accept the frame, with their ``Member/take``;
  ///   the second those that have to be run to know; the third is for this function.
  /// - Returns: false when nobody wants the frame; then the rows are not written.
  @inline(__always)
  package func judge(
    packet: UnsafeRawPointer, wireLength: UInt32, captured: UInt32, metadata: UnsafePointer<FrameMetadata>?,
    rows: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    // SAFETY: of the whole function. The builder made every number in the tables an index into them, and targets lead forward;
    // a frame's bytes are read by keys and machine code only, which compare with its end.
    let begin = unsafe edges[0]
    var at = begin.target
    if let native = unsafe native {
      at = unsafe native(packet, UInt(captured), wireLength, UnsafeRawPointer(metadata))
    }
    if at == 0 && begin.set == 0 { return false }
    for index in 0..<(3 &* words) { unsafe rows[index] = 0 }
    if begin.set != 0 { unsafe note(begin.set, rows) }
    while at != 0 {
      let node = unsafe nodes + Int(at &- 1)
      let value = unsafe node.pointee.key.value(
        packet: packet, wireLength: wireLength, captured: captured, metadata: metadata)
      let number =
        value < 0 ? unsafe node.pointee.short : unsafe edge(node, UInt32(truncatingIfNeeded: value))
      let edge = unsafe edges[Int(number)]
      if edge.set != 0 { unsafe note(edge.set, rows) }
      at = edge.target
    }
    return true
  }

  /// The edge of a value.
  @inline(__always)
  private func edge(_ node: UnsafePointer<Node>, _ value: UInt32) -> UInt32 {
    // SAFETY: as in judge; a hash table has an empty slot.
    let entries = unsafe self.entries + Int(node.pointee.first)
    let count = unsafe Int(node.pointee.count)
    let shift = unsafe node.pointee.shift
    if shift != 0 {
      var slot = Int((value &* MergedCode.hashFactor) &>> shift)
      while true {
        let entry = unsafe entries[slot]
        if entry.edge == 0 { return unsafe node.pointee.usual }
        if entry.key == value { return entry.edge &- 1 }
        slot = (slot &+ 1) & (count &- 1)
      }
    }
    var low = 0
    var size = count
    while size > 1 {
      let half = size &>> 1
      if unsafe entries[low &+ half].key <= value { low = low &+ half }
      size = size &- half
    }
    return unsafe entries[low].edge
  }

  /// Adds a set: of each member what was said first counts.
  @inline(__always)
  private func note(_ set: UInt32, _ rows: UnsafeMutablePointer<UInt64>) {
    // SAFETY: as in judge; a set has three rows.
    let bits = unsafe sets + Int(set &- 1) &* 3 &* words
    for word in 0..<words {
      let open = unsafe ~(rows[word] | rows[words &+ word] | rows[2 &* words &+ word])
      unsafe rows[word] |= bits[word] & open
      unsafe rows[words &+ word] |= bits[words &+ word] & open
      unsafe rows[2 &* words &+ word] |= bits[2 &* words &+ word] & open
    }
  }
}

/// Programs merged into one form: equal ones are one member; loads and tests that they share are made once; where their constants
/// differ, a value is looked up. (Dynamic packet filters; BPF+)
///
/// - Threads: any. Making it takes as long as compiling expressions; never on a ring thread.
@safe package final class MergedPrograms: @unchecked Sendable {
  /// Most different programs; those behind them are not merged.
  package static let limit = 1024
  /// Words of the three rows that ``MergedCode/judge(packet:wireLength:captured:metadata:rows:)`` writes, at most.
  package static let rowWords = 3 * limit / 64

  package let code: MergedCode
  /// The member of each program, as they were given; nil: it is not merged.
  package let members: [Int?]
  /// Nodes of the merged form.
  package let nodeCount: Int
  /// Some value is looked at for all.
  package var sharesTests: Bool { nodeCount > 0 }

  private let programs: [Program]
  private let native: NativeCode?
  private let nodes: UnsafeMutableBufferPointer<MergedCode.Node>
  private let entries: UnsafeMutableBufferPointer<MergedCode.Entry>
  private let edges: UnsafeMutableBufferPointer<MergedCode.Edge>
  private let sets: UnsafeMutableBufferPointer<UInt64>
  private let table: UnsafeMutableBufferPointer<MergedCode.Member>

  /// - Parameters:
  ///   - programs: in any order, equal ones too; at least one.
  ///   - native: with machine code, where this machine lets it be made.
  package init(_ programs: [Program], native wantsNative: Bool = NativeCode.isWanted) {
    var numbers: [MergedIdentity: Int] = [:]
    var distinct: [Program] = []
    members = programs.map { program in
      let identity = MergedIdentity(program)
      if let known = numbers[identity] { return known }
      if distinct.count == MergedPrograms.limit { return nil }
      numbers[identity] = distinct.count
      distinct.append(program)
      return distinct.count - 1
    }
    self.programs = distinct
    let sources = distinct.map { MergedSource($0) }
    let plan = MergeBuilder.plan(sources)
    native = wantsNative ? plan.graph().flatMap { NativeCode($0) } : nil
    nodeCount = plan.nodes.count

    var tables = MergedTables()
    for node in plan.nodes { tables.add(node) }
    unsafe nodes = MergedPrograms.memory(tables.nodes)
    unsafe entries = MergedPrograms.memory(tables.entries)
    unsafe edges = MergedPrograms.memory(
      plan.edges.map { MergedCode.Edge(set: UInt32($0.set), target: UInt32($0.target)) })
    unsafe sets = MergedPrograms.memory(plan.sets.flatMap { $0 })
    unsafe table = MergedPrograms.memory(
      zip(distinct, sources).map { MergedCode.Member(code: wantsNative ? $0.tapCode : $0.code, take: $1.take ?? 0) })
    code = unsafe MergedCode(
      nodes: UnsafePointer(nodes.baseAddress!), entries: UnsafePointer(entries.baseAddress!),
      edges: UnsafePointer(edges.baseAddress!), sets: UnsafePointer(sets.baseAddress!),
      members: UnsafePointer(table.baseAddress!), memberCount: distinct.count, words: plan.words,
      native: native?.entry)
  }

  deinit {
    // SAFETY: made in init, trivial contents; holders of `code` are gone by contract.
    unsafe nodes.deallocate()
    unsafe entries.deallocate()
    unsafe edges.deallocate()
    unsafe sets.deallocate()
    unsafe table.deallocate()
  }

  /// A copy in memory of its own, of at least one element's size.
  private static func memory<Element>(_ elements: [Element]) -> UnsafeMutableBufferPointer<Element> {
    let memory = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(1, elements.count))
    _ = unsafe memory.initialize(from: elements)
    return unsafe memory
  }
}

/// What makes two programs the same.
private struct MergedIdentity: Hashable {
  let words: [UInt64]

  init(_ program: Program) {
    words =
      program.instructions.map {
        UInt64($0.code) << 48 | UInt64($0.jt) << 40 | UInt64($0.jf) << 32 | UInt64($0.k)
      } + [program.isAncillary ? 1 : 0]
  }
}

/// Nodes and their entries as the walk reads them.
private struct MergedTables {
  var nodes: [MergedCode.Node] = []
  var entries: [MergedCode.Entry] = []

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
