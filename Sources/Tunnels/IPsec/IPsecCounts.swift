// What IPsec counts, by the names that sysctl(8) lists. Values; any thread.
import SwBPFESP

/// One counter.
package struct IPsecCount: Equatable, Sendable {
  package let name: String
  /// For people.
  package let about: String
  package let value: UInt64

  /// `net.inet.esp.stats` has the words of NetBSD's espstat for what it counts, too; `net.inet.ipsec.natt` is about what comes to
  /// ports of NAT traversal and is no ESP. By name.
  static func all(_ esp: ESPCounts, _ nat: NATCounts, stray: UInt64) -> [IPsecCount] {
    var all = [
      IPsecCount(name: "input", about: "packets that came out of ESP", value: esp.receivedPackets),
      IPsecCount(name: "ibytes", about: "bytes that were in them", value: esp.receivedBytes),
      IPsecCount(name: "output", about: "packets that went into ESP", value: esp.sentPackets),
      IPsecCount(name: "obytes", about: "bytes that are in them", value: esp.sentBytes),
    ]
    all += ESPDrop.allCases.map { IPsecCount(name: $0.name, about: "dropped: \($0.text)", value: esp[$0]) }
    all = all.map { IPsecCount(name: "net.inet.esp.stats.\($0.name)", about: $0.about, value: $0.value) }
    all += nat.named.map { name, about, value in
      IPsecCount(name: "net.inet.ipsec.natt.\(name)", about: about, value: value)
    }
    let about = "packets for no tunnel, or for one that did not take them"
    all.append(IPsecCount(name: "net.inet.ipsec.stray", about: about, value: stray))
    return all.sorted { $0.name < $1.name }
  }
}
