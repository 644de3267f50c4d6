// What a program may have beyond its own: functions to call and memory that outlives a run. (`bpf_ctx_t`)
// For users of the library; requests take no program that needs them.

/// Functions and external memory of extended programs. (`bpf_set_cop`, `bpf_set_extmem`)
public struct FilterContext: Sendable {
  /// What a function sees of the run that calls it. (`bpf_args_t`)
  public struct Call: Sendable {
    /// The packet that the program looks at.
    public let packet: PacketPieces
    /// Bytes that it had on the wire.
    public let wireLength: UInt32
    /// The words of the program; changes are seen by what follows.
    public internal(set) var memory: [UInt32]
    /// How many functions the context has.
    public let functionCount: Int

    /// Changes a word; words that there are none of are ignored.
    public mutating func store(_ value: UInt32, at word: Int) {
      if memory.indices.contains(word) { memory[word] = value }
    }
  }

  /// Takes A and returns the new one. (`bpf_copfunc_t`)
  public typealias Function = @Sendable (_ a: UInt32, _ call: inout Call) -> UInt32

  /// Most words of external memory. (`BPF_MAX_MEMWORDS`)
  public static let mostWords = 30

  /// What COP and COPX call, by number. (C-211)
  public let functions: [Function]
  /// External words in place of the scratch words; 0 is none.
  public let words: Int
  /// Bit n: word n is set by the caller, so that a program may read it at once.
  public let preinitialized: UInt32

  /// - Throws: ``ProgramError/invalidContext`` for more than 30 words, or a mask that names words that there are none of.
  public init(functions: [Function] = [], words: Int = 0, preinitialized: UInt32 = 0) throws(ProgramError) {
    guard (0...FilterContext.mostWords).contains(words), preinitialized >> UInt32(words) == 0 else {
      throw .invalidContext
    }
    self.functions = functions
    self.words = words
    self.preinitialized = preinitialized
  }
}
