// Brings what the configuration says about, and goes from one configuration to the next: all of it, or nothing.
import Glibc
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// A step of a configuration that was refused.
struct ConfigurationFailure: Error, Equatable {
  /// `gif0: SIOCSLIFPHYADDR: File exists`
  let text: String
}

/// Main thread only.
final class ConfiguredState {
  private let interfaces: any InterfaceService
  private let keys: KeyEngine
  private(set) var current = DaemonConfiguration()
  /// What has been done of a change, the way back for each.
  private var undo: [() -> Void] = []

  init(_ interfaces: any InterfaceService, _ keys: KeyEngine) {
    self.interfaces = interfaces
    self.keys = keys
  }

  /// Settings that changed are set, and those that are gone get their initial values; interfaces whose lines changed, or are
  /// gone, are destroyed, and the former made again; so are associations and policies.
  /// - Throws: when a step is refused: what was done before it has been undone.
  /// - Returns: the names of the interfaces that were made or destroyed.
  @discardableResult
  func change(to new: DaemonConfiguration) throws(ConfigurationFailure) -> [String] {
    undo = []
    defer { undo = [] }
    do throws(ConfigurationFailure) {
      try changeSettings(to: new)
      let old = current.interfaces.filter { !new.interfaces.contains($0) }
      let made = new.interfaces.filter { !current.interfaces.contains($0) }
      for interface in old.reversed() { try destroy(interface) }
      try changeKeys(to: new.keys)
      for interface in made { try make(interface) }
      current = new
      return Set(old.map(\.name) + made.map(\.name)).sorted()
    } catch {
      for step in undo.reversed() { step() }
      throw error
    }
  }

  // MARK: Settings

  private func changeSettings(to new: DaemonConfiguration) throws(ConfigurationFailure) {
    let now = Dictionary(interfaces.settings.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for line in current.settings where !new.settings.contains(where: { $0.name == line.name }) {
      if let setting = now[line.name] { try set(setting, to: setting.initial) }
    }
    for line in new.settings where !current.settings.contains(line) {
      guard let setting = now[line.name] else { throw ConfigurationFailure(text: "\(line.name): no such setting") }
      try set(setting, to: line.value)
    }
  }

  private func set(_ setting: Setting, to value: Setting.Value) throws(ConfigurationFailure) {
    let interfaces = self.interfaces
    try attempt(setting.name) { () throws(InterfaceFailure) in try interfaces.set(setting.name, to: value) }
    undo.append { try? interfaces.set(setting.name, to: setting.value) }
  }

  // MARK: Interfaces

  private func destroy(_ interface: DaemonConfiguration.Interface) throws(ConfigurationFailure) {
    // ifconfig may have destroyed it by hand.
    guard interfaces.names.contains(interface.name) else { return }
    try attempt(interface.name) { () throws(InterfaceFailure) in try interfaces.destroy(interface.name) }
    undo.append { [self] in try? make(interface) }
  }

  private func make(_ interface: DaemonConfiguration.Interface) throws(ConfigurationFailure) {
    let (name, interfaces) = (interface.name, self.interfaces)
    for line in interface.lines {
      for step in line.steps {
        try attempt(name) { () throws(InterfaceFailure) in
          switch step {
          case .create: try interfaces.create(name)
          case .destroy: try interfaces.destroy(name)
          case .change(let operation): try interfaces.perform(operation, on: name)
          }
        }
        if step == .create { undo.append { try? interfaces.destroy(name) } }
      }
    }
    for line in interface.settings {
      try attempt(line.name) { () throws(InterfaceFailure) in try interfaces.set(line.name, to: line.value) }
    }
  }

  private func attempt(
    _ name: String, _ body: () throws(InterfaceFailure) -> Void
  ) throws(ConfigurationFailure) {
    do throws(InterfaceFailure) { try body() } catch {
      let request = error.request.isEmpty || error.request == name ? "" : error.request + ": "
      let reason = error.text.isEmpty ? SystemWords.of(error.errno) : error.text
      throw ConfigurationFailure(text: "\(name): \(request)\(reason)")
    }
  }

  // MARK: Associations and policies

  private func changeKeys(to new: [SetkeyStatement]) throws(ConfigurationFailure) {
    let (old, wanted) = (current.keys.map(\.action), new.map(\.action))
    if old == wanted { return }
    let socket = keys.open()
    defer { keys.close(socket) }
    keys.tick(now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
    for statement in current.keys where !wanted.contains(statement.action) {
      guard let way = statement.removal, perform(way, socket) == 0 else { continue }
      undo.append { [self] in
        let socket = keys.open()
        defer { keys.close(socket) }
        _ = perform(statement, socket)
      }
    }
    for statement in new where !old.contains(statement.action) {
      let error = perform(statement, socket)
      guard error == 0 else {
        throw ConfigurationFailure(text: "setkey, line \(statement.position.line): \(SystemWords.of(error))")
      }
      if let way = statement.removal {
        undo.append { [self] in
          let socket = keys.open()
          defer { keys.close(socket) }
          _ = perform(way, socket)
        }
      }
    }
  }

  /// - Returns: 0 or an errno.
  private func perform(_ statement: SetkeyStatement, _ socket: KeySocket) -> CInt {
    guard var message = statement.message(pid: UInt32(getpid())) else { return EINVAL }
    defer { for index in message.indices { message[index] = 0 } }
    do throws(PFKeyError) { try keys.send(message, from: socket) } catch { return error.errno }
    var result: CInt = EINVAL
    while let answer = socket.receive() {
      if let header = try? MessageHeader(answer) { result = CInt(header.errno) }
    }
    return result
  }
}

extension SetkeyStatement {
  /// What takes back what this one has made.
  fileprivate var removal: SetkeyStatement? {
    switch action {
    case .add(let sa):
      let proto: SetkeyProtocol =
        switch sa.proto {
        case .esp: .esp
        case .ah: .ah
        case .ipcomp: .ipcomp
        }
      let name = AssociationName(proto, spi: sa.spi, from: Endpoint(sa.source), to: Endpoint(sa.destination))
      return SetkeyStatement(.delete(name), at: position)
    case .policyAdd(let policy), .policyUpdate(let policy):
      return SetkeyStatement(.policyDelete(policy.selector), at: position)
    default: return nil
    }
  }
}
