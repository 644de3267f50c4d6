// What a program costs per frame: libpcap's interpreter, ours, machine code, the kernel; and what making machine code costs.
// `Benchmarks/run filter` builds and runs it: one process, contestants in turn, processor time, medians of rounds.
import CPcapShim
import Glibc
import SwBPFFilterMachine

@main
struct FilterBench {
  static let programs: [(name: String, expression: String)] = [
    ("ip", "ip"), ("tcp port 80", "tcp port 80"),
    ("host and portrange", "host 10.0.0.1 and udp portrange 1000-2000"),
    ("tcp-syn", "tcp[tcpflags] & tcp-syn != 0"),
    ("60 ports", (1...60).map { "port \($0 * 97)" }.joined(separator: " or ")),
  ]

  static func main() throws {
    let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 9
    let frames = FrameSet(count: 2000)
    let empty = [Instruction.statement(Opcode.RET_K, 262_144)]
    let kernel = Kernel(frames, empty)
    print("2000 mixed frames of \(frames.mean) bytes on average; ns per frame, medians of \(rounds) rounds")
    print(kernel.explanation)
    print(
      row([
        "program", "insns", "match %", "libpcap", "ours", "ratio", "native", "ratio", "kernel", "ratio", "bytes",
        "compile us", "native us", "ratio",
      ]))
    try measure("empty", empty, compiling: nil, frames, kernel, rounds: rounds)
    for (name, expression) in programs {
      let compiling = median(
        (0..<7).map { _ in timed(expression.utf8.count > 100 ? 1 : 50) { _ = try? compile(expression) } })
      try measure(name, try compile(expression), compiling: compiling, frames, kernel, rounds: rounds)
    }
    try MergedBench.run(frames, rounds: rounds)
  }

  /// One line: a program judged by all, in turn.
  static func measure(
    _ name: String, _ instructions: [Instruction], compiling: Double?, _ frames: FrameSet, _ kernel: Kernel,
    rounds: Int
  ) throws {
    let program = try Program(instructions, ancillary: true, limit: Program.expressionLimit)
    guard let native = NativeCode(instructions, ancillary: true) else { return print("\(name): no machine code here") }
    let entry = native.entry
    var metadata = FrameMetadata()
    var times: [[Double]] = [[], [], []]
    var inKernel: [Double] = []
    let pushed = kernel.program(instructions)
    let passes = 200
    for _ in 0..<rounds {
      var sums: [UInt64] = [0, 0, 0]
      for contestant in 0..<3 {
        let begin = processorTime()
        for _ in 0..<passes {
          switch contestant {
          case 0: sums[0] &+= frames.libpcap(program)
          case 1: sums[1] &+= frames.interpreter(program.code, &metadata)
          default: sums[2] &+= frames.native(entry, &metadata)
          }
        }
        times[contestant].append(Double(processorTime() - begin) / Double(passes * frames.count))
      }
      precondition(sums[0] == sums[1] && sums[1] == sums[2], "verdicts differ")
      if let pushed {
        let (cost, sum) = try kernel.cost(of: pushed)
        precondition(sum == sums[0] / UInt64(passes), "the kernel's verdicts differ")
        inKernel.append(cost)
      }
    }
    let matches = Double(frames.libpcap(program) / 262_144) * 100 / Double(frames.count)
    let medians = times.map(median)
    // Freeing is not counted: it happens long after.
    var made: [NativeCode?] = []
    let making = median(
      (0..<7).map { _ in
        made.removeAll(keepingCapacity: true)
        return timed(50) { made.append(NativeCode(instructions, ancillary: true)) }
      })
    func ratio(_ value: Double?, to other: Double? = medians[0]) -> String {
      guard let value, let other else { return "-" }
      return hundredths(value / other)
    }
    let pushedCost = inKernel.isEmpty || name == "empty" ? nil : median(inKernel)
    print(
      row([
        name, "\(instructions.count)", tenths(matches), tenths(medians[0]), tenths(medians[1]), ratio(medians[1]),
        tenths(medians[2]), ratio(medians[2]), pushedCost.map(tenths) ?? "-", ratio(pushedCost), "\(native.count)",
        compiling.map { tenths($0 / 1000) } ?? "-", tenths(making / 1000), ratio(making, to: compiling),
      ]))
  }

  /// The kernel as a contestant, where it may be asked.
  struct Kernel {
    let explanation: String
    private let frames: FrameSet
    private let base: KernelProgram?
    private let times: UInt32 = 500

    init(_ frames: FrameSet, _ empty: [Instruction]) {
      self.frames = frames
      do {
        let base = try KernelProgram(empty)
        _ = try frames.kernel(base, times: 1)
        self.base = base
        explanation =
          "kernel: \(KernelProgram.isCompiled ? "its JIT" : "its interpreter") by BPF_PROG_TEST_RUN, each frame \(times) "
          + "times in a row, which flatters it; the same of a program that only returns is subtracted"
      } catch {
        base = nil
        explanation = "kernel: not asked (bpf(2): \((error as? KernelProgram.Refused)?.reason ?? "\(error)"))"
      }
    }

    func program(_ instructions: [Instruction]) -> KernelProgram? {
      base == nil ? nil : try? KernelProgram(instructions)
    }

    /// ns per frame beyond those of a program that only returns, and the sum of the verdicts.
    func cost(of program: KernelProgram) throws -> (Double, UInt64) {
      func timed(_ program: KernelProgram) throws -> (Double, UInt64) {
        let begin = processorTime()
        let sum = try frames.kernel(program, times: times)
        return (Double(processorTime() - begin) / Double(Int(times) * frames.count), sum)
      }
      let nothing = try timed(base!).0
      let (all, sum) = try timed(program)
      return (all - nothing, sum)
    }
  }

  /// ns of one call.
  static func timed(_ count: Int, _ body: () -> Void) -> Double {
    let begin = processorTime()
    for _ in 0..<count { body() }
    return Double(processorTime() - begin) / Double(count)
  }

  static func processorTime() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  static func tenths(_ value: Double) -> String { rounded(value, 10) }
  static func hundredths(_ value: Double) -> String { rounded(value, 100) }

  private static func rounded(_ value: Double, _ unit: Double) -> String { "\((value * unit).rounded() / unit)" }

  static func row(_ cells: [String]) -> String {
    let widths = [18, 6, 8, 8, 8, 6, 8, 6, 8, 6, 7, 11, 10, 6]
    return zip(cells, widths).map { cell, width in
      width == 18
        ? cell + String(repeating: " ", count: max(1, width - cell.count))
        : String(repeating: " ", count: max(1, width - cell.count)) + cell
    }.joined()
  }

  struct CompileFailure: Error {}

  static func compile(_ expression: String) throws -> [Instruction] {
    var memory: UnsafeMutablePointer<swpcap_insn>?
    var text = [CChar](repeating: 0, count: Int(SWPCAP_ERRBUF))
    let count = swpcap_compile(1, 262_144, expression, 1, 0xffff_ffff, &memory, &text)
    guard count >= 0, let memory else { throw CompileFailure() }
    defer { swpcap_free(memory) }
    return (0..<Int(count)).map {
      Instruction(code: memory[$0].code, jt: memory[$0].jt, jf: memory[$0].jf, k: memory[$0].k)
    }
  }
}
