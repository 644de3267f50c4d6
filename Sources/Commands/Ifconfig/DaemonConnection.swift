// The daemon that ifconfig and sysctl talk to.
import SwBPFInterfaces

enum DaemonConnection {
  /// - Parameter socket: the path of its socket; nil: the daemon of this network namespace.
  static func open(_ socket: String?) throws(CommandError) -> any InterfaceControl & SettingControl {
    throw CommandError(
      "no daemon listens\(socket.map { " at " + Printable.text($0) } ?? "") (one is started with swbpf daemon, as root)"
    )
  }
}
