// What can be asked of an interface: made by ifconfig and by the configuration file, carried to the daemon, done by tunnels.
// Values; any thread.
import SwBPFPackets

/// One change of one interface. Whether its values are allowed is the interface's word.
package enum InterfaceOperation: Hashable, Sendable {
  case up
  case down
  /// Bytes.
  case mtu(UInt32)
  /// link0, link1, link2; others are no operation and are not decoded.
  case link(UInt8, Bool)
  case unnumbered(Bool)
  /// The outer addresses; a port that is 0 is none.
  case tunnel(TunnelEnds)
  case deleteTunnel
  /// An inner address; where `replaces`, the first one of its family goes.
  case addAddress(InterfaceAddress, replaces: Bool)
  case deleteAddress(IPAddress)
  /// l2tp: the ids of both ends.
  case session(L2TPSession)
  case deleteSession
  /// l2tp: the cookies of both ends.
  case cookie(L2TPCookies)
  case deleteCookie

  /// The request of BSD that it is; errors are told with this name.
  package var request: String {
    switch self {
    case .up, .down, .link, .unnumbered: "SIOCSIFFLAGS"
    case .mtu: "SIOCSIFMTU"
    case .tunnel: "SIOCSLIFPHYADDR"
    case .deleteTunnel: "SIOCDIFPHYADDR"
    case .addAddress(let address, _): address.address.isIPv6 ? "SIOCAIFADDR_IN6" : "SIOCAIFADDR"
    case .deleteAddress(let address): address.isIPv6 ? "SIOCDIFADDR_IN6" : "SIOCDIFADDR"
    case .session: "SIOCSL2TPSESSION"
    case .deleteSession: "SIOCDL2TPSESSION"
    case .cookie: "SIOCSL2TPCOOKIE"
    case .deleteCookie: "SIOCDL2TPCOOKIE"
    }
  }
}

/// The session ids of an l2tp interface. (`l2tp_req`)
package struct L2TPSession: Hashable, Sendable {
  package var local: UInt32
  package var remote: UInt32

  package init(local: UInt32, remote: UInt32) {
    self.local = local
    self.remote = remote
  }
}

/// The cookies of an l2tp interface. (`l2tp_req`)
package struct L2TPCookies: Hashable, Sendable {
  /// Bytes.
  package var localLength: UInt16
  package var local: UInt64
  /// Bytes.
  package var remoteLength: UInt16
  package var remote: UInt64

  package init(localLength: UInt16, local: UInt64, remoteLength: UInt16, remote: UInt64) {
    self.localLength = localLength
    self.local = local
    self.remoteLength = remoteLength
    self.remote = remote
  }
}

/// A refusal: what failed, with which number, and a word of explanation for people.
package struct InterfaceFailure: Error, Hashable, Sendable {
  /// errno, with this system's numbers; never 0.
  package let errno: CInt
  /// SIOCIFCREATE, or ``InterfaceOperation/request``; may be empty.
  package let request: String
  /// What strerror(3) does not say; may be empty.
  package let text: String

  package init(errno: CInt, request: String, text: String = "") {
    self.errno = errno
    self.request = request
    self.text = text
  }
}
