// swbpf peers: every running peer.
import Glibc

/// A capture that answered, or that runs and did not.
struct ListedCapture {
  let endpoint: ControlEndpoint
  let peers: [ListedPeer]
}

/// A peer with what we know of its process without its word.
struct ListedPeer {
  let pid: pid_t
  let user: uid_t
  /// nil when it did not answer.
  let status: PeerStatus?
}

struct PeersCommand {
  let json: Bool

  func run() throws(CommandError) -> CInt {
    let (captures, capturesComplaints) = PeersCommand.collect(ControlEndpoint.all())
    let (served, daemonComplaints) = DaemonPeers.collect()
    let peers = PeersCommand.merge(captures.flatMap(\.peers), served)
    let complaints = capturesComplaints + daemonComplaints
    let text = json ? PeerTable.json(peers) : PeerBlocks.text(peers, width: PeerBlocks.terminalWidth)
    Messages.write(text, to: STDOUT_FILENO)
    for text in complaints { Messages.say("swbpf: " + text) }
    for peer in peers where peer.status == nil { Messages.say("swbpf: \(peer.pid): no answer within a second") }
    if geteuid() != 0, Processes.captures.contains(where: { Processes.user(of: $0) == 0 }) {
      Messages.say("swbpf: captures of root are not listed: sudo swbpf peers\(json ? " --json" : "")")
    } else if peers.isEmpty && !json {
      Messages.say("swbpf: no capture runs that can be listed (one is started with swbpf -i IF)")
    }
    return 0
  }

  /// Each peer once: a capture through the daemon is told of by both, and knows more of itself than the daemon does. Of one
  /// that does not answer the daemon tells.
  static func merge(_ own: [ListedPeer], _ served: [ListedPeer]) -> [ListedPeer] {
    let answering = Set(own.filter { $0.status != nil }.map(\.pid))
    let known = Set(served.map(\.pid))
    return own.filter { $0.status != nil || !known.contains($0.pid) } + served.filter { !answering.contains($0.pid) }
  }

  /// Asks for their peers; those that are dead or not what they say are left out.
  static func collect(_ endpoints: [ControlEndpoint]) -> (captures: [ListedCapture], complaints: [String]) {
    var captures: [ListedCapture] = []
    var complaints: [String] = []
    for (endpoint, outcome) in zip(endpoints, ControlClient.ask(endpoints, .status)) {
      let (pid, user) = (endpoint.name.pid, endpoint.directory.owner)
      switch outcome {
      case .answer(.done(let lines)):
        let peers = lines.map { ListedPeer(pid: pid, user: user, status: PeerStatus(line: $0)) }
        captures.append(ListedCapture(endpoint: endpoint, peers: peers))
      case .silent, .answer(.failed):
        let peer = ListedPeer(pid: pid, user: user, status: nil)
        captures.append(ListedCapture(endpoint: endpoint, peers: [peer]))
      case .dead: continue
      case .wrong(let reason):
        complaints.append("\(endpoint.directory.path)/\(endpoint.name.file): left out: \(Printable.text(reason))")
      }
    }
    return (captures, complaints)
  }
}
