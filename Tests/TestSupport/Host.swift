// A host for tests: a network namespace of its own, with nothing to name and nothing to clean up.
import CPcapShim
import Glibc

/// A network namespace, alive as long as this object, a socket made in it or a process started in it lives. lo is up.
///
/// Sockets belong to the namespace of the thread that made them and can be used from any thread afterwards.
package final class Host: Sendable {
  package let name: String
  /// The namespace as a descriptor, close-on-exec.
  package let netns: CInt

  package init(_ name: String = "host") throws {
    self.name = name
    netns = try onNewThread {
      let error = swpcap_unshare_net()
      if error < 0 { throw SupportError.system(call: "unshare(CLONE_NEWNET)", errno: -error) }
      let descriptor = swpcap_open_net()
      if descriptor < 0 { throw SupportError.system(call: "open(/proc/thread-self/ns/net)", errno: -descriptor) }
      return descriptor
    }
    try ip("link set lo up")
  }

  deinit { close(netns) }

  /// Runs `body` on a fresh thread in this host and waits for it; children started there inherit the namespace.
  ///
  /// Write `#expect` outside: see ``onNewThread(_:)``.
  package func inside<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try onNewThread { () throws(E) -> R in
      let error = swpcap_setns_net(netns)
      precondition(error == 0, "setns: \(errorText(-error))")
      return try body()
    }
  }

  /// Starts a process here.
  package func start(
    _ command: [String], input: Child.Input = .null, output: Child.Sink = .pipe, errors: Child.Sink = .pipe,
    environment: [String: String] = [:]
  ) throws -> Child {
    try inside {
      try Child(command, input: input, output: output, errors: errors, environment: environment)
    }
  }

  /// Runs a command here to its end. A command that fails is no error; one that does not end is.
  @discardableResult
  package func run(_ command: [String], input: String = "", timeout: Double = 30) throws -> Child.Output {
    let child = try start(command, input: .pipe)
    child.write(input)
    child.closeInput()
    return try child.finish(timeout: timeout)
  }

  /// Runs `ip` with the words of a line; throws when it fails, else gives its output.
  @discardableResult
  package func ip(_ words: String) throws -> String {
    let command = ["ip"] + words.split(separator: " ").map(String.init)
    let output = try run(command)
    guard output.status == .exited(0) else { throw SupportError.command(command, output) }
    return output.out
  }

  /// Writes a file as a thread of this host: /proc/sys/net shows the writer's namespace.
  package func write(_ text: String, to path: String) throws {
    try inside {
      let file = try check("open(\(path))") { open(path, O_WRONLY | O_CLOEXEC) }
      defer { close(file) }
      try check("write(\(path))") { Glibc.write(file, text, text.utf8.count) }
    }
  }
}
