// The numbers of net/bpf.h and linux/filter.h in their C spelling, and the closed table of opcodes that the machine knows.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

// Classes
package let BPF_LD: UInt16 = 0x00
package let BPF_LDX: UInt16 = 0x01
package let BPF_ST: UInt16 = 0x02
package let BPF_STX: UInt16 = 0x03
package let BPF_ALU: UInt16 = 0x04
package let BPF_JMP: UInt16 = 0x05
package let BPF_RET: UInt16 = 0x06
package let BPF_MISC: UInt16 = 0x07

// LD, LDX: sizes and modes
package let BPF_W: UInt16 = 0x00
package let BPF_H: UInt16 = 0x08
package let BPF_B: UInt16 = 0x10
package let BPF_IMM: UInt16 = 0x00
package let BPF_ABS: UInt16 = 0x20
package let BPF_IND: UInt16 = 0x40
package let BPF_MEM: UInt16 = 0x60
package let BPF_LEN: UInt16 = 0x80
package let BPF_MSH: UInt16 = 0xa0

// ALU and JMP: operations
package let BPF_ADD: UInt16 = 0x00
package let BPF_SUB: UInt16 = 0x10
package let BPF_MUL: UInt16 = 0x20
package let BPF_DIV: UInt16 = 0x30
package let BPF_OR: UInt16 = 0x40
package let BPF_AND: UInt16 = 0x50
package let BPF_LSH: UInt16 = 0x60
package let BPF_RSH: UInt16 = 0x70
package let BPF_NEG: UInt16 = 0x80
package let BPF_MOD: UInt16 = 0x90
package let BPF_XOR: UInt16 = 0xa0
package let BPF_JA: UInt16 = 0x00
package let BPF_JEQ: UInt16 = 0x10
package let BPF_JGT: UInt16 = 0x20
package let BPF_JGE: UInt16 = 0x30
package let BPF_JSET: UInt16 = 0x40

// ALU, JMP and RET: operands
package let BPF_K: UInt16 = 0x00
package let BPF_X: UInt16 = 0x08
package let BPF_A: UInt16 = 0x10

// MISC; NetBSD's coprocessor calls are numbers that the validator refuses
package let BPF_TAX: UInt16 = 0x00
package let BPF_COP: UInt16 = 0x20
package let BPF_COPX: UInt16 = 0x40
package let BPF_TXA: UInt16 = 0x80

/// Words of scratch memory.
package let BPF_MEMWORDS: UInt32 = 16

// Absolute loads from here on read the tap's metadata, in programs made from expressions.
package let SKF_AD_OFF: UInt32 = 0xffff_f000
package let SKF_AD_PROTOCOL: UInt32 = 0
package let SKF_AD_PKTTYPE: UInt32 = 4
package let SKF_AD_IFINDEX: UInt32 = 8
package let SKF_AD_VLAN_TAG: UInt32 = 44
package let SKF_AD_VLAN_TAG_PRESENT: UInt32 = 48

/// Every opcode that a valid program may hold: FreeBSD's table. Names are class, size, mode as in C, `LD_H_ABS` for
/// `BPF_LD|BPF_H|BPF_ABS`. Written out as numbers so that a switch over them becomes one jump table.
package enum Opcode {
  package static let LD_W_ABS: UInt16 = 0x20
  package static let LD_H_ABS: UInt16 = 0x28
  package static let LD_B_ABS: UInt16 = 0x30
  package static let LD_W_IND: UInt16 = 0x40
  package static let LD_H_IND: UInt16 = 0x48
  package static let LD_B_IND: UInt16 = 0x50
  package static let LD_LEN: UInt16 = 0x80
  package static let LD_IMM: UInt16 = 0x00
  package static let LD_MEM: UInt16 = 0x60
  package static let LDX_IMM: UInt16 = 0x01
  package static let LDX_MEM: UInt16 = 0x61
  package static let LDX_LEN: UInt16 = 0x81
  package static let LDX_MSH: UInt16 = 0xb1
  package static let ST: UInt16 = 0x02
  package static let STX: UInt16 = 0x03
  package static let ADD_K: UInt16 = 0x04
  package static let ADD_X: UInt16 = 0x0c
  package static let SUB_K: UInt16 = 0x14
  package static let SUB_X: UInt16 = 0x1c
  package static let MUL_K: UInt16 = 0x24
  package static let MUL_X: UInt16 = 0x2c
  package static let DIV_K: UInt16 = 0x34
  package static let DIV_X: UInt16 = 0x3c
  package static let OR_K: UInt16 = 0x44
  package static let OR_X: UInt16 = 0x4c
  package static let AND_K: UInt16 = 0x54
  package static let AND_X: UInt16 = 0x5c
  package static let LSH_K: UInt16 = 0x64
  package static let LSH_X: UInt16 = 0x6c
  package static let RSH_K: UInt16 = 0x74
  package static let RSH_X: UInt16 = 0x7c
  package static let NEG: UInt16 = 0x84
  package static let MOD_K: UInt16 = 0x94
  package static let MOD_X: UInt16 = 0x9c
  package static let XOR_K: UInt16 = 0xa4
  package static let XOR_X: UInt16 = 0xac
  package static let JA: UInt16 = 0x05
  package static let JEQ_K: UInt16 = 0x15
  package static let JEQ_X: UInt16 = 0x1d
  package static let JGT_K: UInt16 = 0x25
  package static let JGT_X: UInt16 = 0x2d
  package static let JGE_K: UInt16 = 0x35
  package static let JGE_X: UInt16 = 0x3d
  package static let JSET_K: UInt16 = 0x45
  package static let JSET_X: UInt16 = 0x4d
  package static let RET_K: UInt16 = 0x06
  package static let RET_A: UInt16 = 0x16
  package static let TAX: UInt16 = 0x07
  package static let TXA: UInt16 = 0x87
  /// Calls of a coprocessor; only ``ExtendedProgram`` knows them.
  package static let COP: UInt16 = 0x27
  package static let COPX: UInt16 = 0x47

  package static let all: [UInt16] = [
    LD_W_ABS, LD_H_ABS, LD_B_ABS, LD_W_IND, LD_H_IND, LD_B_IND, LD_LEN, LD_IMM, LD_MEM,
    LDX_IMM, LDX_MEM, LDX_LEN, LDX_MSH, ST, STX,
    ADD_K, ADD_X, SUB_K, SUB_X, MUL_K, MUL_X, DIV_K, DIV_X, OR_K, OR_X, AND_K, AND_X,
    LSH_K, LSH_X, RSH_K, RSH_X, NEG, MOD_K, MOD_X, XOR_K, XOR_X,
    JA, JEQ_K, JEQ_X, JGT_K, JGT_X, JGE_K, JGE_X, JSET_K, JSET_X, RET_K, RET_A, TAX, TXA,
  ]
}
