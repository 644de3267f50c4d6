// swbpf see-sent, direction, filter, peers: the command as a client of running captures; and all other first words.
import ArgumentParser
import Glibc
import SwBPF

/// A first word that is no capture.
enum Subcommand: String, CaseIterable {
  case seeSent = "see-sent"
  case direction
  case filter
  case peers
  case setkey
  case stress
  case ifconfig
  case sysctl
  case daemon

  var usage: String {
    switch self {
    case .seeSent: "Usage: swbpf see-sent on|off|toggle [--pid PID]"
    case .direction: "Usage: swbpf direction in|out|inout [--pid PID]"
    case .filter: "Usage: swbpf filter [--pid PID] [EXPRESSION]"
    case .peers: "Usage: swbpf peers [--json]"
    case .setkey: SetkeyCommand.usage
    case .stress:
      "Usage: swbpf stress [-i IF | --self] [--peers N] [--threads N] [--seconds S | --cycles N]\n"
        + "                    [--rate PPS|max] [--mix LIST] [--seed N] [--model 2006] [--json]"
    case .ifconfig: IfconfigCommand.usage
    case .sysctl: SysctlCommand.usage
    case .daemon: DaemonCommand.usage
    }
  }

  private var about: String {
    switch self {
    case .seeSent:
      "Switches whether a running capture sees the packets that this host sends: on is direction inout, off is in."
    case .direction: "Sets which packets a running capture sees, from the next one on."
    case .filter:
      "Gives a running capture a new filter expression (man pcap-filter); none shows all packets.\n"
        + "When the expression is wrong, the old one stays."
    case .peers:
      "Lists the peers of your running captures (root: of all) with their settings, counters and losses.\n"
        + "A number with + lacks what the kernel refused already."
    case .stress:
      "Attaches, disturbs and detaches peers while frames flow, and checks that nothing is lost or left behind.\n"
        + "--self (the default) works on cables of its own, without root; -i watches an interface and sends nothing."
    case .setkey, .ifconfig, .sysctl, .daemon: ""
    }
  }

  var help: String {
    if self == .setkey { return SetkeyCommand.help }
    if self == .stress { return "\(usage)\n\n\(about)\n\n\(Subcommand.stressOptions)\n  -h, --help     this text\n" }
    if self == .daemon { return DaemonCommand.help }
    let pid = self == .peers ? "" : "\n  --pid PID   which capture; needless when there is one (swbpf peers lists them)"
    let json = self == .peers ? "\n  --json      as JSON, one object per peer" : ""
    return "\(usage)\n\n\(about)\n\(pid)\(json)\n  -h, --help  this text\n"
  }

  /// Runs it and returns the exit status. - Throws: ``UsageError``, ``CommandError``.
  func run(_ words: [String]) throws -> CInt {
    switch self {
    case .daemon:
      let options: DaemonOptions = try parse(words)
      return options.help > 0 ? help(STDOUT_FILENO) : try DaemonCommand(options: options, words: words).run()
    case .setkey: return try SetkeyCommand(options: SetkeyOptions(words)).run()
    case .ifconfig: return IfconfigCommand.run(words) { try DaemonConnection(socket: $0) }
    case .sysctl: return SysctlCommand.run(words) { try DaemonConnection(socket: $0) }
    case .peers:
      let options: PeersOptions = try parse(words)
      return options.help > 0 ? help(STDOUT_FILENO) : try PeersCommand(json: options.json > 0).run()
    case .stress:
      let options: StressOptions = try parse(words)
      return options.help > 0 ? help(STDOUT_FILENO) : try StressCommand(options, words: words).run()
    case .seeSent, .direction, .filter:
      let options: ChangeOptions = try parse(words)
      if options.help > 0 { return help(STDOUT_FILENO) }
      return try ChangeCommand(request(options.operands), pid: options.pid, words: [rawValue] + words).run()
    }
  }

  private static let stressOptions = """
      --peers N      peers that come and go (16)
      --threads N    threads that do it (2)
      --seconds S    how long (10); --cycles N ends after so many attachments
      --rate PPS     frames sent per second (100000), or max
      --mix LIST     what is done to peers: move,program,direction,promiscuous,resize,
                     flush,read,poll, with --self also inject,down,delete (all)
      --seed N       repeats a run as far as threads allow (1)
      --model 2006   the old design's model beside it, which fails: exit status 1
      --json         the end as one JSON object
    """

  private func help(_ descriptor: CInt) -> CInt {
    Messages.write(help, to: descriptor)
    return 0
  }

  private func parse<Options: ParsableArguments>(_ words: [String]) throws(UsageError) -> Options {
    do {
      return try Options.parse(words)
    } catch {
      throw UsageError(Options.message(for: error))
    }
  }

  private func request(_ operands: [String]) throws(UsageError) -> ControlRequest {
    switch self {
    case .filter: return .filter(operands.joined(separator: " "))
    case .seeSent:
      guard operands.count == 1, let value = ControlRequest.Switch(rawValue: operands[0].lowercased()) else {
        throw UsageError("see-sent takes on, off or toggle")
      }
      return .seeSent(value)
    default:
      guard operands.count == 1, let value = BPF.Direction(word: operands[0].lowercased()) else {
        throw UsageError("direction takes in, out or inout")
      }
      return .direction(value)
    }
  }
}

struct ChangeOptions: ParsableArguments {
  @Option(name: .customLong("pid"), parsing: .unconditional)
  var pid: Int32?

  @Flag(name: [.customShort("h"), .customLong("help")])
  var help: Int

  @Argument
  var operands: [String] = []
}

struct PeersOptions: ParsableArguments {
  @Flag(name: .customLong("json"))
  var json: Int

  @Flag(name: [.customShort("h"), .customLong("help")])
  var help: Int
}
