// The daemon that ifconfig and sysctl talk to.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces

/// One connection to a daemon. The first failure that is no refusal ends its use.
struct DaemonConnection: InterfaceControl, SettingControl {
  private let client: DaemonClient

  /// - Parameter socket: the path of its socket; nil: the daemon of this network namespace.
  init(socket: String?) throws {
    client = try Self.asking { () throws(DaemonFailure) in try DaemonClient(socket: socket) }
  }

  func names() throws -> [String] {
    try Self.asking { () throws(DaemonFailure) in try client.interfaceNames() }
  }

  func status(of name: String) throws -> InterfaceStatus {
    try Self.asking { () throws(DaemonFailure) in try client.interfaceStatus(name) }
  }

  func create(_ name: String) throws {
    try Self.asking { () throws(DaemonFailure) in try client.createInterface(name) }
  }

  func destroy(_ name: String) throws {
    try Self.asking { () throws(DaemonFailure) in try client.destroyInterface(name) }
  }

  func perform(_ operation: InterfaceOperation, on name: String) throws {
    try Self.asking { () throws(DaemonFailure) in try client.perform(operation, on: name) }
  }

  func settings(_ name: String) throws -> [Setting] {
    if !name.isEmpty {
      do {
        return [try Self.asking { () throws(DaemonFailure) in try client.setting(name) }]
      } catch let failure as InterfaceFailure where failure.errno == ENOENT {
        // A node, if anything.
      }
    }
    let all = try Self.asking { () throws(DaemonFailure) in try client.settings() }
    return all.filter { name.isEmpty || $0.name.hasPrefix(name + ".") }.sorted { $0.name < $1.name }
  }

  func set(_ name: String, to value: Setting.Value) throws {
    try Self.asking { () throws(DaemonFailure) in try client.set(name, to: value) }
  }

  /// - Throws: ``InterfaceFailure`` for the daemon's refusals, ``CommandError`` for all else.
  private static func asking<Answer>(_ ask: () throws(DaemonFailure) -> Answer) throws -> Answer {
    do throws(DaemonFailure) {
      return try ask()
    } catch {
      throw error.refusal ?? CommandError(Printable.text(error.text))
    }
  }
}
