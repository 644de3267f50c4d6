// Programs as text: the three forms of tcpdump's -d. Called on control paths, by the command and by tests.

/// How a program is written.
public enum ProgramText: Sendable, CaseIterable {
  /// One instruction a line, as an assembler would have it (`-d`).
  case assembly
  /// An initializer of C (`-dd`).
  case initializer
  /// Numbers, their count first (`-ddd`).
  case numbers
}

/// Writes programs as libpcap does. (`bpf_image`, `bpf_dump`)
package enum Disassembler {
  /// The program's lines, each with its newline.
  package static func text(_ program: [Instruction], _ form: ProgramText) -> String {
    var text = form == .numbers ? "\(program.count)\n" : ""
    for (index, one) in program.enumerated() {
      switch form {
      case .assembly: text += image(of: one, at: index)
      case .initializer: text += "{ 0x\(hex(UInt32(one.code))), \(one.jt), \(one.jf), 0x\(hex(one.k, digits: 8)) },"
      case .numbers: text += "\(one.code) \(one.jt) \(one.jf) \(one.k)"
      }
      text += "\n"
    }
    return text
  }

  /// One instruction; any code, jump and constant is allowed, also those that no valid program holds.
  package static func image(of one: Instruction, at index: Int) -> String {
    let (name, operand) = parts(of: one, at: index)
    let line = "(\(padded(String(index), to: 3, with: "0", leading: true))) \(padded(name, to: 8)) "
    guard one.code & 7 == BPF_JMP, one.code & 0xf0 != BPF_JA else { return line + operand }
    return line + "\(padded(operand, to: 16)) jt \(index + 1 + Int(one.jt))\tjf \(index + 1 + Int(one.jf))"
  }

  private static func parts(of one: Instruction, at index: Int) -> (name: String, operand: String) {
    let signed = Int32(bitPattern: one.k)
    switch one.code {
    case Opcode.RET_K: return ("ret", "#\(signed)")
    case Opcode.RET_A: return ("ret", "")
    case Opcode.LD_W_ABS, Opcode.LD_H_ABS, Opcode.LD_B_ABS:
      return (load(one.code), "[\(metadataName(one.k) ?? String(signed))]")
    case Opcode.LD_W_IND, Opcode.LD_H_IND, Opcode.LD_B_IND: return (load(one.code), "[x + \(signed)]")
    case Opcode.LD_LEN: return ("ld", "#pktlen")
    case Opcode.LD_IMM: return ("ld", "#0x\(hex(one.k))")
    case Opcode.LDX_IMM: return ("ldx", "#0x\(hex(one.k))")
    case Opcode.LDX_MSH: return ("ldxb", "4*([\(signed)]&0xf)")
    case Opcode.LD_MEM: return ("ld", "M[\(signed)]")
    case Opcode.LDX_MEM: return ("ldx", "M[\(signed)]")
    case Opcode.ST: return ("st", "M[\(signed)]")
    case Opcode.STX: return ("stx", "M[\(signed)]")
    case Opcode.JA: return ("ja", "\(Int32(truncatingIfNeeded: index + 1) &+ signed)")
    case Opcode.NEG: return ("neg", "")
    case Opcode.TAX: return ("tax", "")
    case Opcode.TXA: return ("txa", "")
    default: break
    }
    // Calculations and comparisons: the operation, then its operand.
    let operation = one.code & 0xf0
    let names =
      one.code & 7 == BPF_ALU ? calculations : one.code & 7 == BPF_JMP ? comparisons : [:]
    guard let name = names[operation], one.code == one.code & 0xff else {
      return ("unimp", "0x\(hex(UInt32(one.code)))")
    }
    if one.code & BPF_X != 0 { return (name, "x") }
    let isBits = one.code & 7 == BPF_JMP || [BPF_AND, BPF_OR, BPF_XOR].contains(operation)
    return (name, isBits ? "#0x\(hex(one.k))" : "#\(signed)")
  }

  private static let calculations: [UInt16: String] = [
    BPF_ADD: "add", BPF_SUB: "sub", BPF_MUL: "mul", BPF_DIV: "div", BPF_OR: "or", BPF_AND: "and", BPF_LSH: "lsh",
    BPF_RSH: "rsh", BPF_MOD: "mod", BPF_XOR: "xor",
  ]
  private static let comparisons: [UInt16: String] = [
    BPF_JEQ: "jeq", BPF_JGT: "jgt", BPF_JGE: "jge", BPF_JSET: "jset",
  ]

  private static func load(_ code: UInt16) -> String {
    switch code & 0x18 {
    case BPF_H: "ldh"
    case BPF_B: "ldb"
    default: "ld"
    }
  }

  /// What Linux calls the metadata at SKF_AD_OFF.
  private static func metadataName(_ k: UInt32) -> String? {
    let names = [
      "proto", "type", "ifidx", "nla", "nlan", "mark", "queue", "hatype", "rxhash", "cpu", "xor_x", "vlan_tci", "vlanp",
      "poff", "random", "vlan_tpid",
    ]
    let offset = k &- SKF_AD_OFF
    return offset % 4 == 0 && offset / 4 < names.count ? names[Int(offset / 4)] : nil
  }

  private static func hex(_ value: UInt32, digits: Int = 1) -> String {
    padded(String(value, radix: 16), to: digits, with: "0", leading: true)
  }

  private static func padded(_ text: String, to width: Int, with filler: Character = " ", leading: Bool = false)
    -> String
  {
    let filling = String(repeating: filler, count: max(0, width - text.count))
    return leading ? filling + text : text + filling
  }
}

extension Program {
  /// The program as text, one of the three forms of tcpdump's -d.
  public func text(_ form: ProgramText) -> String { Disassembler.text(instructions, form) }
}
