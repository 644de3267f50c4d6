// The daemon's peers, for swbpf peers.
import Glibc
import SwBPFDaemonClient

enum DaemonPeers {
  /// Those that the caller may see, of the daemon of this network namespace, and what is to be told. Nothing without one.
  static func collect() -> (peers: [ListedPeer], complaints: [String]) {
    do throws(DaemonFailure) {
      let client = try DaemonClient()
      return (try client.peerLines().map { peer($0, of: client.server.pid) }, [])
    } catch {
      if case .noDaemon = error { return ([], []) }
      return ([], [Printable.text(error.text)])
    }
  }

  /// A line: `pid=N`, `user=N`, and then as a capture tells of its peers.
  private static func peer(_ line: String, of daemon: pid_t) -> ListedPeer {
    var numbers: [String: Int64] = [:]
    for field in line.split(separator: "\t") {
      let parts = field.split(separator: "=", maxSplits: 1)
      if parts.count == 2, parts[0] == "pid" || parts[0] == "user", let number = Int64(parts[1]) {
        numbers[String(parts[0])] = number
      }
    }
    let pid = numbers["pid"].flatMap { pid_t(exactly: $0) } ?? daemon
    return ListedPeer(
      pid: pid, user: numbers["user"].flatMap { uid_t(exactly: $0) } ?? .max, status: PeerStatus(line: line))
  }
}
