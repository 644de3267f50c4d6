// swbpf ifconfig: tunnel interfaces in the words of ifconfig(8).
import Glibc
import SwBPFInterfaces
import SwBPFPackets

struct IfconfigCommand {
  static let usage = "Usage: swbpf ifconfig [--socket PATH] [-adlNuv | -C] [IF [create | destroy] [WORD ...]]"

  static var help: String {
    let letters = IfconfigOption.all.map { "  -\($0.letter)  \($0.about)\n" }.joined()
    return """
      \(usage)

      Makes, changes and shows the tunnel interfaces of the daemon (swbpf daemon).
      Words are done from left to right, addresses last; without any the interface is shown.

      \(letters)  --socket PATH  another daemon than this network namespace's (SWBPF_SOCKET)

      \(grammar)
      """
  }

  private static let grammar = """
      create | destroy                      first, after the interface
      inet | inet6                          the family of what follows
      ADDR[/LEN] [DSTADDR]                  an inner address, and that of the other end
      netmask MASK | prefixlen N            instead of /LEN
      alias | -alias | delete               beside the address that there is; take it away
      up, down, mtu N
      link0 link1 link2, -link0 -link1 -link2, unnumbered, -unnumbered
      tunnel SRC[,PORT] DST[,PORT]          the outer addresses
      deletetunnel
      session LOCAL REMOTE, deletesession   l2tp: the ids
      cookie LLEN LCOOKIE RLEN RCOOKIE, deletecookie

    """

  let options: IfconfigOptions
  /// What was asked for, for the command that would work.
  let words: [String]
  let links: LinkNames
  let output: (String) -> Void
  let complain: (String) -> Void

  /// The exit status of `swbpf ifconfig` with these words.
  static func run(
    _ words: [String], links: LinkNames = .system,
    output: @escaping (String) -> Void = { Messages.write($0, to: STDOUT_FILENO) },
    complain: @escaping (String) -> Void = { Messages.say($0) },
    connect: (_ socket: String?) throws -> any InterfaceControl
  ) -> CInt {
    do {
      let options = try IfconfigOptions(words, links: links)
      let command = IfconfigCommand(options: options, words: words, links: links, output: output, complain: complain)
      return try command.run(connect)
    } catch let error as IfconfigError {
      complain("ifconfig: \(error.text)")
      if error.isUsage { complain("\(usage)\n(swbpf ifconfig -h lists the words)") }
    } catch let error as InterfaceFailure {
      complain("ifconfig: " + text(error, words))
    } catch let error as CommandError {
      complain("ifconfig: \(error.text)")
    } catch {
      complain("ifconfig: \(error)")
    }
    return 1
  }

  private func run(_ connect: (_ socket: String?) throws -> any InterfaceControl) throws -> CInt {
    switch options.task {
    case .help: output(Self.help)
    case .kinds: output(InterfaceKind.cloners.map(\.rawValue).joined(separator: " ") + "\n")
    case .names: try list(connect(options.socket))
    case .all(let family):
      for status in try statuses(connect(options.socket)) { show(status, family) }
    case .one(let line):
      let control = try connect(options.socket)
      guard !line.steps.isEmpty else {
        show(try status(of: line.name, control), line.family)
        return 0
      }
      for step in line.steps { try take(step, line.name, control) }
    }
    return 0
  }

  private func list(_ control: any InterfaceControl) throws {
    let names =
      options.onlyUp || options.onlyDown ? try statuses(control).map(\.name) : try control.names()
    output(names.map(Printable.text).joined(separator: " ") + "\n")
  }

  /// Of all that are to be shown; one that goes meanwhile is left out.
  private func statuses(_ control: any InterfaceControl) throws -> [InterfaceStatus] {
    var statuses: [InterfaceStatus] = []
    for name in try control.names() {
      do {
        let status = try control.status(of: name)
        let isUp = status.flags.contains(.up)
        if options.onlyUp && !isUp || options.onlyDown && isUp { continue }
        statuses.append(status)
      } catch let failure as InterfaceFailure where failure.errno == ENXIO {
        continue
      }
    }
    return statuses
  }

  private func status(of name: String, _ control: any InterfaceControl) throws -> InterfaceStatus {
    do {
      return try control.status(of: name)
    } catch let failure as InterfaceFailure {
      throw InterfaceFailure(errno: failure.errno, request: "SIOCGIFFLAGS \(name)", text: failure.text)
    }
  }

  private func show(_ status: InterfaceStatus, _ family: IPAddress.Family?) {
    let text = status.text(
      isVerbose: options.isVerbose, family: family, links: options.namesHosts ? links.withHosts : links)
    // Tabs begin lines; what else could command a terminal is escaped.
    let lines = text.split(separator: "\n").map { line in
      line.hasPrefix("\t") ? "\t" + Printable.text(String(line.dropFirst())) : Printable.text(String(line))
    }
    output(lines.map { $0 + "\n" }.joined())
  }

  private func take(_ step: IfconfigLine.Step, _ name: String, _ control: any InterfaceControl) throws {
    do {
      switch step {
      case .create: try control.create(name)
      case .destroy: try control.destroy(name)
      case .change(let operation): try control.perform(operation, on: name)
      }
    } catch let failure as InterfaceFailure {
      guard case .change(let operation) = step else { throw failure }
      let explained = Self.explained(failure, operation, name)
      // As of old, these are warnings: the words that follow are done, and the exit status is 0.
      switch operation {
      case .tunnel, .mtu: complain("ifconfig: " + Self.text(explained, words))
      default: throw explained
      }
    }
  }

  private static func explained(_ failure: InterfaceFailure, _ operation: InterfaceOperation, _ name: String)
    -> InterfaceFailure
  {
    var text = failure.text
    switch operation {
    case .session, .deleteSession, .cookie, .deleteCookie:
      if InterfaceKind(name: name) != .l2tp { text = "valid only with l2tp(4) interfaces" }
    default: break
    }
    return InterfaceFailure(
      errno: failure.errno, request: failure.request.isEmpty ? operation.request : failure.request, text: text)
  }

  /// `SIOCSLIFPHYADDR: Cannot assign requested address (gif1 has these)`
  private static func text(_ failure: InterfaceFailure, _ words: [String]) -> String {
    var text =
      Printable.text(failure.request) + (failure.request.isEmpty ? "" : ": ") + Messages.text(of: failure.errno)
    if !failure.text.isEmpty { text += " (\(Printable.text(failure.text)))" }
    if failure.errno == EPERM, geteuid() != 0 { text += ": " + Messages.wayToRights(["ifconfig"] + words) }
    return text
  }
}
