// What goes wrong, with BSD's errno. (Linux's numbers: they never leave this machine.)
import Glibc

/// An answer of the engine that is no success: sadb_msg_errno, or the errno of write(2).
package enum PFKeyError: Error, Hashable, Sendable {
  case invalid
  case exists
  case notFound
  case notSupported
  case protocolNotSupported
  case noBuffers

  package var errno: CInt {
    switch self {
    case .invalid: EINVAL
    case .exists: EEXIST
    case .notFound: ENOENT
    case .notSupported: EOPNOTSUPP
    case .protocolNotSupported: EPROTONOSUPPORT
    case .noBuffers: ENOBUFS
    }
  }
}
