// swbpf daemon: an engine of tunnels that other processes ask, in the foreground.
import ArgumentParser
import SwBPFDaemon

struct DaemonOptions: ParsableArguments {
  @Option(name: .customLong("config"), parsing: .unconditional)
  var config: String?

  @Option(name: .customLong("socket"), parsing: .unconditional)
  var socket: String?

  @Option(name: .customLong("netns"), parsing: .unconditional)
  var namespace: String?

  @Option(name: .customLong("log-level"), parsing: .unconditional)
  var logLevel: String?

  @Flag(name: .customLong("check"))
  var checks: Int

  @Flag(name: [.customShort("h"), .customLong("help")])
  var help: Int
}

struct DaemonCommand {
  static let usage = "Usage: swbpf daemon [--config FILE] [--socket PATH] [--netns NAME] [--log-level LEVEL] [--check]"

  static let help = """
    \(usage)

    Keeps BSD's tunnel interfaces in the foreground: swbpf ifconfig, sysctl and setkey ask it for them. It ends at
    SIGTERM and SIGINT, and reads its configuration again at SIGHUP.

      --config FILE      what is made at the start: lines of ifconfig, sysctl, setkey and allow (man swbpf)
      --socket PATH      another place to listen at than /run/swbpfd, the same as SWBPF_SOCKET in the environment
      --netns NAME       in a network namespace: a name under /run/netns, a process number, or a path
      --log-level LEVEL  trace, debug, info (what is meant unless told), notice, warning, error or critical
      --check            check the configuration and do nothing else
      -h, --help         this text

    """

  private static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

  let options: DaemonOptions
  /// The words of the command line, for the command that would work.
  let words: [String]

  func run() throws -> CInt {
    if let level = options.logLevel, !Self.levels.contains(level) {
      throw UsageError("daemon: no log level \(Printable.text(level)) (\(Self.levels.joined(separator: ", ")))")
    }
    // Before any socket: what follows is of that namespace.
    if let name = options.namespace { try NetworkNamespace.enter(name, arguments: ["daemon"] + words) }
    do throws(Daemon.Failure) {
      if options.checks > 0 {
        guard let path = options.config else { throw Daemon.Failure("--check needs --config FILE") }
        try Daemon.check(path)
        return 0
      }
      try Daemon.checkRights()
      Daemon.dropRights()
      var settings = Daemon.Options(config: options.config, socket: options.socket)
      if let level = options.logLevel { settings.logLevel = level }
      try Daemon(settings).run()
      return 0
    } catch {
      let lines = error.text.split(separator: "\n").map { Printable.text(String($0)) }
      for line in lines.dropLast() { Messages.say("swbpf: daemon: " + line) }
      let way = error.isPermission ? ": " + Messages.wayToRights(["daemon"] + words) : ""
      throw CommandError("daemon: \(lines.last ?? "")\(way)")
    }
  }
}
