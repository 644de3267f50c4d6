// Many programs at once: which programs are the same, which are of one kind, which run alone. Made on control paths.

/// Programs merged: equal ones are one *member*; those of one kind share loads and tests, and where their constants differ, a
/// value is looked up; what is of no kind runs alone. (Dynamic packet filters; PathFinder; BPF+)
///
/// - Threads: any. Making it takes as long as compiling expressions; never on a ring thread.
@safe package final class MergedPrograms: @unchecked Sendable {
  /// Words of the three rows that ``MergedCode/judge(packet:wireLength:captured:metadata:rows:)`` writes, at most.
  package static let rowWords = 3 * MergedKind.limit / 64

  /// What the packet path runs, one after the other: ``kindCount`` of them.
  package let kinds: UnsafePointer<MergedCode>
  package let kindCount: Int
  /// Different programs.
  package let memberCount: Int
  /// The member of each program, as they were given.
  package let members: [Int]
  private let memory: UnsafeMutableBufferPointer<MergedCode>
  let owners: [MergedKind]

  /// - Parameters:
  ///   - programs: in any order, equal ones too; at least one.
  ///   - native: with machine code, where this machine lets it be made.
  package init(_ programs: [Program], native: Bool = NativeCode.isWanted) {
    var numbers: [MergedIdentity: Int] = [:]
    var distinct: [Program] = []
    let places = programs.map { program in
      let identity = MergedIdentity(program)
      if let known = numbers[identity] { return known }
      numbers[identity] = distinct.count
      distinct.append(program)
      return distinct.count - 1
    }
    var owners: [MergedKind] = []
    var order = [Int](repeating: 0, count: distinct.count)
    var base = 0
    func add(_ numbers: [Int], _ plan: MergePlan?) {
      owners.append(MergedKind(numbers.map { distinct[$0] }, plan, base: base, native: native))
      for (index, number) in numbers.enumerated() { order[number] = base + index }
      base += numbers.count
    }
    for numbers in MergedPrograms.kinds(of: distinct) {
      if numbers.count > 1, let plan = MergedPrograms.plan(numbers.map { distinct[$0] }) {
        add(numbers, plan)
      } else {
        for number in numbers { add([number], nil) }
      }
    }
    members = places.map { order[$0] }
    memberCount = base
    self.owners = owners
    kindCount = owners.count
    unsafe memory = .allocate(capacity: max(1, owners.count))
    _ = unsafe memory.initialize(from: owners.map(\.code))
    unsafe kinds = unsafe UnsafePointer(memory.baseAddress!)
  }

  // SAFETY: trivial contents; holders of `kinds` are gone by contract.
  deinit { unsafe memory.deallocate() }

  /// Programs that load the same values in the same order, as numbers.
  static func kinds(of programs: [Program]) -> [[Int]] {
    var kinds: [[Int]] = []
    var numbers: [[UInt64]: Int] = [:]
    for (index, program) in programs.enumerated() {
      var loads: [UInt64] = [program.isAncillary ? 1 : 0]
      for instruction in program.instructions {
        let load = UInt64(instruction.code) << 32 | UInt64(instruction.k)
        switch instruction.code {
        case Opcode.LD_IMM, Opcode.LDX_IMM: break
        case Opcode.AND_K: if !loads.contains(load) { loads.append(load) }
        default: if instruction.code & 7 <= BPF_LDX && !loads.contains(load) { loads.append(load) }
        }
      }
      if let kind = numbers[loads], kinds[kind].count < MergedKind.limit {
        kinds[kind].append(index)
      } else {
        numbers[loads] = kinds.count
        kinds.append([index])
      }
    }
    return kinds
  }

  /// How programs of one kind are judged at once; nil: one by one is better.
  static func plan(_ programs: [Program]) -> MergePlan? {
    let sources = programs.map { MergedSource($0) }
    let plan = MergeBuilder.plan(sources)
    let loads = programs[0].instructions.count { $0.code & 7 <= BPF_LDX }
    // Programs that soon go ways of their own share little, and walking is slower than machine code.
    if plan.nodes.isEmpty || plan.isCut || plan.nodes.count > 8 + 3 * loads { return nil }
    return plan
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
