// A program as the merged form sees it: which values it compares, one after the other, and what comes of each. Control paths.

/// What a register holds at a point of a program.
enum MergedValue: Hashable {
  case number(UInt32)
  case key(MergedKey)
  /// Four times the lower half of the byte there.
  case header(UInt32)
}

/// A point of a program in front of a comparison, with what is known there.
struct MergedPosition: Hashable {
  var at = 0
  var a = MergedValue.number(0)
  var x = MergedValue.number(0)
  /// A comparison has shown that the load into the register did not fail.
  var isAProven = true
  var isXProven = true
  /// Of no load so far it is unknown whether it failed.
  var isExact = true
}

/// What becomes of a program.
enum MergedOutcome: Hashable {
  /// It returns 0.
  case refused
  /// It returns its one number other than 0.
  case accepted
  /// It has to be run to know.
  case perhaps
  /// It compares another value; the number of a position.
  case at(Int)
}

/// One program, followed from comparison to comparison.
struct MergedSource {
  let instructions: [Instruction]
  let ancillary: Bool
  /// What every return gives that does not give 0; nil when they differ.
  let take: UInt32?

  init(_ program: Program) {
    instructions = program.instructions
    ancillary = program.isAncillary
    var take: UInt32?
    var isOne = true
    for instruction in instructions where instruction.code == Opcode.RET_K && instruction.k != 0 {
      if let known = take, known != instruction.k { isOne = false }
      take = instruction.k
    }
    self.take = isOne ? take : nil
  }

  enum Stop {
    case end(MergedOutcome)
    case comparison(MergedPosition)
  }

  /// Goes on to the next comparison of a value that depends on the frame. What it does not understand is `perhaps`.
  func advance(_ from: MergedPosition) -> Stop {
    var here = from
    while true {
      let instruction = instructions[here.at]
      let k = instruction.k
      switch instruction.code {
      case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
        let isMetadata = ancillary && FrameMetadata.field(at: k) != nil
        // No frame is so long.
        if !isMetadata && k >= 0x7fff_fff0 { return .end(.refused) }
        here.setA(
          .key(MergedKey(source: isMetadata ? .metadata : .absolute, width: UInt8(instruction.width), k: k)))
      case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND:
        if k >= 0x7fff_fff0 { return .end(.refused) }
        switch here.x {
        case .header(let header):
          here.setA(.key(MergedKey(source: .indexed, width: UInt8(instruction.width), k: k, header: header)))
        case .number(let x) where UInt64(x) + UInt64(k) < 0x7fff_fff0:
          here.setA(.key(MergedKey(source: .absolute, width: UInt8(instruction.width), k: x + k)))
        case .number: return .end(.refused)
        case .key: return .end(.perhaps)
        }
      case Opcode.LDX_MSH:
        if k >= 0x7fff_fff0 { return .end(.refused) }
        here.setX(.header(k))
        here.isXProven = false
      case Opcode.LDX_IMM: here.setX(.number(k))
      case Opcode.LD_IMM:
        here.setA(.number(k))
        here.isAProven = true
      case Opcode.LD_LEN:
        here.setA(.key(MergedKey(source: .length, width: 4, k: 0)))
        here.isAProven = true
      case Opcode.AND_K:
        switch here.a {
        case .number(let a): here.a = .number(a & k)
        case .key(var key):
          key.mask &= k
          here.a = .key(key)
        case .header: return .end(.perhaps)
        }
      case Opcode.TAX:
        guard case .number = here.a else { return .end(.perhaps) }
        here.setX(here.a)
      case Opcode.TXA:
        guard case .number = here.x else { return .end(.perhaps) }
        here.setA(here.x)
        here.isAProven = true
      case Opcode.JA:
        here.at += 1 + Int(k)
        continue
      case Opcode.JEQ_K, Opcode.JGT_K, Opcode.JGE_K, Opcode.JSET_K:
        switch here.a {
        case .number(let a):
          let holds = MergedSource.holds(instruction.code, a, k)
          here.at += 1 + Int(holds ? instruction.jt : instruction.jf)
          continue
        case .key: return .comparison(here)
        case .header: return .end(.perhaps)
        }
      case Opcode.RET_K:
        if k == 0 { return .end(.refused) }
        let isSure = here.isExact && here.isAProven && here.isXProven && take != nil
        return .end(isSure ? .accepted : .perhaps)
      default: return .end(.perhaps)
      }
      here.at += 1
    }
  }

  private static func holds(_ code: UInt16, _ a: UInt32, _ k: UInt32) -> Bool {
    switch code {
    case Opcode.JEQ_K: a == k
    case Opcode.JGT_K: a > k
    case Opcode.JGE_K: a >= k
    default: a & k != 0
    }
  }

  /// The value compared at a position.
  func key(at position: MergedPosition) -> MergedKey {
    guard case .key(var key) = position.a else { preconditionFailure("no comparison there") }
    let instruction = instructions[position.at]
    if instruction.code == Opcode.JSET_K { key.mask &= instruction.k }
    return key
  }

  /// Numbers as ranges, rising.
  typealias Region = [ClosedRange<UInt32>]

  /// The parts of a region for which the comparison at a position holds and fails.
  func split(_ region: Region, at position: MergedPosition) -> (holds: Region, fails: Region) {
    let instruction = instructions[position.at]
    switch instruction.code {
    case Opcode.JEQ_K: return MergedSource.split(region, instruction.k, instruction.k)
    case Opcode.JGE_K: return MergedSource.split(region, instruction.k, .max)
    case Opcode.JGT_K:
      return instruction.k == .max ? ([], region) : MergedSource.split(region, instruction.k + 1, .max)
    // The key is what is left of A under the mask.
    default: return MergedSource.split(region, 1, .max)
    }
  }

  private static func split(_ region: Region, _ low: UInt32, _ high: UInt32) -> (Region, Region) {
    var inside: Region = []
    var outside: Region = []
    for range in region {
      if range.upperBound < low || range.lowerBound > high {
        outside.append(range)
        continue
      }
      if range.lowerBound < low { outside.append(range.lowerBound...(low - 1)) }
      inside.append(max(range.lowerBound, low)...min(range.upperBound, high))
      if range.upperBound > high { outside.append((high + 1)...range.upperBound) }
    }
    return (inside, outside)
  }

  /// The positions behind a comparison.
  func followers(of position: MergedPosition) -> (holds: Stop, fails: Stop) {
    let instruction = instructions[position.at]
    var next = position
    // A load that is compared did not fail, nor did the load of the header in front of it.
    next.isAProven = true
    if case .key(let key) = position.a, key.source == .indexed, case .header(key.header) = position.x {
      next.isXProven = true
    }
    var other = next
    next.at += 1 + Int(instruction.jt)
    other.at += 1 + Int(instruction.jf)
    return (advance(next), advance(other))
  }
}

extension MergedPosition {
  fileprivate mutating func setA(_ value: MergedValue) {
    if !isAProven { isExact = false }
    a = value
    isAProven = false
  }

  fileprivate mutating func setX(_ value: MergedValue) {
    if !isXProven { isExact = false }
    x = value
    isXProven = true
  }
}
