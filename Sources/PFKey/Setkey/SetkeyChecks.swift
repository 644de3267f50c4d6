// What can be said of keys without an engine: which are too weak, which are used twice.
import SwBPFPackets

struct SetkeyChecks {
  /// Words of setkey(8) that have no number here; those that have one are not `isOffered`.
  static let unofferedEncryption = ["des-deriv", "des-32iv", "simple", "twofish-cbc", "idea-cbc", "rc5-cbc"]
  static let unofferedAuthentication = ["keyed-md5", "keyed-sha1", "tcp-md5", "hmac-sha2-224"]

  private let rules: SetkeyRules
  /// Where each key of a counter mode is in use. The engine compares the keys alone, not what uses them.
  private var users: [[UInt8]: SetkeyPosition] = [:]
  private var keys: [Pair: [UInt32: [UInt8]]] = [:]
  private var hasWarned = false
  /// Of the statement that is read now.
  var remarks: [SetkeyRemark] = []

  /// The addresses of an ESP association; its SPI finds it among theirs.
  private struct Pair: Hashable {
    let source: IPAddress
    let destination: IPAddress
  }

  init(_ rules: SetkeyRules) { self.rules = rules }

  /// - Throws: for an association that the engine would not take after the statements before it.
  mutating func keys(of statement: SetkeyStatement) throws(SetkeyRemark) {
    switch statement.action {
    case .add(let sa): try add(sa, statement.position)
    case .delete(let name) where name.proto.security == .esp:
      let pair = Pair(source: name.source.address, destination: name.destination.address)
      if let key = keys[pair]?.removeValue(forKey: name.spi) { users[key] = nil }
    case .deleteAll(let proto, from: let source, to: let destination) where proto.security == .esp:
      let gone = keys.removeValue(forKey: Pair(source: source, destination: destination)) ?? [:]
      for key in gone.values { users[key] = nil }
    case .flush(let proto) where proto == nil || proto!.security == .esp:
      users = [:]
      keys = [:]
    default: break
    }
  }

  private mutating func add(_ sa: SecurityAssociation, _ position: SetkeyPosition) throws(SetkeyRemark) {
    if sa.proto == .ah, !sa.authentication.isAuthenticated, !rules.allowsNoIntegrity {
      throw SetkeyRemark(
        "-A null protects nothing: Invalid argument (try -A hmac-sha256, or net.ipsec.noauth=1)", at: position)
    }
    guard sa.proto == .esp else { return }
    if !sa.encryption.isAuthenticated, !sa.authentication.isAuthenticated, !rules.allowsNoIntegrity {
      let name = sa.encryption.names[0]
      throw SetkeyRemark(
        "\(name) without -A protects no integrity: Invalid argument (try -A hmac-sha256, or net.ipsec.noauth=1)",
        at: position)
    }
    guard sa.encryption.isCounterMode else { return }
    let key = sa.encryptionKey
    if let user = users[key] {
      throw SetkeyRemark(
        "the key is in use since line \(user.line): File exists (a key of \(sa.encryption.names[0]) is for one association)",
        at: position)
    }
    users[key] = position
    keys[Pair(source: sa.source, destination: sa.destination), default: [:]][sa.spi] = key
    if !hasWarned {
      hasWarned = true
      remarks.append(
        SetkeyRemark(
          "a manual key of \(sa.encryption.names[0]) must never have served before", at: position, severity: .warning))
    }
  }
}
