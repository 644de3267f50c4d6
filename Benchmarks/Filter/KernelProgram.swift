// The kernel's JIT as a contestant: BPF_PROG_TEST_RUN of a program of type SCHED_CLS that does what the classic one does.
// The kernel turns classic programs into such ones by the same rules (loads stay LD_ABS and LD_IND), but runs none of those
// that are attached to sockets on demand.
import Glibc
import SwBPFFilterMachine

/// A program loaded into the kernel, to be run over frames there.
final class KernelProgram {
  private let descriptor: CInt

  /// Whether the kernel makes machine code of programs.
  static var isCompiled: Bool {
    guard let file = fopen("/proc/sys/net/core/bpf_jit_enable", "r") else { return false }
    defer { fclose(file) }
    return fgetc(file) != 48
  }

  struct Refused: Error { let reason: String }

  /// - Throws: the kernel's reason: rights over programs are needed.
  init(_ instructions: [Instruction]) throws {
    let code = try Self.converted(instructions)
    let license = Array("GPL\0".utf8)
    descriptor = try code.withUnsafeBytes { code in
      try license.withUnsafeBytes { license in
        var request = Load()
        request.count = UInt32(code.count / 8)
        request.instructions = UInt64(UInt(bitPattern: code.baseAddress))
        request.license = UInt64(UInt(bitPattern: license.baseAddress))
        return try withUnsafeMutablePointer(to: &request) { try Self.ask(5, $0, MemoryLayout<Load>.size) }
      }
    }
  }

  deinit { close(descriptor) }

  /// Runs it so many times over one frame. Returns the verdict.
  func run(_ base: UnsafeRawPointer, _ length: UInt32, times: UInt32) throws -> UInt32 {
    var request = TestRun()
    request.program = UInt32(descriptor)
    request.length = length
    request.data = UInt64(UInt(bitPattern: base))
    request.times = times
    _ = try withUnsafeMutablePointer(to: &request) { try Self.ask(10, $0, MemoryLayout<TestRun>.size) }
    return request.verdict
  }

  // MARK: bpf(2)

  /// What BPF_PROG_LOAD takes, as far as it is needed.
  private struct Load {
    /// BPF_PROG_TYPE_SCHED_CLS: it sees frames from the link header on.
    var type: UInt32 = 3
    var count: UInt32 = 0
    var instructions: UInt64 = 0
    var license: UInt64 = 0
    var logLevel: UInt32 = 0
    var logSize: UInt32 = 0
    var log: UInt64 = 0
    var version: UInt32 = 0
    var flags: UInt32 = 0
  }

  /// What BPF_PROG_TEST_RUN takes.
  private struct TestRun {
    var program: UInt32 = 0
    var verdict: UInt32 = 0
    var length: UInt32 = 0
    var lengthOut: UInt32 = 0
    var data: UInt64 = 0
    var dataOut: UInt64 = 0
    var times: UInt32 = 0
    var duration: UInt32 = 0
    var contextLength: UInt32 = 0
    var contextLengthOut: UInt32 = 0
    var context: UInt64 = 0
    var contextOut: UInt64 = 0
  }

  private static func ask(_ command: CInt, _ request: UnsafeMutableRawPointer, _ size: Int) throws -> CInt {
    // syscall(2) is variadic, which Swift does not call.
    typealias Call = @convention(c) (Int, CInt, UnsafeMutableRawPointer, UInt32) -> Int
    #if arch(x86_64)
      let number = 321
    #else
      let number = 280
    #endif
    let result = unsafeBitCast(dlsym(nil, "syscall"), to: Call.self)(number, command, request, UInt32(size))
    if result < 0 { throw Refused(reason: String(cString: strerror(errno))) }
    return CInt(result)
  }

  // MARK: The same program in the kernel's own instructions

  /// A is r0, where LD_ABS leaves what it loads; X is r7, the frame r6.
  private static func converted(_ instructions: [Instruction]) throws -> [UInt64] {
    func one(_ code: UInt16, _ to: UInt64, _ from: UInt64 = 0, skip: Int = 0, k: UInt32 = 0) -> UInt64 {
      UInt64(code) | to << 8 | from << 12 | UInt64(UInt16(truncatingIfNeeded: skip)) << 16 | UInt64(k) << 32
    }
    let (move, moveK, exit): (UInt16, UInt16, UInt64) = (0xbc, 0xb4, 0x95)
    var code = [one(0xbf, 6, 1), one(moveK, 0), one(moveK, 7)]
    var starts: [Int] = []
    var jumps: [(at: Int, target: Int)] = []
    for (index, instruction) in instructions.enumerated() {
      starts.append(code.count)
      let k = instruction.k
      switch instruction.code {
      case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS: code.append(one(instruction.code, 0, k: k))
      case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND: code.append(one(instruction.code, 0, 7, k: k))
      case Opcode.LDX_MSH:
        code += [
          one(move, 8, 0), one(Opcode.LD_B_ABS, 0, k: k), one(Opcode.AND_K, 0, k: 15), one(Opcode.LSH_K, 0, k: 2),
        ]
        code += [one(move, 7, 0), one(move, 0, 8)]
      case Opcode.LD_IMM: code.append(one(moveK, 0, k: k))
      case Opcode.LDX_IMM: code.append(one(moveK, 7, k: k))
      case Opcode.TAX: code.append(one(move, 7, 0))
      case Opcode.TXA: code.append(one(move, 0, 7))
      case Opcode.ADD_K, Opcode.SUB_K, Opcode.AND_K, Opcode.OR_K: code.append(one(instruction.code, 0, k: k))
      case Opcode.RET_K: code += [one(moveK, 0, k: k), exit]
      case Opcode.RET_A: code.append(exit)
      case Opcode.JA:
        jumps.append((code.count, index + 1 + Int(k)))
        code.append(one(0x05, 0))
      case Opcode.JEQ_K, Opcode.JGT_K, Opcode.JGE_K, Opcode.JSET_K:
        // Comparisons of 32 bits; where only «false» jumps, of the opposite.
        let opposite: UInt16? = [Opcode.JEQ_K: 0x56, Opcode.JGT_K: 0xb6, Opcode.JGE_K: 0xa6][instruction.code]
        if instruction.jt == 0, let opposite {
          jumps.append((code.count, index + 1 + Int(instruction.jf)))
          code.append(one(opposite, 0, k: k))
        } else {
          jumps.append((code.count, index + 1 + Int(instruction.jt)))
          code.append(one(instruction.code & 0xf0 | 0x06, 0, k: k))
          if instruction.jf != 0 {
            jumps.append((code.count, index + 1 + Int(instruction.jf)))
            code.append(one(0x05, 0))
          }
        }
      default: throw Refused(reason: "no counterpart for opcode \(instruction.code)")
      }
    }
    for (at, target) in jumps {
      code[at] |= UInt64(UInt16(truncatingIfNeeded: starts[target] - at - 1)) << 16
    }
    return code
  }
}
