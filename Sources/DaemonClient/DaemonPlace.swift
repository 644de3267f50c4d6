// Where the daemon's socket is, and whether that place can be trusted. Called by the daemon (to make it) and by clients.
internal import CPcapShim
import Glibc
import SwBPFKern

/// A directory that nobody but its owner can write to, held by descriptor, and the socket's name in it.
package final class DaemonPlace: Sendable {
  /// Why it is none, in words.
  package struct Refusal: Error, Equatable {
    package let text: String
    /// Whether there is just nothing.
    package let isMissing: Bool

    package init(text: String, isMissing: Bool = false) {
      self.text = text
      self.isMissing = isMissing
    }
  }

  package static let defaultDirectory = "/run/swbpfd"
  /// The environment's name for another socket.
  package static let variable = "SWBPF_SOCKET"

  package let path: String
  package let name: String
  /// The directory.
  package let descriptor: CInt
  package let owner: UInt32

  /// - Parameter path: of the socket. - Parameter creating: makes the directory (not its parents), mode 0755.
  package init(path: String, creating: Bool = false) throws(Refusal) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    name = String(parts.last ?? "")
    let parent = parts.dropLast().joined(separator: "/")
    let directory = parts.count < 2 ? "." : parent.isEmpty ? "/" : parent
    // What bind(2) takes, less the way there.
    guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 64, !path.utf8.contains(0) else {
      throw Refusal(text: "\(path): no name for a socket")
    }
    self.path = path
    var made = false
    if creating {
      made = unsafe mkdir(directory, 0o755) == 0
      if !made && errno != EEXIST { throw Self.refusal(directory, errno) }
    }
    descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      owner = 0
      throw Self.refusal(directory, errno)
    }
    if made { _ = fchmod(descriptor, 0o755) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      owner = 0
      throw Self.refusal(directory, errno)
    }
    owner = status.st_uid
    guard status.st_mode & 0o022 == 0 else {
      throw Refusal(text: "\(directory): others can write to it (chmod go-w \(directory))")
    }
    if creating && owner != geteuid() {
      throw Refusal(text: "\(directory): belongs to user \(owner), not to user \(geteuid())")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static func refusal(_ directory: String, _ error: CInt) -> Refusal {
    Refusal(text: "\(directory): \(SystemText.of(error))", isMissing: error == ENOENT)
  }

  /// The socket's path: the one that is named, else that of the environment, else that of the thread's network namespace.
  package static func path(named: String?) throws(Refusal) -> String {
    if let named { return named }
    if let set = Environment.value(variable), !set.isEmpty { return set }
    let identity = try namespace()
    return "\(defaultDirectory)/\(identity.device)-\(identity.inode).sock"
  }

  /// The calling thread's network namespace.
  package static func namespace() throws(Refusal) -> NamespaceIdentity {
    var (device, inode): (UInt64, UInt64) = (0, 0)
    let result = unsafe swpcap_net_identity(&device, &inode)
    if result < 0 { throw Refusal(text: "/proc/thread-self/ns/net: \(SystemText.of(-result))") }
    return NamespaceIdentity(device: device, inode: inode)
  }
}
