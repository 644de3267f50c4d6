// A daemon for tests, started and ready.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces

@testable import TestSupport

/// swbpf daemon in a host, at a socket of the test's own.
struct RunningDaemon: Sendable {
  let host: Host
  let socket: String
  let child: Child

  /// - Parameters:
  ///   - config: the configuration's text.
  ///   - place: of the socket; nil: that of the host's network namespace, where other users may go.
  init(
    in host: Host, _ scratch: Scratch, config: String? = nil, environment: [String: String] = [:],
    socket place: String?
  ) throws {
    self.host = host
    socket = try place ?? host.inside { try DaemonPlace.path(named: nil) }
    var words = [Tool.swbpf, "daemon"]
    if place != nil { words += ["--socket", socket] }
    if let config { words += ["--config", try scratch.file("swbpf.conf", holding: Array(config.utf8))] }
    child = try host.start(words, environment: environment)
    guard child.err.waitFor("message=ready", timeout: 20) != nil else {
      child.signal(SIGKILL)
      throw SupportError.command(child.command, try child.finish())
    }
  }

  /// At a socket in the test's folder.
  init(in host: Host, _ scratch: Scratch, config: String? = nil, environment: [String: String] = [:]) throws {
    try self.init(in: host, scratch, config: config, environment: environment, socket: scratch.file("d.sock"))
  }

  /// Runs swbpf in the daemon's host, asking this daemon.
  func swbpf(_ words: String..., input: String = "") throws -> Child.Output {
    let child = try host.start(
      [Tool.swbpf] + words, input: .pipe, environment: ["SWBPF_SOCKET": socket])
    child.write(input)
    child.closeInput()
    return try child.finish()
  }

  /// What `body` does as a client in the daemon's host.
  func asking<Result>(_ body: (DaemonClient) throws -> Result) throws -> Result {
    try host.inside { try body(try DaemonClient(socket: socket)) }
  }

  /// Ends it as a service manager does.
  func end() throws -> Child.Output {
    child.signal(SIGTERM)
    return try child.finish()
  }
}

extension Host {
  func hasLink(_ name: String) -> Bool { (try? ip("link show dev \(name)")) != nil }
}
