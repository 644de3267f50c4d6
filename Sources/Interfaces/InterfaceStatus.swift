// What an interface is now: made by tunnels, carried by the daemon, printed by ifconfig. Values; any thread.
import SwBPFPackets

package struct InterfaceStatus: Hashable, Sendable {
  package enum LinkState: UInt8, Hashable, Sendable, CaseIterable {
    case unknown, down, up
  }

  /// Addresses that an interface may have; so a status fits into a message.
  package static let mostAddresses = 256
  /// Bytes of a name, of an error's text. Longer ones are cut when they are written.
  package static let longestName = 15
  package static let longestText = 1024

  package var name: String
  package var flags: InterfaceFlags
  /// Bytes.
  package var mtu: UInt32
  package var metric: UInt32 = 0
  package var linkState = LinkState.unknown
  /// nil: not configured.
  package var tunnel: TunnelEnds?
  package var addresses: [InterfaceAddress] = []
  package var counters = InterfaceCounters()
  /// l2tp only.
  package var session: L2TPSession?
  /// l2tp only; nil: cookies are off.
  package var cookies: L2TPCookies?
  /// The last error of the data path, for people.
  package var lastError: String?

  package init(name: String, flags: InterfaceFlags, mtu: UInt32) {
    self.name = name
    self.flags = flags
    self.mtu = mtu
  }
}

/// What an interface has counted since it was made; bytes are those of inner packets. (`if_data`)
package struct InterfaceCounters: Hashable, Sendable {
  package var inputPackets: UInt64 = 0
  package var inputBytes: UInt64 = 0
  package var inputErrors: UInt64 = 0
  package var inputDrops: UInt64 = 0
  package var inputMulticasts: UInt64 = 0
  package var outputPackets: UInt64 = 0
  package var outputBytes: UInt64 = 0
  package var outputErrors: UInt64 = 0
  package var outputDrops: UInt64 = 0
  package var outputMulticasts: UInt64 = 0

  package init() {}
}
