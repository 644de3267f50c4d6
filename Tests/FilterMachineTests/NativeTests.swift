import Glibc
import SwBPFKern
import Testing

@testable import SwBPFFilterMachine

@Suite("Native code")
struct NativeTests {
  /// Programs of one run; `make fuzz-filter` asks for more.
  static let rounds =
    Environment.value("SWBPF_FILTER_ROUNDS").flatMap { Int($0) }
    ?? (Environment.value("SWBPF_SHORT") == "1" ? 15_000 : 130_000)
  static let seed = Environment.value("SWBPF_FILTER_SEED").flatMap { UInt64($0) } ?? 1993

  @Test("random programs give the interpreter's verdict in machine code, libpcap's and the kernel's")
  func agreement() throws {
    var random = Random(state: Self.seed)
    let kernel = try #require(KernelFilter())
    var ran = 0
    var accepted = 0
    var asked = 0
    for _ in 0..<Self.rounds {
      let length = [2, 9, 34, 60].randomElement(using: &random)!
      let source = RandomProgram(&random, length: length)
      guard let program = try? Program(source.instructions) else { continue }
      ran += 1
      let forKernel = source.meansTheSameToTheKernel(program) && kernel.attach(program)
      let forLibpcap = !source.mayShiftFar
      for _ in 0..<4 {
        let frame = RandomProgram.frame(&random, length: length)
        let wire = forKernel ? UInt32(frame.count) : UInt32.random(in: 0...70, using: &random)
        let ours = program.verdict(frame, wireLength: wire)
        if ours != 0 { accepted += 1 }
        if forLibpcap {
          let theirs = judge(program, frame, wire: wire)
          if ours != theirs { Issue.record("\(ours), libpcap \(theirs): \(source.instructions) on \(frame), \(wire)") }
        }
        if forKernel && !frame.isEmpty {
          asked += 1
          let kept = kernel.kept(frame)
          if kept != min(Int(ours), frame.count) {
            Issue.record("\(ours), the kernel keeps \(kept): \(source.instructions) on \(frame)")
          }
        }
      }
    }
    print("\(ran) programs, \(accepted) frames accepted, \(asked) shown to the kernel")
    #expect(ran > Self.rounds / 3 && accepted > ran / 4 && asked > ran / 4)
  }
}
