// A table of costs: contestants in turn in one process, processor time, medians of rounds.
import Glibc

/// What is measured: something that is done so many times. The loop is the contestant's own, so that nothing is called
/// through a closure in it.
struct Contestant {
  let name: String
  let run: (_ times: Int) -> Void
  init(_ name: String, _ run: @escaping (_ times: Int) -> Void) { (self.name, self.run) = (name, run) }
}

enum Table {
  /// Measures and prints. The ratios are to the first contestant, in the same round.
  static func show(_ title: String, rounds: Int, times: Int = 1_000_000, _ contestants: [Contestant]) {
    var costs = [[Double]](repeating: [], count: contestants.count)
    for contestant in contestants { contestant.run(times / 10 + 1) }
    for _ in 0..<rounds {
      for (index, contestant) in contestants.enumerated() {
        let begin = processorTime()
        contestant.run(times)
        costs[index].append(Double(processorTime() - begin) / Double(times))
      }
    }
    print("\(title); ns each, medians of \(rounds) rounds")
    print(row("", "ns", "ratio"))
    for (index, contestant) in contestants.enumerated() {
      let ratios = zip(costs[index], costs[0]).map { $0 / $1 }
      print(row(contestant.name, rounded(median(costs[index]), 10), rounded(median(ratios), 100)))
    }
    print("")
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private static func processorTime() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private static func rounded(_ value: Double, _ unit: Double) -> String { "\((value * unit).rounded() / unit)" }

  private static func row(_ name: String, _ cells: String...) -> String {
    let name = "  " + name + String(repeating: " ", count: max(1, 44 - name.count))
    return name + cells.map { String(repeating: " ", count: max(1, 9 - $0.count)) + $0 }.joined()
  }
}

/// The yardstick of the tables: a pthread mutex that nobody else wants.
final class Yardstick {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  init() { pthread_mutex_init(mutex, nil) }
  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Lock and unlock.
  var pair: Contestant {
    Contestant("pthread mutex pair") { times in
      let mutex = self.mutex
      for _ in 0..<times {
        pthread_mutex_lock(mutex)
        pthread_mutex_unlock(mutex)
      }
    }
  }
}
