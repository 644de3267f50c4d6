// The daemon: an engine of tunnels, served over a socket, in the foreground.
internal import CPcapShim
import Glibc
import Logging
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey

/// The main thread makes everything, then waits for signals and for requests, and does what they ask for.
package final class Daemon {
  package struct Options: Sendable {
    /// A file of the configuration; nil: none.
    package var config: String?
    /// The socket's path; nil: SWBPF_SOCKET, else that of the network namespace.
    package var socket: String?
    package var limits = DaemonLimits()
    /// As swift-log spells it.
    package var logLevel = "info"

    package init(config: String? = nil, socket: String? = nil) {
      self.config = config
      self.socket = socket
    }
  }

  /// It cannot run, in words.
  package struct Failure: Error, Equatable {
    package let text: String
    /// Whether a right is missing.
    package let isPermission: Bool

    package init(_ text: String, isPermission: Bool = false) {
      self.text = text
      self.isPermission = isPermission
    }
  }

  private let options: Options
  private let log: Logger
  private let notifier = ServiceNotifier()
  private let interfaces: any InterfaceService
  private let keys: KeyEngine
  private let server: DaemonServer
  private let service: DaemonService
  private let state: ConfiguredState
  private let signals: CInt

  /// Whether this process may do what the daemon does. To be asked before anything is made. (T-173)
  package static func checkRights() throws(Failure) {
    let raw = swpcap_may_open_raw()
    guard raw == 0 else { throw missing(-raw, "open raw sockets", "CAP_NET_RAW") }
    let admin = swpcap_may_administer()
    guard admin == 0 else { throw missing(-admin, "change interfaces", "CAP_NET_ADMIN") }
  }

  private static func missing(_ error: CInt, _ what: String, _ capability: String) -> Failure {
    let isPermission = error == EPERM || error == EACCES
    return Failure(
      "cannot \(what) in this network namespace: \(SystemText.of(error))" + (isPermission ? " (\(capability))" : ""),
      isPermission: isPermission)
  }

  /// Gives up all rights but those of the network; the process must have one thread.
  package static func dropRights() {
    let kept: [CInt] = [12, 13]  // CAP_NET_ADMIN, CAP_NET_RAW
    _ = unsafe swpcap_keep_capabilities(kept, CInt(kept.count))
    _ = swpcap_raise_descriptor_limit()
  }

  static func logger(_ options: Options) -> Logger {
    let output = LogOutput()
    let level = Logger.Level(rawValue: options.logLevel) ?? .info
    return Logger(label: "swbpf") { _ in LogLines(output, level: level) }
  }

  static var seconds: UInt64 { UInt64(max(0, Clock.wall() / 1_000_000_000)) }

  /// Call it on the main thread; signals are blocked from now on.
  /// - Parameter make: makes the tunnels; called after signals were blocked, so that its threads have them blocked, too.
  /// - Throws: when it cannot be; nothing is left then.
  init(
    _ options: Options, log: Logger, keys: KeyEngine, remote: (any RemoteService)? = nil,
    _ make: () throws(InterfaceFailure) -> any InterfaceService
  ) throws(Failure) {
    self.options = options
    self.log = log
    self.keys = keys
    for ignored in [SIGPIPE] { swpcap_signal_ignore(ignored) }
    let heard = [SIGTERM, SIGINT, SIGHUP]
    signals = unsafe swpcap_signal_open(heard, CInt(heard.count))
    guard signals >= 0 else { throw Failure("signals: \(SystemText.of(-signals))") }
    do throws(DaemonPlace.Refusal) {
      let place = try DaemonPlace(path: try DaemonPlace.path(named: options.socket), creating: true)
      server = try DaemonServer(place, limits: options.limits, log: log)
    } catch {
      close(signals)
      throw Failure(error.text)
    }
    do throws(InterfaceFailure) {
      interfaces = try make()
    } catch {
      server.stop()
      close(signals)
      let reason = error.text.isEmpty ? SystemText.of(error.errno) : error.text
      throw Failure((error.request.isEmpty ? "" : error.request + ": ") + reason, isPermission: error.errno == EPERM)
    }
    state = ConfiguredState(interfaces, keys)
    service = DaemonService(server, interfaces, keys, remote, rights: Rights(), log: log)
    do throws(Failure) {
      if let path = options.config { _ = try apply(try Self.read(path, interfaces.settings, log), path) }
    } catch {
      service.shutdown()
      server.stop()
      close(signals)
      throw error
    }
  }

  /// Serves until SIGTERM or SIGINT; then devices, routes and the socket are gone.
  package func run() {
    server.start()
    log.notice("ready", metadata: ["socket": "\(server.path)", "pid": "\(getpid())"])
    notifier.ready()
    while !turn() {}
    notifier.stopping()
    server.stop()
    service.shutdown()
    close(signals)
    log.notice("ended")
  }

  /// - Returns: whether it is to end.
  private func turn() -> Bool {
    var set = [
      pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
      pollfd(fd: server.asked, events: Int16(POLLIN), revents: 0),
    ]
    _ = unsafe poll(&set, nfds_t(set.count), service.needsTime ? 1000 : -1)
    if service.needsTime { keys.tick(now: Self.seconds) }
    if set[1].revents != 0 { service.serve() }
    if set[0].revents != 0 {
      switch swpcap_signal_wait(signals, 0) {
      case SIGHUP: reload()
      case SIGTERM, SIGINT: return true
      default: break
      }
    }
    return false
  }

  // MARK: The configuration

  private func reload() {
    guard let path = options.config else {
      log.notice("no configuration to read again")
      return
    }
    notifier.reloading()
    defer { notifier.ready() }
    do throws(Failure) {
      let changed = try apply(try Self.read(path, interfaces.settings, log), path)
      log.notice("configuration read again", metadata: ["interfaces": "\(changed.joined(separator: ","))"])
    } catch {
      log.error("configuration not taken, nothing has changed", metadata: ["reason": "\(error.text)"])
    }
  }

  private func apply(_ new: DaemonConfiguration, _ path: String) throws(Failure) -> [String] {
    do throws(ConfigurationFailure) {
      let changed = try state.change(to: new)
      service.rights.rules = new.rights
      if !new.keys.isEmpty { service.needsTime = true }
      return changed
    } catch { throw Failure("\(path): \(error.text)") }
  }

  /// Reads and checks a file. - Throws: all its mistakes, one line each.
  static func read(
    _ path: String, _ settings: [Setting], _ log: Logger?
  ) throws(Failure) -> DaemonConfiguration {
    let bytes: [UInt8]
    do throws(SmallFile.Failure) {
      bytes = try SmallFile.read(path, limit: ConfigurationRules.largestFile)
    } catch { throw Failure("\(path): \(SystemText.of(error.errno))") }
    let links = LinkNames(index: SystemWords.linkIndex, name: { _ in nil })
    var rules = ConfigurationRules(
      settings: settings, links: links, user: SystemWords.user, group: SystemWords.group)
    rules.interfaceSetting = TunnelService.interfaceSetting
    rules.refusal = TunnelService.refusal
    let parser = ConfigurationParser(bytes, rules: rules)
    guard parser.errors.isEmpty else {
      throw Failure(parser.errors.map { "\(path):\($0.line): \($0.text)" }.joined(separator: "\n"))
    }
    for warning in parser.remarks {
      log?.warning("configuration", metadata: ["place": "\(path):\(warning.line)", "reason": "\(warning.text)"])
    }
    return parser.configuration
  }
}
