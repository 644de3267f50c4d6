// The cached route of a tunnel: a hit should cost at most 1.2 times a mutex pair.
import Glibc
import SwBPFKern
import SwBPFPackets
import SwBPFTunnels

enum RouteRows {
  static func run(rounds: Int) {
    let memory = PerCPUMemory(cpus: 2)
    memory.bindThread(to: 0)
    guard let routing = try? Routing(), let four = IPAddress("127.0.0.1"), let six = IPAddress("::1") else {
      print("route: no netlink socket")
      return
    }
    let cache = RouteCache(routing, in: memory)
    let lock = Lock(rank: .route)
    // Known from here on.
    _ = cache.lookup(four)
    Table.show(
      "cached route (bound thread)", rounds: rounds,
      [
        Yardstick().pair,
        Contestant("Lock pair") { times in
          for _ in 0..<times { lock.withLock {} }
        },
        Contestant("route cache hit, IPv4") { times in
          for _ in 0..<times { use(cache.lookup(four)) }
        },
        Contestant("route cache hit, in batches of 64") { times in
          let any = IPAddress(v4: 0)
          use(cache.lookup(four))
          for _ in 0..<times / 64 {
            cache.withCurrent { route, now in
              for _ in 0..<64 { if let answer = route.look(four, from: any, now) { use(answer) } }
            }
          }
        },
        Contestant("route cache hit, IPv6, with source") { times in
          for _ in 0..<times { use(cache.lookup(six, from: six)) }
        },
      ])
    Table.show(
      "route, asked of the system", rounds: rounds, times: 1000,
      [
        Contestant("route cache miss") { times in
          for _ in 0..<times {
            cache.flush()
            use(cache.lookup(four))
          }
        }
      ])
    PerCPUMemory.unbindThread()
  }

  @inline(never) private static func use(_ answer: RouteAnswer) {}
}
