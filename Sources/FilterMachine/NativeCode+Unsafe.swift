// Native code of a program: made on control paths, run by taps for every frame.
import SwBPFKern

/// The machine code of a program as a C function: the frame, its bytes present (below 2^32), its wire length, and a
/// ``FrameMetadata`` or nil. Returns what ``Interpreter`` returns.
package typealias NativeEntry =
  @convention(c) (UnsafeRawPointer, UInt, UInt32, UnsafeRawPointer?) -> UInt32

/// A program's machine code. Dangles when the last reference goes; who publishes ``entry`` rules that out.
@safe package final class NativeCode: Sendable {
  private let memory: ExecutableMemory

  /// Whether `SWBPF_JIT=0` is not in the environment.
  package static let isWanted = Environment.value("SWBPF_JIT") != "0"

  /// Generates code; nil for no instructions, on processors that there is none for, and where the system refuses
  /// executable memory.
  package init?(_ instructions: [Instruction], ancillary: Bool) {
    guard !instructions.isEmpty, let code = NativeCode.bytes(of: instructions, ancillary: ancillary),
      let memory = ExecutableMemory(code)
    else { return nil }
    self.memory = memory
  }

  /// The same from blocks that are not those of one program.
  init?(_ graph: FilterGraph) {
    guard let code = NativeCode.bytes(of: graph), let memory = ExecutableMemory(code) else { return nil }
    self.memory = memory
  }

  private static func bytes(of graph: FilterGraph) -> [UInt8]? {
    #if arch(x86_64)
      return NativeLowering<X86Emitter>.code(of: graph)
    #elseif arch(arm64)
      return NativeLowering<Arm64Emitter>.code(of: graph)
    #else
      return nil
    #endif
  }

  /// The code for this machine's processor.
  package static func bytes(of instructions: [Instruction], ancillary: Bool) -> [UInt8]? {
    #if arch(x86_64)
      return NativeLowering<X86Emitter>.code(of: instructions, ancillary: ancillary)
    #elseif arch(arm64)
      return arm64(of: instructions, ancillary: ancillary)
    #else
      return nil
    #endif
  }

  /// The code for arm64, on any machine.
  package static func arm64(of instructions: [Instruction], ancillary: Bool) -> [UInt8] {
    NativeLowering<Arm64Emitter>.code(of: instructions, ancillary: ancillary)
  }

  package var count: Int { memory.count }

  package var entry: NativeEntry {
    // SAFETY: the pages hold a function of this type, made by the emitter for this processor.
    unsafe unsafeBitCast(memory.entry, to: NativeEntry.self)
  }
}
