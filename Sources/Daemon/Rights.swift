// Who may do what. Values; any thread.
import Glibc

/// Who asks, by the kernel's word, as he was when he connected.
package struct Caller: Hashable, Sendable {
  package var user: UInt32
  /// All of them.
  package var groups: Set<UInt32>
  package var pid: Int32

  package init(user: UInt32, groups: Set<UInt32>, pid: Int32) {
    self.user = user
    self.groups = groups
    self.pid = pid
  }
}

/// What a request takes.
package enum Right: Hashable, Sendable {
  /// Seeing state, and one's own peers. Every user that has a name of his own.
  case own
  case capture(interface: String)
  case inject(interface: String)
  /// Tunnels, settings, PF_KEY, others' peers. Root.
  case admin
}

/// A line of the configuration: `allow user NAME capture IF`.
package struct RightRule: Hashable, Sendable {
  package enum Subject: Hashable, Sendable {
    case user(UInt32)
    case group(UInt32)
  }

  package enum Kind: Hashable, Sendable {
    case capture
    /// Never a group's.
    case inject
  }

  package var subject: Subject
  package var kind: Kind
  /// nil: every interface.
  package var interface: String?

  package init(_ subject: Subject, _ kind: Kind, interface: String?) {
    self.subject = subject
    self.kind = kind
    self.interface = interface
  }
}

package struct Rights: Equatable, Sendable {
  package var rules: [RightRule]
  /// Who stands for users of other user namespaces: nobody knows who that is, so he has no rights.
  package let overflowUser: UInt32

  package init(rules: [RightRule] = [], overflowUser: UInt32 = Rights.systemOverflowUser) {
    self.rules = rules
    self.overflowUser = overflowUser
  }

  package func allows(_ caller: Caller, _ right: Right) -> Bool {
    if caller.user == overflowUser { return false }
    if caller.user == 0 { return true }
    return switch right {
    case .own: true
    case .admin: false
    case .capture(let interface): rules.contains { $0.kind == .capture && $0.covers(caller, interface) }
    case .inject(let interface): rules.contains { $0.kind == .inject && $0.covers(caller, interface) }
    }
  }

  /// /proc/sys/kernel/overflowuid.
  package static var systemOverflowUser: UInt32 {
    let text = (try? SmallFile.read("/proc/sys/kernel/overflowuid", limit: 64)).map {
      String(decoding: $0, as: UTF8.self)
    }
    return text.flatMap { UInt32($0.prefix { $0.isNumber }) } ?? 65534
  }
}

extension RightRule {
  fileprivate func covers(_ caller: Caller, _ interface: String) -> Bool {
    if let own = self.interface, own != interface { return false }
    return switch subject {
    case .user(let user): user == caller.user
    case .group(let group): kind == .capture && caller.groups.contains(group)
    }
  }
}
