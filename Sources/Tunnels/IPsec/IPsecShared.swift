// What all workers of ipsec interfaces look at, beside what all workers of an engine do.
// Made with the engine; any thread.
import SwBPFBPF
import SwBPFESP
import SwBPFKern
import SwBPFPFKey

final class IPsecShared: Sendable {
  let tunnels: TunnelShared
  let keys: KeyEngine
  let sockets: NATSockets
  /// What passed ESP and what did not, of all interfaces.
  let counters = ESPCounters()
  /// What came to ports of NAT traversal and is no ESP.
  let natCounters = NATCounters()
  /// Who gets the words of those who negotiate keys. (net.ipsec.ike)
  let taker = Published<IKETaker?>(nil)
  let pulse = Keepalives()
  private let orders: [SendOrder] = (0..<32).map { _ in SendOrder() }

  init(_ tunnels: TunnelShared, _ keys: KeyEngine) throws(BPF.Failure) {
    self.tunnels = tunnels
    self.keys = keys
    sockets = try NATSockets()
  }

  /// Whoever has it sends by this association, and nobody else.
  func order(_ association: Association) -> SendOrder {
    let hash = UInt(bitPattern: ObjectIdentifier(association)) &* 0x9e37_79b9_7f4a_7c15
    return orders[Int(hash >> 59)]
  }
}

/// Held while packets get their sequence numbers and leave: they leave in the order of their numbers, whoever sends, so that the
/// far end's replay window need not bear with more than what the network does.
final class SendOrder: Sendable {
  let lock = Lock(rank: .driver)
}
