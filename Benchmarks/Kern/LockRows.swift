// Locks, with lockdebug as the process was started: `Benchmarks/run kern` runs this group once without it and once with it.
import SwBPFKern

enum LockRows {
  static func run(rounds: Int) {
    let lock = Lock(rank: .leaf)
    let outer = Lock(rank: .engine)
    let reader = Epoch().reader()
    Table.show(
      "locks, lockdebug \(LockDebug.isOn ? "on" : "off")", rounds: rounds, times: LockDebug.isOn ? 100_000 : 1_000_000,
      [
        Yardstick().pair,
        Contestant("Lock pair") { times in
          for _ in 0..<times {
            lock.lock()
            lock.unlock()
          }
        },
        Contestant("two Locks, one inside the other") { times in
          for _ in 0..<times { outer.withLock { lock.withLock {} } }
        },
        Contestant("epoch section") { times in
          for _ in 0..<times {
            reader.enter()
            reader.leave()
          }
        },
      ])
  }
}
