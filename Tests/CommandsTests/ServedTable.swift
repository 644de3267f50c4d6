// A daemon inside the test, whose interfaces and settings are rows of a table: what ifconfig and sysctl say and print over the
// socket.
import CPcapShim
import Glibc
import Logging
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFPFKey

@testable import SwBPFDaemon
@testable import TestSupport

/// Interfaces without packets. One thread at a time.
final class InterfaceTable: InterfaceService, @unchecked Sendable {
  var rows: [InterfaceStatus] = []
  var settings = [
    Setting("net.inet.ip.gifttl", "TTL of gif", allowed: .numbers(1...255), initial: .number(30)),
    Setting("net.l2tp.anysource", "who is heard", allowed: .numbers(0...1), initial: .number(0)),
  ]

  var names: [String] { rows.map(\.name) }

  private func row(_ name: String, _ request: String) throws(InterfaceFailure) -> Int {
    guard let row = rows.firstIndex(where: { $0.name == name }) else {
      throw InterfaceFailure(errno: ENXIO, request: request)
    }
    return row
  }

  func create(_ name: String) throws(InterfaceFailure) {
    if names.contains(name) { throw InterfaceFailure(errno: EEXIST, request: "SIOCIFCREATE") }
    guard InterfaceKind(name: name) == .gif else { throw InterfaceFailure(errno: EINVAL, request: "SIOCIFCREATE") }
    rows.append(InterfaceStatus(name: name, flags: [.pointToPoint, .multicast], mtu: 1280))
  }

  func destroy(_ name: String) throws(InterfaceFailure) { rows.remove(at: try row(name, "SIOCIFDESTROY")) }

  func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus { rows[try row(name, "SIOCGIFFLAGS")] }

  func perform(_ operation: InterfaceOperation, on name: String) throws(InterfaceFailure) {
    let row = try row(name, operation.request)
    switch operation {
    case .up: rows[row].flags.insert(.up)
    case .tunnel(let ends):
      if rows.contains(where: { $0.name != name && $0.tunnel == ends }) {
        throw InterfaceFailure(errno: EADDRNOTAVAIL, request: operation.request)
      }
      rows[row].tunnel = ends
    case .addAddress(let address, _): rows[row].addresses.append(address)
    default: throw InterfaceFailure(errno: EOPNOTSUPP, request: operation.request)
    }
  }

  func set(_ name: String, to value: Setting.Value) throws(InterfaceFailure) {
    guard let row = settings.firstIndex(where: { $0.name == name }) else {
      throw InterfaceFailure(errno: ENOENT, request: "sysctl")
    }
    settings[row].value = value
  }

  func shutdown() {}
}

/// The table behind a socket, until this goes.
final class ServedTable {
  let path: String
  private let server: DaemonServer
  private let thread: pthread_t
  /// Tells the thread to end.
  private let end: CInt

  init(_ table: InterfaceTable, in scratch: Scratch) throws {
    chmod(scratch.path, 0o755)
    path = scratch.file("d.sock")
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = try DaemonServer(DaemonPlace(path: path), limits: DaemonLimits(), log: log)
    let end = swpcap_event_open()
    let keys = KeyEngine(now: 0)
    (self.server, self.end) = (server, end)
    server.start()
    thread = startThread {
      let service = DaemonService(server, table, keys, nil, rights: Rights(), log: log)
      while true {
        var set = [server.asked, end].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&set, 2, -1)
        if set[1].revents != 0 { return }
        service.serve()
      }
    }
  }

  deinit {
    swpcap_event_signal(end)
    pthread_join(thread, nil)
    server.stop()
    close(end)
  }
}
