// What can be set of an engine while it runs.

/// Switches, by the names that sysctl(8) knows them by. All are off until somebody asks for them.
///
/// They are asked when an association comes; those that are there already stay.
package enum KeySetting: String, CaseIterable, Sendable {
  /// Associations without integrity are taken.
  case noAuth = "net.ipsec.noauth"
  /// ChaCha20-Poly1305 is taken, which NetBSD does not know.
  case chacha20Poly1305 = "net.ipsec.chacha"
  /// Sequence numbers of 64 bits are taken, which NetBSD does not know.
  case extendedSequence = "net.ipsec.esn"

  fileprivate var bit: UInt8 {
    switch self {
    case .noAuth: 1
    case .chacha20Poly1305: 2
    case .extendedSequence: 4
    }
  }
}

extension KeyEngine {
  /// - Threads: any; a change counts for messages that come after it.
  package subscript(setting: KeySetting) -> Bool {
    get { settings.load(ordering: .relaxed) & setting.bit != 0 }
    set {
      if newValue {
        settings.bitwiseOr(setting.bit, ordering: .relaxed)
      } else {
        settings.bitwiseAnd(~setting.bit, ordering: .relaxed)
      }
    }
  }

  /// Whether associations without integrity are taken.
  package var permitsNoAuth: Bool {
    get { self[.noAuth] }
    set { self[.noAuth] = newValue }
  }
}
