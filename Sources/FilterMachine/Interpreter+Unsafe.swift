// The reference interpreter of classic BPF. Called by taps for every frame, on the pass's thread; no state of its own.

/// Runs validated programs. (`bpf_filter`)
package enum Interpreter {
  /// The program's verdict on one frame: 0 refuses it, anything else is the number of bytes to keep.
  ///
  /// A load outside the frame and a division by an X of zero end the program with 0; shifts by 32 and more give 0; offsets never
  /// wrap into the frame. `wireLength` is what LEN sees, `captured` what loads are held to.
  /// - Threads: any. Takes no lock.
  /// - Cost: no allocation, no retain, no call; scratch memory is stack that nobody clears, because the validator refused programs
  ///   that read a word before they wrote it.
  /// - Parameter metadata: what ancillary loads read; without it they are out of range.
  package static func run(
    _ code: ProgramCode, packet: UnsafeRawPointer, wireLength: UInt32, captured: UInt32,
    metadata: UnsafePointer<FrameMetadata>?
  ) -> UInt32 {
    if !code.usesMemory {
      // SAFETY: the validator saw no instruction that touches scratch memory, so the pointer is never followed; the rest as below.
      return unsafe execute(
        code, packet: packet, wireLength: wireLength, captured: captured, metadata: metadata,
        scratch: UnsafeMutableRawPointer(mutating: code.instructions).assumingMemoryBound(to: UInt32.self))
    }
    // SAFETY: 16 words for validated word numbers; the caller keeps code, packet and metadata alive for the call.
    return unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Int(BPF_MEMWORDS)) { scratch in
      unsafe execute(
        code, packet: packet, wireLength: wireLength, captured: captured, metadata: metadata,
        scratch: scratch.baseAddress!)
    }
  }

  /// An absolute load beyond the frame's bytes: metadata for a marked program, else nil. Out of line: the rare way.
  @inline(never)
  private static func ancillary(
    _ code: ProgramCode, _ k: UInt32, _ metadata: UnsafePointer<FrameMetadata>?
  ) -> UInt32? {
    guard code.ancillary, let metadata = unsafe metadata else { return nil }
    // SAFETY: the caller of run keeps the metadata alive for the call.
    return unsafe metadata.pointee.load(at: k)
  }

  /// How many instructions a comparison skips. The hint keeps this a branch: as a select (what the optimiser makes of it otherwise)
  /// the next instruction's address waits for the packet's bytes, and whole programs take half as long again.
  @inline(__always)
  private static func skip(_ holds: Bool, _ here: UnsafePointer<Instruction>) -> Int {
    // SAFETY: `here` is the instruction that execute is at.
    if _fastPath(holds) { return Int(unsafe here.pointee.jt) }
    return Int(unsafe here.pointee.jf)
  }

  // SAFETY: of the whole function. `next` stays inside the instructions: the validator proved every jump forward and inside, and the
  // last instruction a return. Scratch words are below 16 by the validator. Every packet load is guarded by a comparison in
  // 64 bits with `captured`, where X + k + width cannot wrap.
  @inline(__always)
  private static func execute(
    _ code: ProgramCode, packet: UnsafeRawPointer, wireLength: UInt32, captured: UInt32,
    metadata: UnsafePointer<FrameMetadata>?, scratch: UnsafeMutablePointer<UInt32>
  ) -> UInt32 {
    let end = Int(captured)
    var a: UInt32 = 0
    var x: UInt32 = 0
    var next = unsafe code.instructions
    while true {
      let opcode = unsafe next.pointee.code
      let k = unsafe next.pointee.k
      let here = unsafe next
      unsafe next += 1
      switch opcode {
      case Opcode.LD_W_ABS:
        let at = Int(k)
        if at + 4 <= end {
          a = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        } else if let value = unsafe ancillary(code, k, metadata) {
          a = value
        } else {
          return 0
        }
      case Opcode.LD_H_ABS:
        let at = Int(k)
        if at + 2 <= end {
          a = unsafe UInt32(UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
        } else if let value = unsafe ancillary(code, k, metadata) {
          a = value
        } else {
          return 0
        }
      case Opcode.LD_B_ABS:
        let at = Int(k)
        if at + 1 <= end {
          a = unsafe UInt32(packet.load(fromByteOffset: at, as: UInt8.self))
        } else if let value = unsafe ancillary(code, k, metadata) {
          a = value
        } else {
          return 0
        }
      case Opcode.LD_W_IND:
        let at = Int(x) + Int(k)
        if at + 4 > end { return 0 }
        a = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt32.self))
      case Opcode.LD_H_IND:
        let at = Int(x) + Int(k)
        if at + 2 > end { return 0 }
        a = unsafe UInt32(UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
      case Opcode.LD_B_IND:
        let at = Int(x) + Int(k)
        if at + 1 > end { return 0 }
        a = unsafe UInt32(packet.load(fromByteOffset: at, as: UInt8.self))
      case Opcode.LDX_MSH:
        let at = Int(k)
        if at >= end { return 0 }
        x = UInt32(unsafe packet.load(fromByteOffset: at, as: UInt8.self) & 15) &* 4
      case Opcode.LD_LEN: a = wireLength
      case Opcode.LDX_LEN: x = wireLength
      case Opcode.LD_IMM: a = k
      case Opcode.LDX_IMM: x = k
      case Opcode.LD_MEM: a = unsafe scratch[Int(k)]
      case Opcode.LDX_MEM: x = unsafe scratch[Int(k)]
      case Opcode.ST: unsafe scratch[Int(k)] = a
      case Opcode.STX: unsafe scratch[Int(k)] = x
      case Opcode.TAX: x = a
      case Opcode.TXA: a = x
      case Opcode.RET_K: return k
      case Opcode.RET_A: return a
      case Opcode.JA: unsafe next += Int(k)
      case Opcode.JEQ_K: unsafe next += skip(a == k, here)
      case Opcode.JEQ_X: unsafe next += skip(a == x, here)
      case Opcode.JGT_K: unsafe next += skip(a > k, here)
      case Opcode.JGT_X: unsafe next += skip(a > x, here)
      case Opcode.JGE_K: unsafe next += skip(a >= k, here)
      case Opcode.JGE_X: unsafe next += skip(a >= x, here)
      case Opcode.JSET_K: unsafe next += skip(a & k != 0, here)
      case Opcode.JSET_X: unsafe next += skip(a & x != 0, here)
      case Opcode.ADD_K: a = a &+ k
      case Opcode.ADD_X: a = a &+ x
      case Opcode.SUB_K: a = a &- k
      case Opcode.SUB_X: a = a &- x
      case Opcode.MUL_K: a = a &* k
      case Opcode.MUL_X: a = a &* x
      case Opcode.OR_K: a |= k
      case Opcode.OR_X: a |= x
      case Opcode.AND_K: a &= k
      case Opcode.AND_X: a &= x
      case Opcode.XOR_K: a ^= k
      case Opcode.XOR_X: a ^= x
      case Opcode.LSH_K: a = k < 32 ? a &<< k : 0
      case Opcode.LSH_X: a = x < 32 ? a &<< x : 0
      case Opcode.RSH_K: a = k < 32 ? a &>> k : 0
      case Opcode.RSH_X: a = x < 32 ? a &>> x : 0
      case Opcode.DIV_K:
        if k == 0 { return 0 }
        a /= k
      case Opcode.DIV_X:
        if x == 0 { return 0 }
        a /= x
      case Opcode.MOD_K:
        if k == 0 { return 0 }
        a %= k
      case Opcode.MOD_X:
        if x == 0 { return 0 }
        a %= x
      case Opcode.NEG: a = 0 &- a
      default: return 0  // The validator lets no other opcode in.
      }
    }
  }
}
