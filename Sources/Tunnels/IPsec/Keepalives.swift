// Keepalives of NAT traversal: translations on the way last as long as there are packets. (RFC 3948, 4)
// A thread of its own, asleep but for the moments at which one may be due.
import SwBPFKern
import SwBPFPackets
import Synchronization

/// - Threads: any.
final class Keepalives: Sendable {
  private let work = DelayedWork(name: "swbpf-alive")

  /// Sends a keepalive whenever nothing has left by an interface for so long; 0: not any more.
  func start(_ ipsec: IPsec, seconds: Int) {
    let round = ipsec.round.wrappingAdd(1, ordering: .relaxed).newValue
    if seconds > 0 { schedule(ipsec, round, Int64(seconds) * 1_000_000_000, after: Int64(seconds) * 1_000_000_000) }
  }

  private func schedule(_ ipsec: IPsec, _ round: UInt64, _ interval: Int64, after delay: Int64) {
    work.schedule(after: delay) { [weak self, weak ipsec] in
      guard let self, let ipsec else { return }
      turn(ipsec, round, interval)
    }
  }

  private func turn(_ ipsec: IPsec, _ round: UInt64, _ interval: Int64) {
    guard ipsec.round.load(ordering: .relaxed) == round else { return }
    let settings = ipsec.variant.value
    guard let pair = settings.pair, let socket = settings.socket else {
      // It is being changed.
      return schedule(ipsec, round, interval, after: interval)
    }
    let idle = Clock.monotonic() - ipsec.lastSent.load(ordering: .relaxed)
    guard idle >= interval else { return schedule(ipsec, round, interval, after: interval - idle) }
    let hops = pair.isIPv6 ? settings.hopLimit : settings.ttl
    let error = socket.sendKeepalive(DatagramWay(pair: pair, port: settings.ports.peer, hops: hops))
    if error != 0 { ipsec.trouble.note(.send(error)) }
    ipsec.lastSent.store(Clock.monotonic(), ordering: .relaxed)
    schedule(ipsec, round, interval, after: interval)
  }

  /// Not on its own thread.
  func stop() { work.stop() }
}
