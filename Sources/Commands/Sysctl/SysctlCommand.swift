// swbpf sysctl: settings of the daemon in the words of sysctl(8).
import Glibc
import SwBPFInterfaces

struct SysctlCommand {
  static let usage = "Usage: swbpf sysctl [--socket PATH] [-dnq] [-a | NAME ... | [-w] NAME=VALUE ...]"

  static var help: String {
    let letters = SysctlOption.all.map { "  -\($0.letter)  \($0.about)\n" }.joined()
    return """
      \(usage)

      Shows and changes settings of the daemon (swbpf daemon). A NAME may be that of a node: net.bpf.

      \(letters)  --socket PATH  another daemon than this network namespace's (SWBPF_SOCKET)

      """
  }

  let options: SysctlOptions
  /// What was asked for, for the command that would work.
  let words: [String]
  let output: (String) -> Void
  let complain: (String) -> Void

  /// The exit status of `swbpf sysctl` with these words.
  static func run(
    _ words: [String], output: @escaping (String) -> Void = { Messages.write($0, to: STDOUT_FILENO) },
    complain: @escaping (String) -> Void = { Messages.say($0) },
    connect: (_ socket: String?) throws -> any SettingControl
  ) -> CInt {
    do {
      let options = try SysctlOptions(words)
      if options.isHelp {
        output(help)
        return 0
      }
      let command = SysctlCommand(options: options, words: words, output: output, complain: complain)
      return try command.run(connect(options.socket))
    } catch let error as UsageError {
      complain(error.text)
      complain(usage)
    } catch let error as CommandError {
      complain("sysctl: \(error.text)")
    } catch {
      complain("sysctl: \(error)")
    }
    return 1
  }

  /// One item that fails does not keep the others back. - Returns: 1 when one did.
  private func run(_ control: any SettingControl) throws -> CInt {
    var status: CInt = 0
    for item in options.items {
      do {
        switch item {
        case .show(let name): try show(name, control)
        case .set(let name, let text): try set(name, text, control)
        }
      } catch let failure as InterfaceFailure {
        status = 1
        complain("sysctl: " + text(failure, item))
      }
    }
    return status
  }

  private func show(_ name: String, _ control: any SettingControl) throws {
    let settings = try control.settings(name)
    if settings.isEmpty { throw InterfaceFailure(errno: ENOENT, request: "sysctl") }
    for setting in settings {
      let value = Printable.text(setting.value.description)
      let name = Printable.text(setting.name)
      if options.describes {
        let about = "\(Printable.text(setting.about)); \(setting.allowed); \(initial(setting))"
        output(options.onlyValues ? about + "\n" : "\(name): \(about)\n")
      } else {
        output(options.onlyValues ? value + "\n" : "\(name) = \(value)\n")
      }
    }
  }

  private func initial(_ setting: Setting) -> String {
    switch setting.initial {
    case .text(let text) where text.isEmpty: "at first empty"
    default: "at first \(Printable.text(setting.initial.description))"
    }
  }

  private func set(_ name: String, _ text: String, _ control: any SettingControl) throws {
    let found = try control.settings(name)
    guard let setting = found.first(where: { $0.name == name }) else {
      throw InterfaceFailure(
        errno: found.isEmpty ? ENOENT : EISDIR, request: "sysctl", text: found.isEmpty ? "" : "a node has no value")
    }
    try control.set(name, to: try value(text, setting))
    if options.isQuiet { return }
    let (old, new) = (Printable.text(setting.value.description), Printable.text(text))
    output(options.onlyValues ? new + "\n" : "\(Printable.text(name)): \(old) -> \(new)\n")
  }

  /// The text as what the setting takes.
  private func value(_ text: String, _ setting: Setting) throws -> Setting.Value {
    let value: Setting.Value? =
      if case .text = setting.allowed { .text(text) } else { Int64(text).map { .number($0) } }
    if setting.allowed == .nothing {
      throw InterfaceFailure(errno: EPERM, request: "sysctl", text: "it can be read only")
    }
    guard let value, setting.allows(value) else {
      throw InterfaceFailure(errno: EINVAL, request: "sysctl", text: "it takes \(setting.allowed)")
    }
    return value
  }

  private func text(_ failure: InterfaceFailure, _ item: SysctlOptions.Item) -> String {
    var name: String
    switch item {
    case .show(let one): name = one
    case .set(let one, let text): name = failure.errno == ENOENT ? one : "\(one)=\(text)"
    }
    name = Printable.text(name)
    if failure.errno == ENOENT {
      return name.isEmpty ? "the daemon has no settings" : "\(name): no such setting (swbpf sysctl -a lists all)"
    }
    var text = "\(name): \(Messages.text(of: failure.errno))"
    if !failure.text.isEmpty { text += " (\(Printable.text(failure.text)))" }
    if failure.errno == EPERM, failure.text.isEmpty, geteuid() != 0 {
      text += ": " + Messages.wayToRights(["sysctl"] + words)
    }
    return text
  }
}
