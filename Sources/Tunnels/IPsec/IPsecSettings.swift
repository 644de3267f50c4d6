// What an ipsec interface is set to, as far as packets are concerned. Values; any thread.
import SwBPFPackets

/// UDP ports of NAT traversal; 0 is none. (iv_sport, iv_dport)
package struct NATPorts: Hashable, Sendable {
  package var own: UInt16
  package var peer: UInt16

  package init(own: UInt16 = 0, peer: UInt16 = 0) {
    self.own = own
    self.peer = peer
  }

  package var isNone: Bool { own == 0 && peer == 0 }
}

/// One value, replaced as a whole: no packet has one old and one new setting. (`struct ipsec_variant`)
package struct IPsecSettings: Equatable, Sendable {
  package var isUp = false
  /// nil until `tunnel` was given, and while it changes. (`ipsec_null_variant`)
  package var pair: TunnelPair?
  package var ports = NATPorts()
  /// Of the interface: bytes of inner packets.
  package var mtu = 1280
  /// link0: keepalives are sent, policies do not name associations.
  package var isNATTraversal = false
  /// link1
  package var ecn = ECNMode.cleared
  /// link2
  package var forwardsIPv6 = true
  package var ttl: UInt8 = 64
  /// net.inet6.ip6.ipsecifhlim
  package var hopLimit: UInt8 = 64
  /// Outer IPv6 packets are as long as the path takes, not 1280 bytes.
  package var usesPathMTU = false
  package var coalesces = true
  /// Datagrams of equal size leave together.
  package var sendsTrains = true
  /// Seconds without a packet after which a keepalive is sent; 0: never.
  package var keepalive = 0
  /// The socket of the own port; nil without NAT traversal.
  var socket: NATSocket?

  package init() {}

  package static func == (a: IPsecSettings, b: IPsecSettings) -> Bool {
    a.isUp == b.isUp && a.pair == b.pair && a.ports == b.ports && a.mtu == b.mtu
      && a.isNATTraversal == b.isNATTraversal && a.ecn == b.ecn && a.forwardsIPv6 == b.forwardsIPv6 && a.ttl == b.ttl
      && a.hopLimit == b.hopLimit && a.usesPathMTU == b.usesPathMTU && a.coalesces == b.coalesces
      && a.sendsTrains == b.sendsTrains && a.keepalive == b.keepalive && a.socket === b.socket
  }
}
