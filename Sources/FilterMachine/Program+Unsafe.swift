// A validated program and the raw form of it that the packet path holds. Made on control paths; immutable, so any thread reads it.
import SwBPFKern

/// What the packet path holds of a program: three words, no reference, nothing to retain.
///
/// Comes only out of a ``Program``, so it is validated; dangles when the last reference to that program goes, which whoever
/// publishes it to a packet path rules out (the program is retired through the epoch).
@safe package struct ProgramCode: @unchecked Sendable {
  package let instructions: UnsafePointer<Instruction>
  package let count: UInt32
  /// Absolute loads at SKF_AD_OFF read the frame's metadata.
  package let ancillary: Bool
  package let usesMemory: Bool
  /// The program as machine code; nil: it is interpreted.
  package fileprivate(set) var native: NativeEntry?

  /// The program's verdict on one frame, by machine code if there is some: see ``Interpreter/run(_:packet:wireLength:captured:metadata:)``.
  /// - Parameter captured: below 2^31.
  @inline(__always)
  package func verdict(
    packet: UnsafeRawPointer, wireLength: UInt32, captured: UInt32, metadata: UnsafePointer<FrameMetadata>?
  ) -> UInt32 {
    if let native = unsafe native {
      // SAFETY: whoever holds this keeps the program and with it the machine code; the rest as for the interpreter.
      return unsafe native(packet, UInt(captured), wireLength, UnsafeRawPointer(metadata))
    }
    return unsafe Interpreter.run(
      self, packet: packet, wireLength: wireLength, captured: captured, metadata: metadata)
  }

  /// The same for a frame of which nothing else is known, as of a savefile or before it is written.
  @inline(__always)
  package func verdict(_ frame: RawSpan, wireLength: UInt32) -> UInt32 {
    // SAFETY: the span is borrowed for the call; an empty one may have no address, and then no byte is read.
    unsafe frame.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(instructions)
      return unsafe verdict(
        packet: start, wireLength: wireLength, captured: UInt32(clamping: bytes.count), metadata: nil)
    }
  }
}

/// An immutable, validated classic BPF program. (`struct bpf_program` after `bpf_validate`)
///
/// - Threads: any. Owns the instruction memory; ``code`` is valid as long as the program lives.
public final class Program: Sendable {
  /// Longest program that a request may set: BPF_MAXINSNS.
  public static let requestLimit = 512
  /// Longest program made from an expression: what Linux takes.
  public static let expressionLimit = 4096

  /// For the interpreter.
  package let code: ProgramCode
  private let native = NativeSlot()

  /// Validates and copies.
  /// - Parameters:
  ///   - ancillary: true for programs compiled from an expression: absolute loads at SKF_AD_OFF read the tap's metadata.
  ///   - limit: most instructions allowed.
  public init(_ instructions: [Instruction], ancillary: Bool = false, limit: Int = Program.requestLimit)
    throws(ProgramError)
  {
    let usesMemory = try Validator.check(instructions, limit: limit)
    let memory = UnsafeMutableBufferPointer<Instruction>.allocate(capacity: instructions.count)
    // SAFETY: fresh memory of exactly this many instructions, ours until deinit.
    _ = unsafe memory.initialize(from: instructions)
    // SAFETY: the base of a non-empty allocation; the validator refused the empty program.
    let base = unsafe UnsafePointer(memory.baseAddress!)
    code = unsafe ProgramCode(
      instructions: base, count: UInt32(instructions.count), ancillary: ancillary, usesMemory: usesMemory,
      native: nil)
  }

  deinit {
    // SAFETY: allocated in init; Instruction is trivial, nothing to deinitialise; holders of `code` are gone by contract.
    unsafe code.instructions.deallocate()
  }

  /// For taps: with machine code, made at the first call, where this machine lets it be made and `SWBPF_JIT` is not 0.
  /// - Threads: any, but no ring thread: making code takes as long as compiling an expression.
  package var tapCode: ProgramCode {
    var code = code
    unsafe code.native = native.made { NativeCode(instructions, ancillary: isAncillary) }?.entry
    return code
  }

  public var count: Int { Int(code.count) }

  /// Whether the program carries the mark of one compiled from an expression.
  public var isAncillary: Bool { code.ancillary }

  /// A copy of the instructions.
  public var instructions: [Instruction] {
    // SAFETY: `count` initialised instructions that live as long as self.
    unsafe Array(UnsafeBufferPointer(start: code.instructions, count: count))
  }

  /// The interpreter's verdict on one frame, the reference: for tests. Others call ``tapCode``.
  /// - Returns: 0 refuses the frame, anything else is the number of bytes to keep.
  package func run(_ frame: RawSpan, wireLength: UInt32? = nil, metadata: FrameMetadata? = nil) -> UInt32 {
    // SAFETY: the span is borrowed for the call; an empty one has no address, and then no byte is read.
    unsafe frame.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(code.instructions)
      let captured = UInt32(clamping: bytes.count)
      guard let metadata else {
        // SAFETY: `start` holds `captured` bytes for the call; self keeps the code alive.
        return unsafe Interpreter.run(
          code, packet: start, wireLength: wireLength ?? captured, captured: captured, metadata: nil)
      }
      // SAFETY: as above, and the metadata lives for the closure.
      return unsafe withUnsafePointer(to: metadata) { facts in
        unsafe Interpreter.run(
          code, packet: start, wireLength: wireLength ?? captured, captured: captured, metadata: facts)
      }
    }
  }
}

/// The machine code of one program, made once at most.
private final class NativeSlot: @unchecked Sendable {
  private let lock = Lock(rank: .leaf)
  private var isMade = false
  private var code: NativeCode?

  func made(_ make: () -> NativeCode?) -> NativeCode? {
    guard NativeCode.isWanted else { return nil }
    return lock.withLock {
      if !isMade {
        code = make()
        isMade = true
      }
      return code
    }
  }
}
