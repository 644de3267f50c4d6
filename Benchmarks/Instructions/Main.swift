// Fixed work on the hot loops, for valgrind to count the instructions of. `Benchmarks/run instructions` builds it, runs each
// workload under callgrind and compares with instructions.txt. No network, no root.
import Glibc

/// One hot loop. `prepare` is not counted, `run` is.
struct Workload {
  /// Frames or packets of one run.
  let count: Int
  let prepare: () -> Void
  let run: () -> Void
}

/// What callgrind counts: `--toggle-collect=*countedWork*`.
@inline(never) @_optimize(none)
private func countedWork(_ run: () -> Void) { run() }

@main
enum Instructions {
  static let workloads: [(name: String, make: @Sendable () throws -> Workload)] =
    RingWork.workloads + FileWork.workloads + TunnelWork.workloads

  /// Rounds whose instructions are counted, after some that are not: caches, first packets, merged forms.
  private static let (warm, rounds) = (3, 10)

  /// `list` names the workloads; a name runs it and prints how many frames were counted.
  static func main() throws {
    let word = CommandLine.arguments.dropFirst().first ?? "list"
    if word == "list" {
      for workload in workloads { print(workload.name) }
      return
    }
    guard let chosen = workloads.first(where: { $0.name == word }) else {
      print("no workload \(word)")
      exit(2)
    }
    let workload = try chosen.make()
    for _ in 0..<warm {
      workload.prepare()
      workload.run()
    }
    for _ in 0..<rounds {
      workload.prepare()
      countedWork(workload.run)
    }
    print(workload.count * rounds)
    fflush(nil)
    // Nothing is torn down: threads may still hold what the workload made.
    _exit(0)
  }
}

/// What every frame here is: UDP over IPv4, `size` bytes from the destination address on.
func datagram(size: Int, port: UInt16, ethernet: Bool = true) -> [UInt8] {
  let length = size - (ethernet ? 14 : 0)
  var bytes: [UInt8] = ethernet ? [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] : []
  bytes += [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
  let udp = length - 20
  bytes += [0x30, 0x39, UInt8(port >> 8), UInt8(port & 255), UInt8(udp >> 8), UInt8(udp & 255), 0, 0]
  bytes += (0..<(udp - 8)).map { UInt8(truncatingIfNeeded: $0) }
  return bytes
}
