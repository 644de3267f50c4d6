// What a program costs per frame: libpcap's interpreter, ours, machine code; and what making machine code costs.
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
    print("2000 mixed frames of \(frames.mean) bytes on average; ns per frame, medians of \(rounds) rounds")
    print(
      row([
        "program", "insns", "match %", "libpcap", "ours", "ratio", "native", "ratio", "bytes", "compile us",
        "native us",
      ]))
    var all: [(String, [Instruction])] = [("empty", [.statement(Opcode.RET_K, 262_144)])]
    for (name, expression) in programs { all.append((name, try compile(expression))) }
    for (name, instructions) in all {
      let program = try Program(instructions, ancillary: true, limit: Program.expressionLimit)
      guard let native = NativeCode(instructions, ancillary: true) else {
        print("\(name): no machine code here")
        continue
      }
      let entry = native.entry
      var metadata = FrameMetadata()
      var times: [[Double]] = [[], [], []]
      var sums: [UInt64] = [0, 0, 0]
      for _ in 0..<rounds {
        for contestant in 0..<3 {
          let passes = 200
          var sum: UInt64 = 0
          let begin = processorTime()
          for _ in 0..<passes {
            switch contestant {
            case 0: sum &+= frames.libpcap(program)
            case 1: sum &+= frames.interpreter(program.code, &metadata)
            default: sum &+= frames.native(entry, &metadata)
            }
          }
          times[contestant].append(Double(processorTime() - begin) / Double(passes * frames.count))
          sums[contestant] = sum / UInt64(passes)
        }
      }
      precondition(sums[0] == sums[1] && sums[1] == sums[2], "verdicts differ")
      let medians = times.map(median)
      let expression = programs.first { $0.name == name }?.expression
      let compiling = expression.map { text in
        median((0..<7).map { _ in timed(text.utf8.count > 100 ? 1 : 50) { _ = try? compile(text) } })
      }
      // Freeing is not counted: it happens long after.
      var made: [NativeCode?] = []
      let making = median(
        (0..<7).map { _ in
          made.removeAll(keepingCapacity: true)
          return timed(50) { made.append(NativeCode(instructions, ancillary: true)) }
        })
      print(
        row([
          name, "\(instructions.count)", tenths(Double(sums[0] / 262_144) * 100 / Double(frames.count)),
          tenths(medians[0]),
          tenths(medians[1]), hundredths(medians[1] / medians[0]), tenths(medians[2]),
          hundredths(medians[2] / medians[0]), "\(native.count)", compiling.map { tenths($0 / 1000) } ?? "-",
          tenths(making / 1000),
        ]))
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
    let widths = [18, 6, 8, 8, 8, 6, 8, 6, 7, 11, 10]
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
