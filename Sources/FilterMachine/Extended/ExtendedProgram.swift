// Programs that call functions and keep memory, and any program on a packet in pieces. (`bpf_filter_ext`)
// For users of the library; not on the packet path.

/// A validated program with a context. Interpreted always.
/// - Threads: any; calls its functions on the thread of ``run(_:wireLength:memory:)``.
public struct ExtendedProgram: Sendable {
  /// The instructions, as they were validated.
  public let instructions: [Instruction]
  /// The functions and words that it may use.
  public let context: FilterContext

  /// Validates against the context: as ``Program`` does, but calls of functions that exist are valid, and external words take
  /// the place of scratch words.
  public init(_ instructions: [Instruction], context: FilterContext) throws(ProgramError) {
    _ = try Validator.check(instructions, limit: Program.requestLimit, context: context)
    self.instructions = instructions
    self.context = context
  }

  /// The verdict on one packet; 0 refuses it. What was stored and called before a load failed stays done.
  /// - Parameter memory: the external words, at least as many as the context says; without external memory not touched.
  public func run(_ packet: PacketPieces, wireLength: UInt32? = nil, memory: inout [UInt32]) -> UInt32 {
    precondition(context.words == 0 || memory.count >= context.words, "fewer words than the context has")
    var machine = PiecesMachine(
      packet: packet, wireLength: wireLength ?? UInt32(clamping: packet.count),
      memory: context.words > 0 ? memory : [UInt32](repeating: 0, count: Int(BPF_MEMWORDS)),
      functions: context.functions, metadata: nil)
    let verdict = machine.run(instructions)
    if context.words > 0 { memory = machine.call.memory }
    return verdict
  }
}

extension Program {
  /// The verdict on a packet in pieces: that on the same bytes in one piece.
  public func run(_ packet: PacketPieces, wireLength: UInt32? = nil) -> UInt32 {
    run(packet, wireLength: wireLength, metadata: nil)
  }

  package func run(_ packet: PacketPieces, wireLength: UInt32? = nil, metadata: FrameMetadata?) -> UInt32 {
    var machine = PiecesMachine(
      packet: packet, wireLength: wireLength ?? UInt32(clamping: packet.count),
      memory: [UInt32](repeating: 0, count: Int(BPF_MEMWORDS)), functions: [],
      metadata: isAncillary ? metadata : nil)
    return machine.run(instructions)
  }
}
