// Interfaces of a table, for tests of those who ask for them.
import Glibc
import SwBPFInterfaces

@testable import SwBPFDaemon

/// - Threads: the daemon's main thread; a test looks when that is at rest.
final class TableService: InterfaceService, @unchecked Sendable {
  private(set) var table: [String: InterfaceStatus] = [:]
  private var values: [String: Setting.Value] = [:]
  /// Everything that was asked for, in order.
  private(set) var log: [String] = []
  /// The request, as it stands in ``log``, that is refused.
  var refuses: String?

  private func note(_ text: String) throws(InterfaceFailure) {
    log.append(text)
    if text == refuses { throw InterfaceFailure(errno: EBUSY, request: "REFUSED") }
  }

  func forget() { log = [] }

  func create(_ name: String) throws(InterfaceFailure) {
    try note("create \(name)")
    guard table[name] == nil else { throw InterfaceFailure(errno: EEXIST, request: "SIOCIFCREATE") }
    table[name] = InterfaceStatus(name: name, flags: [.pointToPoint, .multicast], mtu: 1280)
  }

  func destroy(_ name: String) throws(InterfaceFailure) {
    try note("destroy \(name)")
    guard table.removeValue(forKey: name) != nil else {
      throw InterfaceFailure(errno: ENXIO, request: "SIOCIFDESTROY")
    }
  }

  func perform(_ operation: InterfaceOperation, on name: String) throws(InterfaceFailure) {
    guard table[name] != nil else { throw InterfaceFailure(errno: ENXIO, request: operation.request) }
    switch operation {
    case .up:
      try note("up \(name)")
      table[name]?.flags.insert(.up)
    case .mtu(let mtu):
      try note("mtu \(name) \(mtu)")
      table[name]?.mtu = mtu
    case .cookie(let cookies):
      try note("cookie \(name)")
      table[name]?.cookies = cookies
    default: try note("\(operation.request) \(name)")
    }
  }

  func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus {
    guard let status = table[name] else { throw InterfaceFailure(errno: ENXIO, request: "SIOCGIFFLAGS") }
    return status
  }

  var names: [String] { table.keys.sorted() }

  var settings: [Setting] {
    let gifttl = Setting("net.inet.ip.gifttl", "TTL", allowed: .numbers(1...255), initial: .number(30))
    let ike = Setting("net.ipsec.ike", "where IKE goes", allowed: .text(longest: 64), initial: .text(""))
    return [gifttl, ike].map { setting in
      var setting = setting
      setting.value = values[setting.name] ?? setting.initial
      return setting
    }
  }

  func set(_ name: String, to value: Setting.Value) throws(InterfaceFailure) {
    try note("set \(name) \(value)")
    values[name] = value
  }

  func shutdown() { log.append("shutdown") }
}
