// `swbpf completion bash|zsh|fish`: prints a script that completes command lines in that shell.
import Glibc
import SwBPFInterfaces

/// Shells that scripts are made for. The options come from ``OptionTable``, so a new one is completed without more work.
enum CompletionScript: String, CaseIterable {
  case bash, zsh, fish

  /// - Parameter words: what follows `completion`.
  static func run(_ words: [String]) throws(CommandError) -> CInt {
    guard words.count == 1, let shell = CompletionScript(rawValue: words[0]) else {
      throw CommandError("completion takes bash, zsh or fish")
    }
    Messages.write(shell.text, to: STDOUT_FILENO)
    return 0
  }

  var text: String {
    switch self {
    case .bash: Self.bashText
    case .zsh: Self.zshText
    case .fish: Self.fishText
    }
  }

  /// What a value is completed with.
  enum Values: Equatable {
    case interfaces, files, users, none
    case words([String])
  }

  /// The values of an option, from the name of its value in the table; nil for a flag.
  static func values(of option: OptionName) -> Values? {
    guard let value = option.value else { return nil }
    switch value {
    case "IF": return .interfaces
    case "FILE": return .files
    case "USER": return .users
    case "TYPE": return .words(["EN10MB", "LINUX_SLL", "LINUX_SLL2", "RAW", "NULL", "LOOP"])
    default: return value.contains("|") ? .words(value.split(separator: "|").map(String.init)) : Values.none
    }
  }

  /// A word that can only be the first, and what may follow it.
  struct Subcommand {
    let name: String
    let words: [String]
    let takesPID: Bool
    let takesExpression: Bool
    /// Whether -f is followed by a file.
    let takesFile: Bool
    /// Whether any number of the words may follow, behind the name of a tunnel interface or a setting.
    let repeats: Bool

    init(
      _ name: String, _ words: [String] = [], takesPID: Bool = false, takesExpression: Bool = false,
      takesFile: Bool = false, repeats: Bool = false
    ) {
      self.name = name
      self.words = words
      self.takesPID = takesPID
      self.takesExpression = takesExpression
      self.takesFile = takesFile
      self.repeats = repeats
    }
  }

  static let subcommands = [
    Subcommand("see-sent", ["on", "off", "toggle"], takesPID: true),
    Subcommand("direction", ["in", "out", "inout"], takesPID: true),
    Subcommand("filter", takesPID: true, takesExpression: true),
    Subcommand("peers", ["--json"]),
    Subcommand("setkey", SetkeyOption.all.map { "-\($0.letter)" } + ["--noauth", "--socket"], takesFile: true),
    Subcommand("daemon", ["--config", "--socket", "--netns", "--log-level", "--check"]),
    Subcommand(
      "stress",
      [
        "-i", "--self", "--peers", "--threads", "--seconds", "--cycles", "--rate", "--mix", "--seed", "--model",
        "--json",
      ]),
    Subcommand(
      "ifconfig", IfconfigOption.all.map { "-\($0.letter)" } + ["--socket"] + IfconfigLine.keywords, repeats: true),
    Subcommand("sysctl", SysctlOption.all.map { "-\($0.letter)" } + ["--socket"], repeats: true),
    Subcommand("completion", allCases.map(\.rawValue)),
  ]

  /// Words of pcap-filter(7).
  static let expressionWords = [
    "host", "net", "port", "portrange", "src", "dst", "ether", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6",
    "vlan",
    "proto", "broadcast", "multicast", "inbound", "outbound", "greater", "less", "and", "or", "not",
  ]
}
