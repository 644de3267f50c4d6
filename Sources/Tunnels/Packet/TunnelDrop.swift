// Why a tunnel did not carry a packet.
import Glibc

/// What became of a packet that did not get through. Counted, never thrown.
package enum TunnelDrop: Error, Sendable, CaseIterable {
  /// The interface is not up.
  case down
  /// The tunnel has no outer addresses.
  case unconfigured
  /// The packet is neither IPv4 nor IPv6.
  case family
  /// The packet is shorter than its header, or than its header says.
  case truncated
  /// There is no room for another header.
  case noRoom
  /// The packet is longer than the outer header can say.
  case tooLong
  /// The far end is 0.0.0.0 or ::, or there is no way to it, or the way leads into this very tunnel.
  case unreachable
  /// Too many tunnels in one another.
  case nested
  /// The outer source is no address that a packet can come from.
  case martian
  /// The way back to the outer source leaves by another interface.
  case ingress
  /// Its ends do not understand that it was marked congested.
  case congested
  /// The tunnel has no session.
  case noSession
  /// The cookie is not the one that was agreed on.
  case cookie
  /// The packet comes from somewhere else than the far end.
  case source

  /// What an output routine returns.
  package var errno: CInt {
    switch self {
    case .down, .unconfigured, .noSession: ENETDOWN
    case .family: EAFNOSUPPORT
    case .truncated, .noRoom: ENOBUFS
    case .tooLong: EMSGSIZE
    case .unreachable: ENETUNREACH
    case .nested: EIO
    case .martian, .ingress, .congested, .cookie, .source: EINVAL
    }
  }
}
