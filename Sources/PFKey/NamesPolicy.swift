// Numbers of ipsec.h, NetBSD's: what a policy asks for. Used by the codec, the engine and setkey.

/// How an association wraps packets. (`IPSEC_MODE_*`)
package enum SAMode: UInt8, Sendable, CaseIterable {
  case any = 0
  case transport = 1
  case tunnel = 2

  package var name: String {
    switch self {
    case .any: "any"
    case .transport: "transport"
    case .tunnel: "tunnel"
    }
  }

  package init?(name: String) {
    guard let found = SAMode.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// How much a policy insists. (`IPSEC_LEVEL_*`)
package enum PolicyLevel: UInt8, Sendable, CaseIterable {
  case `default` = 0
  case use = 1
  case require = 2
  /// Only the association that has this request's reqid.
  case unique = 3

  package var name: String {
    switch self {
    case .default: "default"
    case .use: "use"
    case .require: "require"
    case .unique: "unique"
    }
  }

  package init?(name: String) {
    guard let found = PolicyLevel.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// Which packets a policy is for. (`IPSEC_DIR_*`)
package enum PolicyDirection: UInt8, Sendable, CaseIterable {
  case inbound = 1
  case outbound = 2

  package var name: String { self == .inbound ? "in" : "out" }

  package init?(name: String) {
    guard let found = PolicyDirection.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// What becomes of packets that a policy matches. (`IPSEC_POLICY_*`)
package enum PolicyType: UInt16, Sendable, CaseIterable {
  case discard = 0
  case none = 1
  case ipsec = 2
  /// Of sockets only; refused in the database.
  case entrust = 3
  /// Of sockets only; refused in the database.
  case bypass = 4

  package var name: String {
    switch self {
    case .discard: "discard"
    case .none: "none"
    case .ipsec: "ipsec"
    case .entrust: "entrust"
    case .bypass: "bypass"
    }
  }

  package init?(name: String) {
    guard let found = PolicyType.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// Request identifiers: they bind a policy of level unique to its associations.
package enum RequestID {
  /// Up to here numbers are given by hand; above, by the engine. (`IPSEC_MANUAL_REQID_MAX`)
  package static let greatestManual: UInt16 = 0x3fff

  /// How setkey prints one behind `unique`: `#N` made by the engine, `:N` given by hand, nothing for 0.
  package static func suffix(_ id: UInt16) -> String {
    id == 0 ? "" : id > greatestManual ? "#\(id)" : ":\(id)"
  }
}

/// The upper protocol of a selector.
package enum UpperProtocol {
  /// Every protocol. (`IPSEC_ULPROTO_ANY`)
  package static let any: UInt8 = 255
}
