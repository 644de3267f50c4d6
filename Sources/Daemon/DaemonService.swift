// What the daemon does when it is asked. Main thread only.
import Glibc
import Logging
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFPFKey

/// Serves bpf descriptors to other processes.
package protocol RemoteService: AnyObject {
  /// - Parameter allows: asks whether the caller has a right.
  /// - Returns: the answer. Descriptors are given away.
  func perform(
    _ kind: MessageKind, _ body: [UInt8], client: UInt64, caller: Caller, allows: (Right) -> Bool
  ) throws(InterfaceFailure) -> (body: [UInt8], descriptors: [CInt])
  /// A client has gone: so have its descriptors.
  func ended(_ client: UInt64)
  /// One line for each peer. - Parameter user: his peers only; nil: all.
  func peerLines(of user: UInt32?) -> [String]
  /// Everything is freed. Nothing is asked afterwards.
  func shutdown()
}

final class DaemonService {
  let interfaces: any InterfaceService
  let keys: KeyEngine
  let remote: (any RemoteService)?
  var rights: Rights
  /// Whether there may be associations or policies that end with time.
  var needsTime = false
  private let server: DaemonServer
  private let log: Logger
  private let sessions: KeySessions

  init(
    _ server: DaemonServer, _ interfaces: any InterfaceService, _ keys: KeyEngine, _ remote: (any RemoteService)?,
    rights: Rights, log: Logger
  ) {
    self.server = server
    self.interfaces = interfaces
    self.keys = keys
    self.remote = remote
    self.rights = rights
    self.log = log
    sessions = KeySessions(keys, server)
  }

  /// Does all that waits.
  func serve() {
    let taken = server.take()
    for client in taken.gone {
      sessions.close(client)
      remote?.ended(client)
    }
    for ask in taken.asks {
      do throws(InterfaceFailure) {
        let (body, descriptors) = try perform(ask)
        server.answer(ask, body: body, descriptors: descriptors)
      } catch {
        server.answer(ask, error: error.errno, body: error.body)
      }
    }
    sessions.deliver()
  }

  private func perform(_ ask: Ask) throws(InterfaceFailure) -> (body: [UInt8], descriptors: [CInt]) {
    guard rights.allows(ask.caller, ask.row.right.first) else {
      tell(ask, "refused", errno: EPERM)
      throw InterfaceFailure(errno: EPERM, request: Self.requestName(ask.request))
    }
    if case .remote(let kind, let body) = ask.request {
      guard let remote else { throw InterfaceFailure(errno: EOPNOTSUPP, request: "") }
      return try remote.perform(kind, body, client: ask.client, caller: ask.caller) { rights.allows(ask.caller, $0) }
    }
    do throws(InterfaceFailure) {
      let body = try change(ask)
      if ask.row.right == .admin { tell(ask, "done", errno: 0) }
      return (body, [])
    } catch {
      if ask.row.right == .admin { tell(ask, "failed", errno: error.errno) }
      throw error
    }
  }

  private func change(_ ask: Ask) throws(InterfaceFailure) -> [UInt8] {
    switch ask.request {
    case .create(let name): try interfaces.create(name)
    case .destroy(let name): try interfaces.destroy(name)
    case .perform(let operation, let name): try interfaces.perform(operation, on: name)
    case .status(let name):
      var status = try interfaces.status(of: name)
      // They are there to keep strangers out.
      if !rights.allows(ask.caller, .admin) { status.cookies = nil }
      var writer = FieldWriter()
      writer.put(MessageTag.status, status.bytes)
      return writer.bytes
    case .names(let start):
      return ListPage.make(interfaces.names, from: start) { $0.put(MessageTag.name, $1, limit: MessageLimit.name) }
    case .setting(let name):
      guard let setting = interfaces.settings.first(where: { $0.name == name }) else {
        throw InterfaceFailure(errno: ENOENT, request: "sysctl", text: "no such setting")
      }
      var writer = FieldWriter()
      writer.put(MessageTag.value, setting.bytes)
      return writer.bytes
    case .settings(let start):
      return ListPage.make(interfaces.settings, from: start) { $0.put(MessageTag.value, $1.bytes) }
    case .set(let name, let value): try interfaces.set(name, to: value)
    case .openKeys: try sessions.open(ask.client, most: server.limits.keySockets)
    case .key(let message):
      needsTime = true
      try sessions.send(message, of: ask.client)
    case .closeKeys: sessions.close(ask.client)
    case .peers(let start):
      let isAdmin = rights.allows(ask.caller, .admin)
      let lines = remote?.peerLines(of: isAdmin ? nil : ask.caller.user) ?? []
      return ListPage.make(lines, from: start) { $0.put(MessageTag.line, $1, limit: MessageLimit.line) }
    case .remote: break
    }
    return []
  }

  func shutdown() {
    sessions.closeAll()
    remote?.shutdown()
    interfaces.shutdown()
  }

  // MARK: Words

  private static func requestName(_ request: DaemonRequest) -> String {
    switch request {
    case .create: "SIOCIFCREATE"
    case .destroy: "SIOCIFDESTROY"
    case .perform(let operation, _): operation.request
    case .set: "sysctl"
    case .openKeys, .key, .closeKeys: "PF_KEY"
    default: ""
    }
  }

  private func tell(_ ask: Ask, _ outcome: String, errno: CInt) {
    var metadata: Logger.Metadata = ["uid": "\(ask.caller.user)", "pid": "\(ask.caller.pid)"]
    switch ask.request {
    case .create(let name), .destroy(let name), .perform(_, let name), .status(let name):
      metadata["interface"] = "\(name)"
    case .set(let name, _): metadata["setting"] = "\(name)"
    default: break
    }
    if errno != 0 { metadata["errno"] = "\(SystemText.of(errno))" }
    log.info("\(ask.kind) \(outcome)", metadata: metadata)
  }
}

/// A part of a list: as many entries as fit into a message.
enum ListPage {
  static func make<Entry>(
    _ entries: [Entry], from start: Int, _ put: (inout FieldWriter, Entry) -> Void
  ) -> [UInt8] {
    // No entry is longer than a page leaves room for.
    let room = 32 << 10
    var writer = FieldWriter()
    var index = start
    while index < entries.count && writer.bytes.count < room {
      put(&writer, entries[index])
      index += 1
    }
    if index < entries.count { writer.put(MessageTag.next, UInt32(index)) }
    return writer.bytes
  }
}
