// What is asked of all ipsec interfaces together, or of one by sysctl(8).
import Glibc
import SwBPFBPF
import SwBPFESP
import SwBPFInterfaces

extension TunnelEngine {
  /// The pmtu of each ipsec interface: -1 is what net.inet6.ip6.ipsecifpmtu says.
  package var pathMTUs: [(name: String, value: Int)] {
    lock.withLock {
      tunnels.values.compactMap { $0 as? IPsec }.sorted { $0.number < $1.number }.map { ($0.name, $0.pathMTU) }
    }
  }

  /// net.interfaces.ipsecN.pmtu
  /// - Throws: ENOENT without such an interface, EINVAL for a value outside -1...1.
  package func setPathMTU(_ value: Int, of name: String) throws(InterfaceFailure) {
    try lock.withLock { () throws(InterfaceFailure) in
      guard let ipsec = tunnels[name] as? IPsec else {
        throw InterfaceFailure(errno: ENOENT, request: "sysctl", text: "no ipsec interface \(name)")
      }
      do throws(BPF.Failure) {
        try ipsec.setPathMTU(value)
      } catch {
        throw InterfaceFailure(error, "sysctl", error.text)
      }
      changed(ipsec)
    }
  }

  /// net.ipsec.ike: who gets what comes to ports of NAT traversal for those who negotiate keys; nil: nobody.
  package var ikeTaker: IKETaker? { ipsecShared?.taker.value }

  /// When this returns, what comes goes to the new one, and nothing of the old one's leaves any more.
  package func setIKETaker(_ taker: IKETaker?) {
    lock.withLock {
      guard let shared = ipsecShared, shared.taker.value != taker else { return }
      shared.taker.publish(taker)
      settle()
    }
  }

  /// What passed ESP and what did not, of all ipsec interfaces.
  package var espCounts: ESPCounts { ipsecShared?.counters.now ?? ESPCounts() }

  /// What came to ports of NAT traversal and is no ESP.
  package var natCounts: NATCounts { ipsecShared?.natCounters.now ?? NATCounts() }

  /// All of these, by name.
  package var ipsecCounts: [IPsecCount] { IPsecCount.all(espCounts, natCounts, stray: strayPackets) }
}
