// Another user of the machine, who may capture.
import Glibc

@testable import TestSupport

/// A user by number alone, with a folder of his own under /run/user, as a login gives it. For tests that run as root.
struct OtherUser: Sendable {
  let uid: uid_t
  let runtime: String
  private let binary: String

  init(_ uid: uid_t, in scratch: Scratch) throws {
    self.uid = uid
    runtime = "/run/user/\(uid)"
    binary = scratch.file("swbpf")
    // The command may lie where only its builder can go.
    let script = """
      mkdir -p \(runtime) && chown \(uid):\(uid) \(runtime) && chmod 700 \(runtime) && rm -rf \(runtime)/swbpf
      chmod 711 \(scratch.path) && { test -e \(binary) || cp \(Tool.swbpf) \(binary); } && chmod 755 \(binary)
      """
    let output = try Child(["sh", "-c", script]).finish()
    guard output.status == .exited(0) else { throw SupportError.command([script], output) }
  }

  /// The words that become this user, with the right to capture, or without any.
  func prefix(runtime: String? = nil, isPlain: Bool = false) -> [String] {
    [
      "env", "-u", "HOME", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR=\(runtime ?? self.runtime)",
      "setpriv", "--reuid=\(uid)", "--regid=\(uid)",
      "--clear-groups", "--inh-caps=\(isPlain ? "-all" : "+net_raw")",
    ] + (isPlain ? [] : ["--ambient-caps=+net_raw"])
  }

  func capture(
    in host: Host, _ arguments: [String], runtime: String? = nil, isPlain: Bool = false,
    saying word: String = "listening on"
  ) throws -> Child {
    let child = try host.start(prefix(runtime: runtime, isPlain: isPlain) + [binary] + arguments)
    guard child.err.waitFor(word) != nil else {
      child.signal(SIGKILL)
      throw SupportError.command(child.command, try child.finish())
    }
    return child
  }

  func swbpf(in host: Host, _ arguments: [String], isPlain: Bool = false) throws -> Child.Output {
    try host.run(prefix(isPlain: isPlain) + [binary] + arguments)
  }

  /// Runs a command as this user.
  func run(in host: Host, _ command: [String]) throws -> Child.Output { try host.run(prefix() + command) }
}
