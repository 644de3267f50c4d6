import Testing

@testable import SwBPFFilterMachine

/// NetBSD's t_mbuf: 1 2 3 4 5 in two pieces, split everywhere.
@Suite("Packets in pieces")
struct PiecesTests {
  static let splits: [PacketPieces] = (0...5).map {
    PacketPieces([Array([1, 2, 3, 4, 5].prefix($0)), Array([1, 2, 3, 4, 5].dropFirst($0))])
  }

  /// Every split's verdict, which is also that of the bytes in one piece.
  private func results(_ instructions: [I]) throws -> Set<UInt32> {
    let program = try Program(instructions)
    return Set(Self.splits.map { program.run($0) } + [program.verdict([1, 2, 3, 4, 5])])
  }

  private func product(_ load: (UInt32) -> [I]) -> [I] {
    var program = [insn(Opcode.LD_IMM, 1), insn(Opcode.ST, 0)]
    for k: UInt32 in 0..<5 {
      program += load(k)
      program += [insn(Opcode.LDX_MEM, 0), insn(Opcode.MUL_X), insn(Opcode.ST, 0)]
    }
    return program + [insn(Opcode.RET_A)]
  }

  private func sum(_ code: UInt16, _ offsets: [UInt32]) -> [I] {
    var program = [insn(Opcode.LD_IMM, 0), insn(Opcode.ST, 0)]
    for k in offsets {
      if code & 0xe0 == BPF_IND { program += [insn(Opcode.LDX_IMM, k / 2)] }
      program += [insn(code, code & 0xe0 == BPF_IND ? k - k / 2 : k)]
      program += [insn(Opcode.LDX_MEM, 0), insn(Opcode.ADD_X), insn(Opcode.ST, 0)]
    }
    return program + [insn(Opcode.RET_A)]
  }

  @Test("bytes, halfwords and words load over every split (C-201, C-227..C-232)")
  func loads() throws {
    #expect(try results(product { [insn(Opcode.LD_B_ABS, $0)] }) == [120])
    #expect(try results(sum(Opcode.LD_H_ABS, [0, 1, 2, 3])) == [0x0a0e])
    #expect(try results(sum(Opcode.LD_W_ABS, [0, 1])) == [0x0305_0709])
    #expect(try results(sum(Opcode.LD_B_IND, [0, 1, 2, 3, 4])) == [15])
    #expect(try results(sum(Opcode.LD_H_IND, [0, 1, 2, 3])) == [0x0a0e])
    #expect(try results(sum(Opcode.LD_W_IND, [0, 1, 1])) == [0x0508_0b0e])
  }

  @Test("MSH loads over every split (C-202, C-233)")
  func headerLength() throws {
    #expect(try results(product { [insn(Opcode.LDX_MSH, $0), insn(Opcode.TXA), insn(Opcode.DIV_K, 4)] }) == [120])
  }

  @Test(
    "a load beyond the packet ends the program with 0, whatever the split and the width (C-200, C-234..C-236)",
    arguments: [(BPF_B, 1), (BPF_H, 2), (BPF_W, 4)] as [(UInt16, UInt32)])
  func beyond(size: UInt16, width: UInt32) throws {
    for k: UInt32 in [5 - width + 1, 5, 6, 1000, .max, .max - 3] {
      let absolute = [insn(BPF_LD | size | BPF_ABS, k), insn(Opcode.ADD_K, 1), insn(Opcode.RET_A)]
      #expect(try results(absolute) == [0])
      #expect(try results([insn(BPF_LD | size | BPF_IND, k), insn(Opcode.ADD_K, 1), insn(Opcode.RET_A)]) == [0])
      let indexed = [insn(Opcode.LDX_IMM, 3), insn(BPF_LD | size | BPF_IND, k &- 3), insn(Opcode.RET_K, 1)]
      #expect(try results(indexed) == [0])
    }
    let wrapping = [insn(Opcode.LDX_IMM, .max), insn(BPF_LD | size | BPF_IND, 1), insn(Opcode.RET_K, 1)]
    #expect(try results(wrapping) == [0])
    #expect(try results([insn(Opcode.LDX_MSH, 5), insn(Opcode.RET_K, 1)]) == [0])
  }

  @Test("a word lies over four pieces with empty ones between (C-201)")
  func manyPieces() throws {
    let packet = PacketPieces([[], [1], [], [2], [3], [], [], [4, 5], []])
    #expect(packet.count == 5)
    #expect(try Program([insn(Opcode.LD_W_ABS, 0), insn(Opcode.RET_A)]).run(packet) == 0x0102_0304)
    #expect(try Program([insn(Opcode.LD_W_ABS, 1), insn(Opcode.RET_A)]).run(packet) == 0x0203_0405)
    #expect(try Program([insn(Opcode.LD_W_ABS, 2), insn(Opcode.RET_A)]).run(packet) == 0)
  }

  @Test("random programs give the same verdict on a packet in random pieces as in one (C-197..C-210)")
  func random() throws {
    var random = Random(state: 11)
    var ran = 0
    for _ in 0..<8000 {
      let source = RandomProgram(&random, length: 34)
      guard let program = try? Program(source.instructions) else { continue }
      ran += 1
      let frame = RandomProgram.frame(&random, length: 34)
      var pieces: [[UInt8]] = []
      var rest = frame[...]
      while !rest.isEmpty {
        let count = Int.random(in: 0...min(9, rest.count), using: &random)
        pieces.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(program.run(PacketPieces(pieces), wireLength: 77) == program.verdict(frame, wireLength: 77))
    }
    #expect(ran > 3000)
  }

  @Test("a marked program reads the metadata behind a packet in pieces too")
  func ancillary() throws {
    let load = [insn(Opcode.LD_W_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), insn(Opcode.RET_A)]
    let metadata = FrameMetadata(interfaceIndex: 9)
    #expect(try Program(load, ancillary: true).run(PacketPieces([[1]]), metadata: metadata) == 9)
    #expect(try Program(load).run(PacketPieces([[1]]), metadata: metadata) == 0)
  }
}
