// Why the validator refused a program. Every case is EINVAL to a request.

/// The first rule that a program breaks, with the index of the instruction that breaks it.
public enum ProgramError: Error, Equatable, Sendable {
  /// No instructions. (Removing a program is a request of its own, not an empty program.)
  case empty
  case tooLong(count: Int, limit: Int)
  case unknownOpcode(at: Int, code: UInt16)
  /// A scratch word that does not exist: k is 16 or more.
  case noSuchWord(at: Int, word: UInt32)
  /// A scratch word is read that some way through the program leaves unwritten. (NetBSD's memory check)
  case unwrittenWord(at: Int, word: UInt32)
  /// A division or modulo by the constant 0.
  case zeroDivisor(at: Int)
  /// A jump that ends outside the program; there are no jumps backwards.
  case jumpOutside(at: Int, target: Int)
  /// The last instruction is no return.
  case missingReturn(at: Int)
  /// A call of a coprocessor function that the context does not have.
  case noSuchFunction(at: Int, function: UInt32)
  /// More external words than there can be, or preinitialized ones that do not exist.
  case invalidContext

  /// EINVAL, as bpf(4) answers.
  public var errno: CInt { 22 }
}

extension ProgramError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "the program has no instructions"
    case .tooLong(let count, let limit): "the program has \(count) instructions, more than \(limit)"
    case .unknownOpcode(let at, let code): "instruction \(at): unknown opcode 0x\(String(code, radix: 16))"
    case .noSuchWord(let at, let word): "instruction \(at): no scratch word \(word)"
    case .unwrittenWord(let at, let word): "instruction \(at): scratch word \(word) may be unwritten"
    case .zeroDivisor(let at): "instruction \(at): division by zero"
    case .jumpOutside(let at, let target): "instruction \(at): jumps to \(target), outside the program"
    case .missingReturn(let at): "instruction \(at): the last instruction is no return"
    case .noSuchFunction(let at, let function): "instruction \(at): no function \(function)"
    case .invalidContext: "the context has too many words, or initialises words that it has not"
    }
  }
}
