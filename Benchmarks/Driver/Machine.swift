// What else the machine was doing during a measurement.

import Foundation

/// CPU time used so far, in seconds.
struct Machine {
  private var busy = 0.0
  private var stolen = 0.0
  private var all = 0.0
  /// Softirq threads work for the benchmark: they deliver its frames.
  private(set) var softirqThreads = 0.0
  private var ourselves = 0.0

  static let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  /// The reader's core, away from the generator's, which is core 0.
  static let readerCore = cores > 1 ? 1 : 0

  private static let softirqPIDs: [pid_t] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { contents("/proc/\($0)/comm").hasPrefix("ksoftirqd/") }
  }()

  static func now() -> Machine {
    var machine = Machine()
    let line = contents("/proc/stat").prefix { $0 != "\n" }
    let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard ticks.count >= 8 else { return machine }
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    // user nice system idle iowait irq softirq steal
    machine.busy = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second
    machine.stolen = ticks[7] / second
    machine.all = ticks[..<8].reduce(0, +) / second
    machine.softirqThreads = softirqPIDs.map(cpuNanoseconds(ofThreadsOf:)).reduce(0, +) / 1e9
    machine.ourselves = cpuNanoseconds(ofThreadsOf: getpid()) / 1e9
    return machine
  }

  /// Per cent of all cores' time since `start` that the host took, and that was used by programs other than the
  /// benchmark, whose own programs used `ours` seconds. The kernel counts busy time in ticks: good to about 2 %.
  func since(_ start: Machine, ours: Double) -> (steal: Double, foreign: Double) {
    let all = max(self.all - start.all, 0.01)
    let known = ours + (softirqThreads - start.softirqThreads) + (ourselves - start.ourselves)
    let foreign = max(0, busy - start.busy - known)
    return (100 * (stolen - start.stolen) / all, 100 * foreign / all)
  }

  /// Gives this session more weight than other sessions. Where the scheduler groups by session, `nice` alone does
  /// nothing against them.
  static func favourThisSession() {
    let fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC)
    guard fd >= 0 else { return }
    _ = write(fd, "-10", 3)
    close(fd)
  }
}
