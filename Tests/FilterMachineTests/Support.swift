// What the tests of this layer share: programs by hand, libpcap as compiler and judge, frames.
import CPcapShim
import Glibc
import SwBPFKern
import Testing

@testable import SwBPFFilterMachine

typealias I = Instruction

func insn(_ code: UInt16, _ k: UInt32 = 0) -> I { .statement(code, k) }
func jump(_ code: UInt16, _ k: UInt32, _ jt: UInt8, _ jf: UInt8) -> I { .jump(code, k, jt, jf) }

/// Runs a program that must be valid.
func run(_ program: [I], on frame: [UInt8] = [], wire: UInt32? = nil) throws -> UInt32 {
  try Program(program).verdict(frame, wireLength: wire)
}

/// What the validator says, nil for a valid program.
func refusal(_ program: [I], limit: Int = Program.requestLimit) -> ProgramError? {
  do {
    _ = try Program(program, limit: limit)
    return nil
  } catch {
    return error
  }
}

struct CompileFailure: Error { let text: String }

/// Compiles an expression with libpcap, as for a live Ethernet capture unless told.
func compile(_ expression: String, linkType: CInt = 1, optimize: Bool = true) throws -> [I] {
  var memory: UnsafeMutablePointer<swpcap_insn>?
  var text = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
  let count = swpcap_compile(linkType, 262_144, expression, optimize ? 1 : 0, 0xffff_ffff, &memory, &text)
  guard count >= 0, let memory else {
    throw CompileFailure(text: String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }
  defer { swpcap_free(memory) }
  return (0..<Int(count)).map { I(code: memory[$0].code, jt: memory[$0].jt, jf: memory[$0].jf, k: memory[$0].k) }
}

/// libpcap's interpreter on the same program.
func judge(_ program: Program, _ frame: [UInt8], wire: UInt32) -> UInt32 {
  frame.withUnsafeBufferPointer { bytes in
    program.code.instructions.withMemoryRebound(to: swpcap_insn.self, capacity: program.count) {
      swpcap_filter($0, bytes.baseAddress, wire, UInt32(bytes.count))
    }
  }
}

func libpcapAccepts(_ program: [I]) -> Bool {
  program.withUnsafeBufferPointer { instructions in
    instructions.withMemoryRebound(to: swpcap_insn.self) {
      swpcap_validate($0.baseAddress, UInt32($0.count)) != 0
    }
  }
}

/// Numbers that are the same in every run. (splitmix64)
struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension Program {
  /// The interpreter's verdict, which the machine code must share where there is some.
  func verdict(_ frame: [UInt8], wireLength: UInt32? = nil, metadata: FrameMetadata? = nil) -> UInt32 {
    let interpreted = run(frame.span.bytes, wireLength: wireLength, metadata: metadata)
    if let native = native(frame, wireLength: wireLength, metadata: metadata), native != interpreted {
      Issue.record("machine code says \(native), the interpreter \(interpreted): \(instructions) on \(frame)")
    }
    return interpreted
  }

  /// The machine code's verdict; nil where there is none.
  func native(_ frame: [UInt8], wireLength: UInt32? = nil, metadata: FrameMetadata? = nil) -> UInt32? {
    guard let entry = tapCode.native else { return nil }
    let wire = wireLength ?? UInt32(frame.count)
    return Ground.shared.laying(frame) { base in
      guard var metadata else { return entry(base, UInt(frame.count), wire, nil) }
      return withUnsafePointer(to: &metadata) { entry(base, UInt(frame.count), wire, $0) }
    }
  }
}

/// Memory whose next byte cannot be read: a load that goes too far is a crash.
final class Ground: @unchecked Sendable {
  static let shared = Ground()
  private let end: UnsafeMutableRawPointer
  private let size = 1 << 20
  private let lock = Lock(rank: .leaf)

  init() {
    let memory = mmap(nil, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(memory != MAP_FAILED)
    end = memory + size
    mprotect(end, 4096, PROT_NONE)
  }

  func laying<Result>(_ frame: [UInt8], _ body: (UnsafeRawPointer) -> Result) -> Result {
    lock.withLock {
      let base = end - frame.count
      frame.withUnsafeBytes { if let from = $0.baseAddress { base.copyMemory(from: from, byteCount: $0.count) } }
      return body(base)
    }
  }
}
