// The tunnels, and the settings of all that the daemon keeps, as the daemon asks for them.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPFKey
import SwBPFTunnels

/// - Threads: any.
package final class TunnelService: InterfaceService {
  private let engine: TunnelEngine
  private let keys: KeyEngine
  private let bpf: BPF.Settings

  package init(_ engine: TunnelEngine, _ keys: KeyEngine, bpf: BPF.Settings = .shared) {
    self.engine = engine
    self.keys = keys
    self.bpf = bpf
  }

  package func create(_ name: String) throws(InterfaceFailure) { try engine.create(name) }
  package func destroy(_ name: String) throws(InterfaceFailure) { try engine.destroy(name) }
  package func perform(_ operation: InterfaceOperation, on name: String) throws(InterfaceFailure) {
    try engine.perform(operation, on: name)
  }
  package func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus { try engine.status(of: name) }
  package var names: [String] { engine.names }
  package func shutdown() { engine.shutdown() }

  // MARK: Settings

  /// Every setting that there is, with its initial value: a file can be checked without tunnels.
  package static let initialSettings: [Setting] =
    TunnelSettings.all.map { one in
      let range = Int64(one.range.lowerBound)...Int64(one.range.upperBound)
      return Setting(one.name, one.text, allowed: .numbers(range), initial: .number(Int64(one.initial)))
    }
    + KeySetting.allCases.map { one in
      Setting(one.rawValue, about(one), allowed: .numbers(0...1), initial: .number(0))
    }
    + [
      Setting(
        ikeName, "who gets what comes to ports of NAT traversal for IKE: ADDRESS:PORT or [ADDRESS]:PORT; empty: nobody",
        allowed: .text(longest: UInt16(IKETaker.longestText)), initial: .text(""))
    ]
    + BPF.Settings.names.compactMap { name in
      guard let range = try? BPF.Settings.range(of: name), let initial = try? BPF.Settings().value(of: name) else {
        return nil
      }
      let numbers = Int64(range.lowerBound)...Int64(range.upperBound)
      return Setting(name, about(bpf: name), allowed: .numbers(numbers), initial: .number(Int64(initial)))
    }

  private static func about(bpf name: String) -> String {
    switch name {
    case "net.bpf.bufsize": "bytes of the buffers of new devices, at most net.bpf.maxbufsize"
    case "net.bpf.maxbufsize": "bytes of a device's buffers at most"
    case "net.bpf.maxinsns": "instructions of a device's program at most"
    case "net.bpf.optimize_writers": "1: a device does not listen before it has a program"
    case "swbpf.pushdown": "whose programs may go to the kernel: 0 nobody's, 1 the command's, 2 everybody's"
    default: ""
    }
  }

  private static func about(_ setting: KeySetting) -> String {
    switch setting {
    case .noAuth: "1: associations without integrity are taken"
    case .chacha20Poly1305: "1: ChaCha20-Poly1305 is taken"
    case .extendedSequence: "1: sequence numbers of 64 bits are taken"
    }
  }

  private static let ikeName = "net.ipsec.ike"

  /// What is wrong with the value of a setting, where its kind does not say it.
  package static func refusal(_ name: String, _ value: Setting.Value) -> String? {
    guard name == ikeName, case .text(let text) = value, !text.isEmpty, IKETaker(text) == nil else { return nil }
    return "\(name) takes the address of a host and a port, as in 192.0.2.9:4500 or [2001:db8::9]:4500, or nothing"
  }

  /// net.interfaces.ipsecN.pmtu
  private static func pathMTUName(_ name: String) -> String { "net.interfaces.\(name).pmtu" }

  private static func pathMTUSetting(_ name: String, _ value: Int = -1) -> Setting {
    Setting(
      pathMTUName(name), "outer IPv6: 0, 1 as net.inet6.ip6.ipsecifpmtu; -1: what that one says",
      allowed: .numbers(-1...1), initial: .number(-1), value: .number(Int64(value)))
  }

  /// The setting of that name which there is only while an interface is.
  package static func interfaceSetting(_ name: String) -> (interface: String, setting: Setting)? {
    let words = name.split(separator: ".", omittingEmptySubsequences: false)
    guard words.count == 4, InterfaceKind(name: String(words[2])) == .ipsec else { return nil }
    let interface = String(words[2])
    return name == pathMTUName(interface) ? (interface, pathMTUSetting(interface)) : nil
  }

  private var counters: [Setting] {
    engine.ipsecCounts.map { one in
      Setting(
        one.name, one.about, allowed: .nothing, initial: .number(0), value: .number(Int64(clamping: one.value)))
    }
  }

  private var pathMTUSettings: [Setting] { engine.pathMTUs.map { Self.pathMTUSetting($0.name, $0.value) } }

  package var settings: [Setting] {
    let values = engine.settings
    return pathMTUSettings + counters
      + Self.initialSettings.map { setting in
        var setting = setting
        if setting.name == Self.ikeName {
          setting.value = .text(engine.ikeTaker.map { "\($0)" } ?? "")
        } else if let one = KeySetting(rawValue: setting.name) {
          setting.value = .number(keys[one] ? 1 : 0)
        } else if let value = (try? values.value(of: setting.name)) ?? (try? bpf.value(of: setting.name)) {
          setting.value = .number(Int64(value))
        }
        return setting
      }
  }

  package func set(_ name: String, to value: Setting.Value) throws(InterfaceFailure) {
    guard let setting = (Self.initialSettings + pathMTUSettings + counters).first(where: { $0.name == name }) else {
      throw InterfaceFailure(errno: ENOENT, request: "sysctl", text: "no such setting")
    }
    if let why = Self.refusal(name, value) { throw InterfaceFailure(errno: EINVAL, request: "sysctl", text: why) }
    if name == Self.ikeName, case .text(let text) = value { return engine.setIKETaker(IKETaker(text)) }
    if setting.allowed == .nothing {
      throw InterfaceFailure(errno: EPERM, request: "sysctl", text: "it can be read only")
    }
    guard setting.allows(value), case .number(let number) = value else {
      throw InterfaceFailure(errno: EINVAL, request: "sysctl", text: "\(name) takes \(setting.allowed)")
    }
    if let one = KeySetting(rawValue: name) {
      keys[one] = number == 1
    } else if BPF.Settings.names.contains(name) {
      do throws(BPF.Failure) {
        try bpf.set(name, to: Int(number))
      } catch {
        throw InterfaceFailure(errno: error.errno, request: "sysctl", text: "\(name): not \(number)")
      }
    } else if let known = engine.pathMTUs.first(where: { Self.pathMTUName($0.name) == name }) {
      try engine.setPathMTU(Int(number), of: known.name)
    } else {
      try engine.set(name, to: Int(number))
    }
  }
}
