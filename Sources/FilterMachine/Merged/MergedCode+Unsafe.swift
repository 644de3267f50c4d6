// Many programs at once: programs of one kind as taps run them. Made on control paths; immutable.

/// What the packet path holds of programs of one kind: addresses, no reference, nothing to retain.
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
  /// The number of the first member among those of all kinds.
  package let base: Int
  /// The one member is to be run for every frame; nothing else is here.
  package let isAlone: Bool
  /// 64-bit words of a row of bits, one for each member.
  package let words: Int
  /// Machine code that says from where to walk; nil: from the begin.
  fileprivate(set) var native: NativeEntry?

  static let hashFactor: UInt32 = 0x9e37_79b1

  /// Finds who wants a frame.
  ///
  /// - Parameter rows: three rows of ``words``. The first becomes the members that accept the frame, with their ``Member/take``;
  ///   the second those that have to be run to know; the third is for this function. Not for one that is alone.
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

/// Owns what a ``MergedCode`` points to.
@safe final class MergedKind: @unchecked Sendable {
  /// Most programs of one.
  static let limit = 1024

  let code: MergedCode
  let nodeCount: Int
  private let programs: [Program]
  private let native: NativeCode?
  private let nodes: UnsafeMutableBufferPointer<MergedCode.Node>
  private let entries: UnsafeMutableBufferPointer<MergedCode.Entry>
  private let edges: UnsafeMutableBufferPointer<MergedCode.Edge>
  private let sets: UnsafeMutableBufferPointer<UInt64>
  private let members: UnsafeMutableBufferPointer<MergedCode.Member>

  /// - Parameters:
  ///   - programs: different ones; at most ``limit``.
  ///   - plan: of them; nil for one that is alone.
  init(_ programs: [Program], _ plan: MergePlan?, base: Int, native wantsNative: Bool) {
    self.programs = programs
    let plan = plan ?? MergePlan(edges: [MergedEdge(set: 0, target: 0)], words: 1)
    native = wantsNative ? plan.graph().flatMap { NativeCode($0) } : nil
    nodeCount = plan.nodes.count
    var tables = MergedTables()
    for node in plan.nodes { tables.add(node) }
    unsafe nodes = MergedKind.memory(tables.nodes)
    unsafe entries = MergedKind.memory(tables.entries)
    unsafe edges = MergedKind.memory(
      plan.edges.map { MergedCode.Edge(set: UInt32($0.set), target: UInt32($0.target)) })
    unsafe sets = MergedKind.memory(plan.sets.flatMap { $0 })
    unsafe members = MergedKind.memory(
      programs.map { MergedCode.Member(code: wantsNative ? $0.tapCode : $0.code, take: MergedSource($0).take ?? 0) })
    code = unsafe MergedCode(
      nodes: UnsafePointer(nodes.baseAddress!), entries: UnsafePointer(entries.baseAddress!),
      edges: UnsafePointer(edges.baseAddress!), sets: UnsafePointer(sets.baseAddress!),
      members: UnsafePointer(members.baseAddress!), memberCount: programs.count, base: base, isAlone: nodeCount == 0,
      words: plan.words, native: native?.entry)
  }

  deinit {
    // SAFETY: made in init, trivial contents; holders of `code` are gone by contract.
    unsafe nodes.deallocate()
    unsafe entries.deallocate()
    unsafe edges.deallocate()
    unsafe sets.deallocate()
    unsafe members.deallocate()
  }

  /// A copy in memory of its own, of at least one element's size.
  private static func memory<Element>(_ elements: [Element]) -> UnsafeMutableBufferPointer<Element> {
    let memory = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(1, elements.count))
    _ = unsafe memory.initialize(from: elements)
    return unsafe memory
  }
}
