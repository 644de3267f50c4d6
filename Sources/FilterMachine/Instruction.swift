// One classic BPF instruction, as programs arrive from bpf requests, from libpcap and from users' arrays.

/// One instruction of a classic BPF program. (`struct bpf_insn`)
///
/// Eight bytes with the layout of `struct bpf_insn` and `struct sock_filter`, so that an array of them can be handed to either.
public struct Instruction: Sendable, Equatable {
  public var code: UInt16
  /// Instructions to skip when a comparison holds.
  public var jt: UInt8
  /// Instructions to skip when it does not.
  public var jf: UInt8
  public var k: UInt32

  @inlinable
  public init(code: UInt16, jt: UInt8 = 0, jf: UInt8 = 0, k: UInt32 = 0) {
    self.code = code
    self.jt = jt
    self.jf = jf
    self.k = k
  }
}

extension Instruction {
  /// `BPF_STMT(code, k)`
  package static func statement(_ code: UInt16, _ k: UInt32 = 0) -> Instruction { Instruction(code: code, k: k) }

  /// `BPF_JUMP(code, k, jt, jf)`
  package static func jump(_ code: UInt16, _ k: UInt32, _ jt: UInt8, _ jf: UInt8) -> Instruction {
    Instruction(code: code, jt: jt, jf: jf, k: k)
  }
}
