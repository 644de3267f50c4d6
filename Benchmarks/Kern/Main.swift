// What the kernel services cost. `Benchmarks/run kern` builds and runs it; no network, no root. One file per group of rows.
import Glibc
import SwBPFKern

@main
struct KernBench {
  /// Each group prints its tables.
  static let groups: [(name: String, run: @Sendable (_ rounds: Int) -> Void)] = [
    ("percpu", PerCPURows.run), ("lock", LockRows.run), ("pfkey", PFKeyRows.run), ("route", RouteRows.run),
  ]

  /// Arguments: names of groups (none: all), and a number of rounds.
  static func main() {
    // A process with one thread only gets cheaper mutexes than any of ours.
    let idle = Thread(name: "idle") { while true { sleep(3600) } }
    let words = CommandLine.arguments.dropFirst()
    let rounds = words.lazy.compactMap { Int($0) }.first ?? 9
    let names = words.filter { Int($0) == nil }
    for group in groups where names.isEmpty || names.contains(group.name) { group.run(rounds) }
    withExtendedLifetime(idle) {}
  }
}
