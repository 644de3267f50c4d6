import Testing

@testable import SwBPFFilterMachine

private let reverseARP = [
  insn(Opcode.LD_H_ABS, 12), jump(Opcode.JEQ_K, 0x8035, 0, 3), insn(Opcode.LD_H_ABS, 20),
  jump(Opcode.JEQ_K, 3, 0, 1), insn(Opcode.RET_K, 42), insn(Opcode.RET_K, 0),
]
private let twoHostsAbsolute = [
  insn(Opcode.LD_H_ABS, 12), jump(Opcode.JEQ_K, 0x0800, 0, 8), insn(Opcode.LD_W_ABS, 26),
  jump(Opcode.JEQ_K, 0x8003_700f, 0, 2), insn(Opcode.LD_W_ABS, 30), jump(Opcode.JEQ_K, 0x8003_7023, 3, 4),
  jump(Opcode.JEQ_K, 0x8003_7023, 0, 3), insn(Opcode.LD_W_ABS, 30), jump(Opcode.JEQ_K, 0x8003_700f, 0, 1),
  insn(Opcode.RET_K, .max), insn(Opcode.RET_K, 0),
]
/// The same with offsets from X.
private let twoHostsIndexed = [
  insn(Opcode.LDX_IMM, 12), insn(Opcode.LD_H_IND, 0), jump(Opcode.JEQ_K, 0x0800, 0, 9), insn(Opcode.LDX_IMM, 20),
  insn(Opcode.LD_W_IND, 6), jump(Opcode.JEQ_K, 0x8003_700f, 0, 2), insn(Opcode.LD_W_IND, 10),
  jump(Opcode.JEQ_K, 0x8003_7023, 3, 4), jump(Opcode.JEQ_K, 0x8003_7023, 0, 3), insn(Opcode.LD_W_IND, 10),
  jump(Opcode.JEQ_K, 0x8003_700f, 0, 1), insn(Opcode.RET_K, .max), insn(Opcode.RET_K, 0),
]
/// Addresses first, so that the longest load comes before the shortest.
private let twoHostsBackward = [
  insn(Opcode.LD_W_ABS, 30), insn(Opcode.TAX), insn(Opcode.LD_W_ABS, 26), jump(Opcode.JEQ_K, 0x8003_700f, 0, 2),
  insn(Opcode.TXA), jump(Opcode.JEQ_K, 0x8003_7023, 3, 5), jump(Opcode.JEQ_K, 0x8003_7023, 0, 4),
  insn(Opcode.TXA), jump(Opcode.JEQ_K, 0x8003_700f, 0, 2), insn(Opcode.LD_H_ABS, 12),
  jump(Opcode.JEQ_K, 0x0800, 1, 0), insn(Opcode.RET_K, 0), insn(Opcode.RET_K, .max),
]
private let fingerProgram = [
  insn(Opcode.LD_H_ABS, 12), jump(Opcode.JEQ_K, 0x0800, 0, 10), insn(Opcode.LD_B_ABS, 23),
  jump(Opcode.JEQ_K, 6, 0, 8), insn(Opcode.LD_H_ABS, 20), jump(Opcode.JSET_K, 0x1fff, 6, 0),
  insn(Opcode.LDX_MSH, 14), insn(Opcode.LD_H_IND, 14), jump(Opcode.JEQ_K, 79, 2, 0), insn(Opcode.LD_H_IND, 16),
  jump(Opcode.JEQ_K, 79, 0, 1), insn(Opcode.RET_K, .max), insn(Opcode.RET_K, 0),
]

/// The three programs of bpf(4), and the two-hosts program in the orders of NetBSD's bpfjit tests.
@Suite("Programs of the manual")
struct ManualProgramTests {
  static func hosts(_ source: [UInt8], _ destination: [UInt8]) -> [UInt8] {
    [UInt8](repeating: 0, count: 12) + [0x08, 0] + [UInt8](repeating: 0x45, count: 12) + source + destination
  }

  @Test("a reverse ARP request returns 42, shorter frames 0 (C-257)")
  func reverseARPRequest() throws {
    let frame = [UInt8](repeating: 0, count: 12) + [0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3]
    for length in 0...frame.count {
      #expect(try run(reverseARP, on: Array(frame.prefix(length))) == (length == frame.count ? 42 : 0))
    }
  }

  @Test(
    "two hosts match in both directions at full length and never shorter (C-254, C-257)",
    arguments: [twoHostsAbsolute, twoHostsIndexed, twoHostsBackward])
  func twoHosts(program: [I]) throws {
    let a: [UInt8] = [128, 3, 112, 15]
    let b: [UInt8] = [128, 3, 112, 35]
    for frame in [Self.hosts(a, b), Self.hosts(b, a)] {
      for length in 0..<frame.count { #expect(try run(program, on: Array(frame.prefix(length))) == 0) }
      #expect(try run(program, on: frame) == .max)
    }
    for frame in [Self.hosts(a, a), Self.hosts(b, b), Self.hosts(a, [1, 2, 3, 4])] {
      #expect(try run(program, on: frame) == 0)
    }
  }

  @Test("finger over any IP header length, not in later fragments, never in shorter frames (C-257)", arguments: 5...15)
  func finger(headerWords: Int) throws {
    func frame(fragment: UInt8, ports: [UInt8]) -> [UInt8] {
      let header = [UInt8(0x40 + headerWords), 0, 0, 0, 0, 0, 0, fragment, 64, 6]
      let rest = [UInt8](repeating: 0, count: headerWords * 4 - header.count)
      return [UInt8](repeating: 0, count: 12) + [8, 0] + header + rest + ports
    }
    let toFinger = frame(fragment: 0, ports: [0, 1, 0, 79])
    #expect(try run(fingerProgram, on: toFinger) == .max)
    for length in 0..<toFinger.count { #expect(try run(fingerProgram, on: Array(toFinger.prefix(length))) == 0) }
    #expect(try run(fingerProgram, on: frame(fragment: 0, ports: [0, 79, 0, 1])) == .max)
    #expect(try run(fingerProgram, on: frame(fragment: 0, ports: [0, 1, 0, 80])) == 0)
    #expect(try run(fingerProgram, on: frame(fragment: 1, ports: [0, 1, 0, 79])) == 0)
  }
}
