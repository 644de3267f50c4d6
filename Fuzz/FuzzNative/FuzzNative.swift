// Fuzz target: bytes as a program and a frame. What the validator accepts becomes machine code, which must judge the frame,
// and each beginning of it near an end that matters, as the interpreter does; so must its merged form with programs that differ
// from it in constants.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --product FuzzNative
//
// Input: flags (bit 0 ancillary, bit 1 no metadata), number of instructions, wire length (2 bytes), 8 bytes per
// instruction, the frame.
import Glibc
import SwBPFFilterMachine

/// The frame's end is the end of what can be read.
private nonisolated(unsafe) let ground: UnsafeMutableRawPointer = {
  let memory = mmap(nil, groundSize + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
  mprotect(memory + groundSize, 4096, PROT_NONE)
  return memory
}()
private let groundSize = 1 << 16

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNative(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
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
  guard let program = try? Program(instructions, ancillary: ancillary) else { return 0 }
  // Code for the other processor is at least made.
  precondition(!NativeCode.arm64(of: instructions, ancillary: ancillary).isEmpty)
  guard let entry = program.tapCode.native else { return 0 }
  let others = (1...3 as ClosedRange<UInt32>).compactMap {
    try? Program(changed(instructions, $0), ancillary: ancillary)
  }
  let merged = MergedPrograms([program] + others)
  let frame = input[(4 + count * 8)...].prefix(groundSize)
  let wire = UInt32(frame.count) &+ UInt32(input.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
  var metadata = FrameMetadata(packetType: 4, vlanPresent: true, vlanTag: 100, protocolType: 0x0800, interfaceIndex: 7)
  let withMetadata = input[0] & 2 == 0
  for length in Set([frame.count, frame.count - 1, frame.count / 2, 14, 0]) where length >= 0 && length <= frame.count {
    let base = ground + groundSize - length
    UnsafeMutableRawBufferPointer(start: base, count: length).copyBytes(from: frame.prefix(length))
    withUnsafePointer(to: &metadata) { facts in
      let interpreted = Interpreter.run(
        program.code, packet: base, wireLength: wire, captured: UInt32(length), metadata: withMetadata ? facts : nil)
      let native = entry(base, UInt(length), wire, withMetadata ? UnsafeRawPointer(facts) : nil)
      precondition(native == interpreted, "machine code says \(native), the interpreter \(interpreted)")
      let verdicts = judge(merged, base, wire, UInt32(length), withMetadata ? facts : nil)
      for (index, one) in ([program] + others).enumerated() {
        let alone = Interpreter.run(
          one.code, packet: base, wireLength: wire, captured: UInt32(length), metadata: withMetadata ? facts : nil)
        let together = verdicts[merged.members[index]]
        precondition(together == alone, "the merged form says \(together), the interpreter \(alone)")
      }
    }
  }
  return 0
}

/// The same program with other constants in its comparisons.
private func changed(_ instructions: [Instruction], _ round: UInt32) -> [Instruction] {
  instructions.map { one in
    guard one.code & 0x0f == 0x05, one.code != 0x05 else { return one }
    return Instruction(code: one.code, jt: one.jt, jf: one.jf, k: one.k ^ round)
  }
}

/// The verdict of each member.
private func judge(
  _ merged: MergedPrograms, _ base: UnsafeRawPointer, _ wire: UInt32, _ captured: UInt32,
  _ facts: UnsafePointer<FrameMetadata>?
) -> [UInt32] {
  var all = [UInt32](repeating: 0, count: merged.memberCount)
  let rows = UnsafeMutablePointer<UInt64>.allocate(capacity: MergedPrograms.rowWords)
  defer { rows.deallocate() }
  for index in 0..<merged.kindCount {
    let kind = merged.kinds[index]
    func run(_ member: Int) -> UInt32 {
      kind.members[member].code.verdict(packet: base, wireLength: wire, captured: captured, metadata: facts)
    }
    if kind.isAlone {
      all[kind.base] = run(0)
    } else if kind.judge(packet: base, wireLength: wire, captured: captured, metadata: facts, rows: rows) {
      for member in 0..<kind.memberCount {
        if rows[0] >> UInt64(member) & 1 != 0 { all[kind.base + member] = kind.members[member].take }
        if rows[kind.words] >> UInt64(member) & 1 != 0 { all[kind.base + member] = run(member) }
      }
    }
  }
  return all
}
