// What a test needs of the machine. A test that lacks it is reported as skipped, by name, and in CI that is an error.
import CPcapShim
import Glibc
import Testing

package enum Requirement {
  /// Whether a network namespace with a veth pair in it can be made here.
  package static let netns: Bool = {
    guard let host = try? Host("probe") else { return false }
    return (try? host.ip("link add va type veth peer name vb")) != nil
  }()

  /// Whether a program is installed.
  package static func tool(_ name: String) -> Bool { Tool.path(name) != nil }

  /// Race and stress tests do fewer rounds.
  package static let short = Tool.environment("SWBPF_SHORT") == "1"

  /// "thread" or "address" when that sanitizer is on: everything is several times slower then.
  package static let sanitizer = Tool.environment("SWBPF_SANITIZER")
}

extension Trait where Self == ConditionTrait {
  /// The test makes hosts of its own: run it with `make test`.
  package static var needsNamespaces: Self {
    .enabled(
      if: Requirement.netns, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN for network namespaces; run it with `make test`")
  }

  /// The test asks another program for its judgement.
  package static func needsTool(_ name: String) -> Self {
    .enabled(if: Requirement.tool(name), "needs \(name), which is not installed")
  }

  /// The test runs ``Tool/scapyPython``.
  package static var needsScapy: Self {
    .enabled(if: Tool.scapyPython != nil, "needs scapy, which is not installed")
  }
}

extension Requirement {
  /// Whether processes of other users can be started: root, and not of a user namespace that knows nobody else.
  package static let otherUsers: Bool = {
    guard geteuid() == 0, Tool.path("setpriv") != nil else { return false }
    return (try? Child(["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "true"]).finish().status)
      == .exited(0)
  }()
}

extension Trait where Self == ConditionTrait {
  /// The test starts processes of other users.
  package static var needsOtherUsers: Self {
    .enabled(if: Requirement.otherUsers, "needs root, to start processes of other users")
  }
}
