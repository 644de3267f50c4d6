// --netns: capturing in another network namespace. Called by the main thread before there is any other, and before any socket.
internal import CPcapShim
import Glibc

enum NetworkNamespace {
  /// Moves this thread, and those that it will start, into a network namespace; mounts, users and files stay as they are.
  ///
  /// - Parameter name: a name under /run/netns (`ip netns`), the number of a process, or a path with a slash.
  static func enter(_ name: String, arguments: [String]) throws(CommandError) {
    let path = path(of: name)
    let file = unsafe swpcap_open_net_path(path)
    if file == -EINVAL || file == -ENXIO { throw CommandError("--netns \(name): \(path) is not a network namespace") }
    guard file >= 0 else { throw CommandError("--netns \(name): \(explain(-file, name, path, arguments))") }
    defer { close(file) }
    let entered = swpcap_setns_net(file)
    guard entered >= 0 else { throw CommandError("--netns \(name): \(explain(-entered, name, path, arguments))") }
  }

  static func path(of name: String) -> String {
    if name.contains("/") { return name }
    return isNumber(name) ? "/proc/\(name)/ns/net" : "/run/netns/\(name)"
  }

  private static func isNumber(_ name: String) -> Bool {
    !name.isEmpty && name.allSatisfy { $0.isASCII && $0.isNumber }
  }

  private static func explain(_ error: CInt, _ name: String, _ path: String, _ arguments: [String]) -> String {
    switch error {
    case ENOENT where name.contains("/"): "no such file"
    case ENOENT where isNumber(name): "no such process"
    case ENOENT: "no such namespace: there is no \(path) (try: ip netns)"
    case EPERM, EACCES: "no permission to enter it (it takes CAP_SYS_ADMIN): \(Messages.wayToRights(arguments))"
    default: "\(path): \(Messages.text(of: error))"
    }
  }
}
