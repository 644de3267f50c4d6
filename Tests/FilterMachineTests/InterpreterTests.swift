import Testing

@testable import SwBPFFilterMachine

/// Two operands as NetBSD's bpfjit tests have them: A op k, and A op X with X = k.
private func both(_ op: UInt16, _ a: UInt32, _ operand: UInt32) throws -> [UInt32] {
  [
    try run([insn(Opcode.LD_IMM, a), insn(BPF_ALU | op | BPF_K, operand), insn(Opcode.RET_A)]),
    try run([
      insn(Opcode.LD_IMM, a), insn(Opcode.LDX_IMM, operand), insn(BPF_ALU | op | BPF_X), insn(Opcode.RET_A),
    ]),
  ]
}

private let arithmetic: [(String, UInt16, UInt32, UInt32, UInt32)] = [
  ("add", BPF_ADD, 3, 2, 5), ("add wraps", BPF_ADD, .max, 2, 1), ("sub", BPF_SUB, 1, 2, .max),
  ("mul", BPF_MUL, 0xffff_ffff, 3, 0xffff_fffd),
  ("div1", BPF_DIV, 7, 1, 7), ("div2", BPF_DIV, 7, 2, 3), ("div4", BPF_DIV, 0xffff_ffff, 4, 0x3fff_ffff),
  ("div10", BPF_DIV, 4_294_843_849, 10, 429_484_384), ("div10000", BPF_DIV, 4_294_843_849, 10000, 429_484),
  ("div7609801", BPF_DIV, .max, 7_609_801, 564), ("div80000000", BPF_DIV, 0xffff_ffde, 0x8000_0000, 1),
  ("and", BPF_AND, 0xdead, 0xbeef, 0xdead & 0xbeef), ("or", BPF_OR, 0xdead_0000, 0xbeef, 0xdead_beef),
  ("lsh", BPF_LSH, 0xdead_beef, 16, 0xbeef_0000), ("rsh", BPF_RSH, 0xdead_beef, 16, 0xdead),
  ("lsh0", BPF_LSH, 0xdead_beef, 0, 0xdead_beef), ("rsh0", BPF_RSH, 0xdead_beef, 0, 0xdead_beef),
  ("lsh31", BPF_LSH, 3, 31, 0x8000_0000), ("lsh32", BPF_LSH, 3, 32, 0), ("lsh33", BPF_LSH, 3, 33, 0),
  ("rsh32", BPF_RSH, 9, 32, 0), ("rsh max", BPF_RSH, .max, .max, 0), ("lsh 256", BPF_LSH, 1, 256, 0),
  ("mod1", BPF_MOD, 7, 1, 0), ("mod2", BPF_MOD, 7, 2, 1), ("mod4", BPF_MOD, .max, 4, 3),
  ("mod10", BPF_MOD, 4_294_843_849, 10, 9), ("mod10000", BPF_MOD, 4_294_843_849, 10000, 3849),
  ("mod7609801", BPF_MOD, .max, 7_609_801, 3_039_531),
  ("mod80000000", BPF_MOD, 0xffff_ffde, 0x8000_0000, 0x7fff_ffde),
  ("xor", BPF_XOR, 0xdead_0f0f, 0xb1e0, 0xdead_beef),
]

@Suite("Interpreter")
struct InterpreterTests {
  @Test(
    "arithmetic wraps, is unsigned, and shifts of 32 and more give 0 (C-204..C-206, C-238..C-242, C-269, C-270)",
    arguments: arithmetic)
  func operation(name: String, op: UInt16, a: UInt32, operand: UInt32, result: UInt32) throws {
    #expect(try both(op, a, operand) == [result, result], "\(name)")
  }

  @Test("dividing by an X of 0 ends the program with 0 (C-205, C-239, C-269)", arguments: [Opcode.DIV_X, Opcode.MOD_X])
  func zeroX(code: UInt16) throws {
    #expect(try run([insn(Opcode.LD_IMM, 7), insn(code), insn(Opcode.RET_K, 9)]) == 0)
  }

  @Test("NEG is two's complement (C-204, C-243)")
  func negation() throws {
    #expect(try run([insn(Opcode.LD_IMM, 777), insn(Opcode.NEG), insn(Opcode.RET_A)]) == UInt32(bitPattern: -777))
    #expect(try run([insn(Opcode.NEG), insn(Opcode.RET_A)]) == 0)
  }

  @Test("a long chain of arithmetic stays within 32 bits (C-243)", arguments: [BPF_K, BPF_X])
  func chain(operand: UInt16) throws {
    let steps: [(UInt16, UInt32)] = [
      (BPF_MUL, 0x1357_9bdf), (BPF_LSH, 4), (BPF_ADD, 0xffff_fff0), (BPF_SUB, 0x8000_0001), (BPF_OR, 0x70),
      (BPF_NEG, 0),
      (BPF_AND, 0xffff_fff7), (BPF_RSH, 3),
    ]
    var program = [insn(Opcode.LD_IMM, 0x7fff_ff77)]
    var expected: UInt64 = 0x7fff_ff77
    for (op, k) in steps {
      if op == BPF_NEG {
        program.append(insn(Opcode.NEG))
      } else if operand == BPF_X {
        program += [insn(Opcode.LDX_IMM, k), insn(BPF_ALU | op | BPF_X)]
      } else {
        program.append(insn(BPF_ALU | op | BPF_K, k))
      }
      let value = UInt64(k)
      switch op {
      case BPF_MUL: expected = expected &* value
      case BPF_LSH: expected = expected << value
      case BPF_ADD: expected = expected &+ value
      case BPF_SUB: expected = expected &- value
      case BPF_OR: expected |= value
      case BPF_NEG: expected = 0 &- expected
      case BPF_AND: expected &= value
      default: expected >>= value
      }
      expected &= 0xffff_ffff
    }
    #expect(try run(program + [insn(Opcode.RET_A)]) == UInt32(expected))
  }

  @Test("JA skips, also over more than 255 instructions (C-209, C-244)")
  func jumpAlways() throws {
    #expect(try run([insn(Opcode.JA, 1), insn(Opcode.RET_K, 0), insn(Opcode.RET_K, 5)]) == 5)
    let far = [insn(Opcode.JA, 400)] + Array(repeating: insn(Opcode.RET_K, 0), count: 400) + [insn(Opcode.RET_K, 5)]
    #expect(try run(far) == 5)
  }

  @Test("jt and jf of 255 reach the instruction 255 further (C-208)")
  func farBranches() throws {
    let fill = Array(repeating: insn(Opcode.RET_K, 1), count: 255)
    #expect(try run([jump(Opcode.JEQ_K, 0, 255, 0)] + fill + [insn(Opcode.RET_K, 2)]) == 2)
    #expect(try run([jump(Opcode.JEQ_K, 1, 0, 255)] + fill + [insn(Opcode.RET_K, 2)]) == 2)
  }

  @Test(
    "comparisons are unsigned and take the branch of each length (C-207, C-245)",
    arguments: [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET])
  func comparisons(op: UInt16) throws {
    func holds(_ a: UInt32, _ b: UInt32) -> Bool {
      switch op {
      case BPF_JEQ: a == b
      case BPF_JGT: a > b
      case BPF_JGE: a >= b
      default: a & b != 0
      }
    }
    for wire: UInt32 in [0, 1, 2, 5, 6, 7, 8, 0x7fff_ffff, 0x8000_0000, .max] {
      for k: UInt32 in [0, 1, 6, 7, 0x8000_0000, .max] {
        for (jt, jf) in [(0, 0), (0, 1), (1, 0), (1, 1), (3, 2), (2, 3), (0, 3), (3, 0)] as [(UInt8, UInt8)] {
          let results = (0...3).map { insn(Opcode.RET_K, UInt32($0)) }
          let expected = UInt32(holds(wire, k) ? jt : jf)
          let constant = [insn(Opcode.LD_LEN), jump(BPF_JMP | op | BPF_K, k, jt, jf)]
          let indexed = [insn(Opcode.LDX_IMM, k), insn(Opcode.LD_LEN), jump(BPF_JMP | op | BPF_X, 0, jt, jf)]
          #expect(try run(constant + results, wire: wire) == expected)
          #expect(try run(indexed + results, wire: wire) == expected)
        }
      }
    }
  }

  @Test("comparisons after a shift see 32 bits (C-246)", arguments: [BPF_K, BPF_X])
  func comparisonsWrap(operand: UInt16) throws {
    let program = [
      insn(Opcode.LD_IMM, 0x7fff_ff77), insn(Opcode.LSH_K, 4), insn(Opcode.LDX_IMM, 0xffff_f770),
      jump(BPF_JMP | BPF_JEQ | operand, 0xffff_f770, 0, 1), insn(Opcode.RET_K, 1), insn(Opcode.RET_K, 0),
    ]
    #expect(try run(program) == 1)
  }

  @Test("X compared before A and X are set (C-272)")
  func uninitialised() throws {
    #expect(
      try run([jump(Opcode.JEQ_X, 0, 0, 1), insn(Opcode.RET_K, 10), insn(Opcode.RET_K, 11)]) == 10)
    #expect(
      try run([insn(Opcode.LD_IMM, 3), jump(Opcode.JEQ_X, 0, 0, 1), insn(Opcode.RET_K, 10), insn(Opcode.RET_K, 11)])
        == 11)
    #expect(
      try run([insn(Opcode.LDX_IMM, 3), jump(Opcode.JEQ_X, 0, 0, 1), insn(Opcode.RET_K, 10), insn(Opcode.RET_K, 11)])
        == 11)
  }

  @Test(
    "loads are big-endian, zero-extended, and held to the bytes present, not to the wire length (C-197, C-198, C-247)",
    arguments: [(BPF_B, 1, 0xf5), (BPF_H, 2, 0xf5f6), (BPF_W, 4, 0xf5f6_f7f8)] as [(UInt16, Int, UInt32)])
  func loads(size: UInt16, width: Int, value: UInt32) throws {
    let bytes = (0..<20).map { UInt8(0xf0 + $0 % 16) }
    let absolute = [insn(BPF_LD | size | BPF_ABS, 5), insn(Opcode.RET_A)]
    let indexed = [insn(Opcode.LDX_IMM, 3), insn(BPF_LD | size | BPF_IND, 2), insn(Opcode.RET_A)]
    for length in 0...20 {
      let expected = length < 5 + width ? 0 : value
      #expect(try run(absolute, on: Array(bytes.prefix(length)), wire: 100) == expected)
      #expect(try run(indexed, on: Array(bytes.prefix(length)), wire: 100) == expected)
    }
  }

  @Test("offsets near 2^32 do not wrap into the frame (C-199, C-235, C-248)", arguments: [BPF_B, BPF_H, BPF_W])
  func overflow(size: UInt16) throws {
    for below: UInt32 in 1...9 {
      let k = 0 &- below
      #expect(
        try run([insn(BPF_LD | size | BPF_ABS, k), insn(Opcode.RET_K, 1)], on: .init(repeating: 1, count: 8)) == 0)
      for x: UInt32 in [0, 1, 2, 3, 8, 9, .max, 0x8000_0000] {
        for (index, offset) in [(x, k), (k, x)] where UInt64(index) + UInt64(offset) > 8 {
          let program = [insn(Opcode.LDX_IMM, index), insn(BPF_LD | size | BPF_IND, offset), insn(Opcode.RET_K, 1)]
          #expect(try run(program, on: .init(repeating: 1, count: 8)) == 0)
        }
      }
    }
  }

  @Test("an X that wrapped by arithmetic is an offset like any other (C-249)")
  func wrappedX() throws {
    let frame: [UInt8] = [1, 2, 3, 4, 5]
    let direct = [
      insn(Opcode.LD_LEN), insn(Opcode.ADD_K, .max), insn(Opcode.TAX), insn(Opcode.LD_B_IND), insn(Opcode.RET_A),
    ]
    #expect(try run(direct, on: frame) == 5)
    let memory = [
      insn(Opcode.LD_LEN), insn(Opcode.ADD_K, .max), insn(Opcode.ST, 3), insn(Opcode.LDX_MEM, 3), insn(Opcode.LD_B_IND),
      insn(Opcode.RET_A),
    ]
    #expect(try run(memory, on: frame) == 5)
  }

  @Test("MSH is four times the low nibble and ends the program out of range (C-202, C-236, C-251)")
  func headerLength() throws {
    let program = [insn(Opcode.LDX_MSH, 5), insn(Opcode.TXA), insn(Opcode.RET_A)]
    #expect(try run(program, on: [0, 0, 0, 0, 0, 0x7a]) == 40)
    #expect(try run(program, on: [0, 0, 0, 0, 0x7a]) == 0)
    #expect(try run([insn(Opcode.LDX_MSH, .max), insn(Opcode.RET_K, 1)], on: [1]) == 0)
  }

  @Test("LEN is the wire length (C-203, C-250, C-251)")
  func wireLength() throws {
    #expect(try run([insn(Opcode.LD_LEN), insn(Opcode.RET_A)], on: [1], wire: 5) == 5)
    #expect(try run([insn(Opcode.LDX_LEN), insn(Opcode.TXA), insn(Opcode.RET_A)], on: [1], wire: 5) == 5)
  }

  @Test("immediates are whole words, TAX and TXA move them (C-250..C-252)")
  func immediates() throws {
    #expect(try run([insn(Opcode.LD_IMM, .max), insn(Opcode.RET_A)]) == .max)
    #expect(try run([insn(Opcode.LDX_IMM, 0 &- 6), insn(Opcode.TXA), insn(Opcode.RET_A)]) == 0 &- 6)
    #expect(try run([insn(Opcode.LDX_IMM, 391), insn(Opcode.TXA), insn(Opcode.RET_A)]) == 391)
    let equal = [jump(Opcode.JEQ_X, 0, 1, 0), insn(Opcode.RET_K, 7), insn(Opcode.RET_K, 8)]
    #expect(try run([insn(Opcode.LDX_IMM, 5), insn(Opcode.LD_IMM, 5)] + equal) == 8)
    #expect(try run([insn(Opcode.LDX_IMM, 5), insn(Opcode.LD_LEN)] + equal, wire: 4) == 7)
    let tax = [insn(Opcode.LD_IMM, 3), insn(Opcode.TAX), insn(Opcode.LD_B_IND, 2), insn(Opcode.RET_A)]
    #expect(try run(tax, on: [0, 1, 2, 3, 4, 55, 6]) == 55)
  }

  @Test("scratch words hold A and X, each its own (C-253)")
  func memory() throws {
    #expect(
      try run([
        insn(Opcode.LD_IMM, 1), insn(Opcode.ST), insn(Opcode.LD_IMM, 2), insn(Opcode.LD_MEM), insn(Opcode.RET_A),
      ]) == 1)
    #expect(
      try run([
        insn(Opcode.LDX_IMM, 1), insn(Opcode.STX), insn(Opcode.LDX_IMM, 2), insn(Opcode.LDX_MEM), insn(Opcode.TXA),
        insn(Opcode.RET_A),
      ]) == 1)
    // stx3: 3 times the length, through words 6 and 1.
    let stx3 = [
      insn(Opcode.STX, 6), insn(Opcode.ST, 1), insn(Opcode.LDX_LEN), insn(Opcode.STX, 5), insn(Opcode.STX, 2),
      insn(Opcode.STX, 3), insn(Opcode.LDX_MEM, 1), insn(Opcode.TXA), insn(Opcode.LDX_MEM, 2), insn(Opcode.ADD_X),
      insn(Opcode.LDX_MEM, 3), insn(Opcode.ADD_X), insn(Opcode.LDX_MEM, 5), insn(Opcode.ADD_X), insn(Opcode.LDX_MEM, 6),
      insn(Opcode.ADD_X), insn(Opcode.RET_A),
    ]
    #expect(try run(stx3, wire: 7) == 21)
    // st2, stx2: what A and X are at the beginning.
    #expect(try run([insn(Opcode.ST, 0), insn(Opcode.LD_IMM, 1), insn(Opcode.LD_MEM, 0), insn(Opcode.RET_A)]) == 0)
    let stx2 = [
      insn(Opcode.STX, 0), insn(Opcode.LDX_IMM, 1), insn(Opcode.LDX_MEM, 0), insn(Opcode.TXA), insn(Opcode.RET_A),
    ]
    #expect(try run([insn(Opcode.LD_IMM, 5)] + stx2) == 0)
    for words in 1...16 {
      let stores = (0..<words).flatMap { [insn(Opcode.LD_IMM, UInt32(3 * $0)), insn(Opcode.ST, UInt32($0))] }
      let stxs = (0..<words).flatMap { [insn(Opcode.LDX_IMM, UInt32(3 * $0)), insn(Opcode.STX, UInt32($0))] }
      for word in 0..<words {
        #expect(
          try run(stxs + [insn(Opcode.LDX_MEM, UInt32(word)), insn(Opcode.TXA), insn(Opcode.RET_A)]) == UInt32(3 * word)
        )
        #expect(try run(stores + [insn(Opcode.LD_MEM, UInt32(word)), insn(Opcode.RET_A)]) == UInt32(3 * word))
      }
    }
  }

  @Test("loads that a jump goes over do not demand their length (C-255, C-256)")
  func demandedLength() throws {
    #expect(try run([insn(Opcode.JA, 1), insn(Opcode.LD_W_ABS, 100), insn(Opcode.RET_K, 9)], on: [1]) == 9)
    let chain = [
      insn(Opcode.LD_B_ABS, 3), jump(Opcode.JEQ_K, 8, 0, 4), insn(Opcode.LD_H_ABS, 4), jump(Opcode.JGE_K, 7, 0, 2),
      insn(Opcode.LD_W_ABS, 6), jump(Opcode.JGT_K, 6, 0, 1), insn(Opcode.RET_K, 123_456_789),
      insn(Opcode.RET_K, 987_654_321),
    ]
    #expect(try run(chain, on: [0, 0, 0]) == 0)
    #expect(try run(chain, on: [0, 0, 0, 7]) == 123_456_789)
    #expect(try run(chain, on: [0, 0, 0, 8]) == 0)
    #expect(try run(chain, on: [0, 0, 0, 8, 0, 6]) == 123_456_789)
    #expect(try run(chain, on: [0, 0, 0, 8, 0, 7]) == 0)
    #expect(try run(chain, on: [0, 0, 0, 8, 0, 7, 0, 0, 7]) == 0)
    #expect(try run(chain, on: [0, 0, 0, 8, 0, 7, 0, 0, 7, 0]) == 123_456_789)
    #expect(try run(chain, on: [0, 0, 0, 8, 0, 7, 0, 0, 0, 0]) == 987_654_321)
  }
}
