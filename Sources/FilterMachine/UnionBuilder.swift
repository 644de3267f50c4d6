// The instructions of a union. Used once, by Union; control paths.

/// Emits tests for tag and direction, then the bodies: for sent frames only, for received ones only, for both.
struct UnionBuilder {
  private var assembler = UnionAssembler()
  private var accept: UnionAssembler.Label?
  private var ranges = Int.max
  private let cut: UInt32
  private let sent: [UnionBody]
  private let received: [UnionBody]
  private let both: [UnionBody]

  init(_ wishes: [Union.Wish], cut: UInt32) {
    self.cut = cut
    sent = UnionBody.bodies(wishes.filter { $0.sent && !$0.received })
    received = UnionBody.bodies(wishes.filter { !$0.sent && $0.received })
    both = UnionBody.bodies(wishes.filter { $0.sent && $0.received })
  }

  /// No code has fewer instructions.
  var least: Int { [sent, received, both].joined().reduce(0) { $0 + $1.least } }

  /// Some of it is looked up, and gets shorter with fewer ranges.
  var hasLookups: Bool {
    [sent, received, both].joined().contains { if case .many = $0 { true } else { false } }
  }

  /// - Parameter ranges: of one value may be accepted; where the programs have more, what is between some passes, too.
  func code(ranges: Int) -> [Instruction] {
    var builder = self
    builder.ranges = ranges
    return builder.made()
  }

  private mutating func made() -> [Instruction] {
    let reject = assembler.label()
    let forSent = assembler.label()
    let forReceived = assembler.label()
    let forBoth = assembler.label()
    let asksForDirection = !sent.isEmpty || !received.isEmpty
    let wantsOnlySent = asksForDirection && received.isEmpty && both.isEmpty

    if wantsOnlySent { testDirection(sent: nil, received: reject) }
    // A tag was taken out of the frame here and is put back before a peer's program sees it: its offsets are others.
    assembler.emit(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)
    assembler.require(Opcode.JEQ_K, 0, otherwise: acceptance())
    if asksForDirection && !wantsOnlySent { testDirection(sent: forSent, received: forReceived) }

    assembler.place(forSent)
    emit(sent, otherwise: both.isEmpty ? reject : forBoth, isLast: both.isEmpty)
    assembler.place(forReceived)
    emit(received, otherwise: both.isEmpty ? reject : forBoth, isLast: both.isEmpty)
    assembler.place(forBoth)
    emit(both, otherwise: reject, isLast: true)
    assembler.place(reject)
    assembler.emit(Opcode.RET_K, 0)
    if let accept {
      assembler.place(accept)
      assembler.emit(Opcode.RET_K, cut)
    }
    return assembler.assembled()
  }

  /// Where the one accepting return is that is not inside a body.
  private mutating func acceptance() -> UnionAssembler.Label {
    let label = accept ?? assembler.label()
    accept = label
    return label
  }

  /// - Parameter target: nil goes on.
  private mutating func testDirection(sent target: UnionAssembler.Label?, received other: UnionAssembler.Label) {
    assembler.emit(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE)
    if let target {
      assembler.branch(Opcode.JEQ_K, 4, holds: target, fails: other)
    } else {
      assembler.require(Opcode.JEQ_K, 4, otherwise: other)
    }
  }

  /// The bodies of a group; what none of them wants goes on to `otherwise`.
  private mutating func emit(_ group: [UnionBody], otherwise: UnionAssembler.Label, isLast: Bool) {
    for (index, one) in group.enumerated() {
      let isEnd = index == group.count - 1
      let next = isEnd ? otherwise : assembler.label()
      let isGuarded = !(isEnd && isLast)
      switch one {
      case .everything:
        assembler.emit(Opcode.RET_K, cut)
        return
      case .one(let part): body(part, next: next, isGuarded: isGuarded)
      case .many(let plan):
        var lookup = UnionLookup(plan, ranges: ranges, cut: cut, isGuarded: isGuarded, next: next)
        lookup.emit(into: &assembler)
      }
      if !isEnd { assembler.place(next) }
    }
    assembler.jump(to: otherwise)
  }

  // MARK: One body

  private mutating func body(_ part: UnionPart, next: UnionAssembler.Label, isGuarded: Bool) {
    let instructions = part.instructions
    let labels = instructions.map { _ in assembler.label() }
    // The length that a frame is known to have in front of each instruction; nil where no way leads.
    var known = [UInt32?](repeating: nil, count: instructions.count)
    known[0] = 0
    func carry(_ length: UInt32, to index: Int) { known[index] = min(known[index] ?? length, length) }

    // Programs begin with both registers zero; the last body left something else there.
    if part.live[0].x { assembler.emit(Opcode.LDX_IMM, 0) }
    if part.live[0].a { assembler.emit(Opcode.LD_IMM, 0) }
    for (index, instruction) in instructions.enumerated() {
      assembler.place(labels[index])
      guard var length = known[index] else { continue }
      if isGuarded { length = self.guardLoad(instruction, part, live: part.live[index].a, length, next) }
      switch instruction.code {
      case Opcode.RET_K:
        if instruction.k == 0 {
          assembler.jump(to: next)
        } else {
          assembler.emit(Opcode.RET_K, cut)
        }
      case Opcode.RET_A:
        assembler.refuse(Opcode.JEQ_K, 0, to: next)
        assembler.emit(Opcode.RET_K, cut)
      case Opcode.JA:
        let target = index + 1 + Int(instruction.k)
        carry(length, to: target)
        assembler.jump(to: labels[target])
      case let code where code & 7 == BPF_JMP:
        let holds = index + 1 + Int(instruction.jt)
        let fails = index + 1 + Int(instruction.jf)
        carry(length, to: holds)
        carry(length, to: fails)
        assembler.branch(code, instruction.k, holds: labels[holds], fails: labels[fails])
      default:
        assembler.emit(instruction)
        carry(length, to: index + 1)
      }
    }
  }

  /// Goes to the next body where the instruction would end the whole program.
  /// - Parameters:
  ///   - live: A holds a value that is read later.
  ///   - length: bytes that the frame is known to have.
  /// - Returns: bytes that it is known to have then.
  private mutating func guardLoad(
    _ instruction: Instruction, _ part: UnionPart, live: Bool, _ length: UInt32, _ next: UnionAssembler.Label
  ) -> UInt32 {
    let k = instruction.k
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      // Metadata is always there.
      if k >= 0x8000_0000 { return length }
      let end = k + width(instruction.code)
      if end <= length { return length }
      assembler.emit(Opcode.LD_LEN)
      assembler.require(Opcode.JGE_K, end, otherwise: next)
      return end
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
      let end = k + width(instruction.code)
      assembler.emit(Opcode.LD_LEN)
      if end > length { assembler.require(Opcode.JGE_K, end, otherwise: next) }
      assembler.emit(Opcode.SUB_K, end)
      assembler.require(Opcode.JGE_X, 0, otherwise: next)
      return max(length, end)
    case Opcode.LDX_MSH:
      if k + 1 <= length { return length }
      aside(live, part) { assembler in
        assembler.emit(Opcode.LD_LEN)
        assembler.require(Opcode.JGE_K, k + 1, otherwise: next)
      }
      return k + 1
    case Opcode.DIV_X, Opcode.MOD_X:
      aside(true, part) { assembler in
        assembler.emit(Opcode.TXA)
        assembler.refuse(Opcode.JEQ_K, 0, to: next)
      }
      return length
    default: return length
    }
  }

  /// Keeps A over some instructions that use it.
  private mutating func aside(_ isLive: Bool, _ part: UnionPart, _ body: (inout UnionAssembler) -> Void) {
    guard isLive, let word = part.spareWord else { return body(&assembler) }
    assembler.emit(Opcode.ST, word)
    body(&assembler)
    assembler.emit(Opcode.LD_MEM, word)
  }

  private func width(_ code: UInt16) -> UInt32 {
    switch code & 0x18 {
    case BPF_W: 4
    case BPF_H: 2
    default: 1
    }
  }
}

/// What a program costs in the kernel, which translates it into longer instructions and bounds their size.
enum KernelSize {
  /// At most that many bytes of net.core.optmem_max. (linux/net/core/filter.c, `bpf_convert_filter`)
  static func bytes(of code: [Instruction]) -> Int {
    let words = code.reduce(16) { $0 + KernelSize.words($1) }
    return 256 + 8 * words
  }

  private static func words(_ instruction: Instruction) -> Int {
    switch instruction.code {
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS: instruction.k >= 0x8000_0000 ? 8 : 18
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND: 20
    case Opcode.LDX_MSH: 24
    case Opcode.DIV_X, Opcode.MOD_X: 8
    case Opcode.RET_K, Opcode.RET_A, Opcode.LD_LEN, Opcode.LDX_LEN: 3
    case Opcode.JA: 1
    case let code where code & 7 == BPF_JMP: 3
    default: 2
    }
  }
}
