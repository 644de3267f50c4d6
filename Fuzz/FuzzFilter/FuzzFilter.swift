// Fuzz target: bytes as a program and a frame. What the validator accepts must run, twice alike, and as libpcap runs it.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzFilter
//
// Input: flags (bit 0 ancillary), number of instructions, wire length (2 bytes), 8 bytes per instruction, the frame.
import CPcapShim
import SwBPFFilterMachine

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFilter(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size >= 4 else { return 0 }
  let input = UnsafeRawBufferPointer(start: data, count: size)
  let ancillary = input[0] & 1 != 0
  let count = min(Int(input[1]), (size - 4) / 8)
  let instructions = (0..<count).map { index in
    let at = 4 + index * 8
    return Instruction(
      code: input.loadUnaligned(fromByteOffset: at, as: UInt16.self), jt: input[at + 2], jf: input[at + 3],
      k: input.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
  }
  let program: Program
  do {
    program = try Program(instructions, ancillary: ancillary)
  } catch {
    precondition(!error.description.isEmpty)
    return 0
  }
  // A copy of the frame of exactly its size, so that a byte too far is seen by AddressSanitizer.
  let length = size - 4 - count * 8
  let frame = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
  defer { frame.deallocate() }
  frame.copyMemory(from: data + (size - length), byteCount: length)
  let wire = UInt32(length) &+ UInt32(input.loadUnaligned(fromByteOffset: 2, as: UInt16.self))

  var metadata = FrameMetadata(packetType: 4, vlanPresent: true, vlanTag: 100, protocolType: 0x0800, interfaceIndex: 7)
  func run() -> UInt32 {
    Interpreter.run(
      program.code, packet: frame, wireLength: wire, captured: UInt32(length), metadata: &metadata)
  }
  let verdict = run()
  precondition(run() == verdict, "the same program on the same frame gave another verdict")

  // libpcap leaves long shifts undefined and has no metadata; everything else must agree.
  let longShift = instructions.contains {
    $0.code == Opcode.LSH_X || $0.code == Opcode.RSH_X
      || (($0.code == Opcode.LSH_K || $0.code == Opcode.RSH_K) && $0.k >= 32)
  }
  if ancillary || longShift { return 0 }
  program.code.instructions.withMemoryRebound(to: swpcap_insn.self, capacity: count) { theirs in
    // Our validator is the stricter one.
    precondition(swpcap_validate(theirs, UInt32(count)) == 1, "libpcap refuses a program that we accept")
    let judged = swpcap_filter(theirs, frame.assumingMemoryBound(to: UInt8.self), wire, UInt32(length))
    precondition(judged == verdict, "libpcap says \(judged), we say \(verdict)")
  }
  return 0
}
