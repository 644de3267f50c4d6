// swbpf see-sent, direction, filter: one request to one running capture.
import Glibc

struct ChangeCommand {
  let request: ControlRequest
  let pid: pid_t?
  /// The words of the command line, for the command that would work.
  let words: [String]

  init(_ request: ControlRequest, pid: pid_t?, words: [String]) {
    self.request = request
    self.pid = pid
    self.words = words
  }

  func run() throws(CommandError) -> CInt {
    let endpoint = try choose()
    let pid = endpoint.name.pid
    switch ControlClient.ask(endpoint, request) {
    case .answer(.done(let lines)):
      for line in lines { Messages.write("\(pid): \(Printable.text(line))\n", to: STDOUT_FILENO) }
      return 0
    case .answer(.failed(let text)): throw CommandError("\(pid): \(Printable.text(text))")
    case .dead: throw CommandError("\(pid): that capture has ended (swbpf peers lists those that run)")
    case .silent:
      throw CommandError("\(pid): no answer within a second; is the capture stopped? (fg, or kill -CONT \(pid))")
    case .wrong(let reason): throw CommandError("\(pid): not asked: \(reason)")
    }
  }

  /// The one that is named, or the only one.
  private func choose() throws(CommandError) -> ControlEndpoint {
    let endpoints = ControlEndpoint.all()
    if let pid {
      if let one = endpoints.first(where: { $0.name.pid == pid && ControlName.startTime(of: pid) == $0.name.start }) {
        return one
      }
      throw missing(pid)
    }
    if endpoints.count == 1 && ControlName.startTime(of: endpoints[0].name.pid) == endpoints[0].name.start {
      return endpoints[0]
    }
    let rows = PeersCommand.collect(endpoints).captures
    guard rows.count != 1 else { return rows[0].endpoint }
    guard rows.isEmpty else {
      Messages.say("swbpf: \(rows.count) captures run:")
      Messages.write(PeerTable.text(rows.flatMap(\.peers), isShort: true), to: STDERR_FILENO)
      throw CommandError("say which one: --pid PID")
    }
    if geteuid() != 0, Processes.captures.contains(where: { Processes.user(of: $0) == 0 }) { throw ownedBy(0) }
    throw CommandError("no capture runs that can be controlled (one is started with swbpf -i IF)")
  }

  /// Why a process that was named cannot be asked.
  private func missing(_ pid: pid_t) -> CommandError {
    guard let user = Processes.user(of: pid) else { return CommandError("\(pid): no such process") }
    guard Processes.looksLikeCapture(pid) else { return CommandError("\(pid): that process is no capture") }
    if geteuid() != 0, user != geteuid() { return ownedBy(user) }
    let way = geteuid() == 0 ? "" : ", or root started it: \(sudo)"
    return CommandError("\(pid): the capture has no control socket (--no-control)\(way)")
  }

  private func ownedBy(_ user: uid_t) -> CommandError {
    CommandError("owned by \(Printable.text(Processes.name(of: user))): \(sudo)")
  }

  private var sudo: String { "sudo swbpf " + words.map(Messages.quoted).joined(separator: " ") }
}
