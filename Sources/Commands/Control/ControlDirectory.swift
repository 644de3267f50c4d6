// Where the control sockets of running captures are. Called by captures (to make one) and by clients (to find them).
internal import CPcapShim
import Glibc

/// A directory of control sockets, held by descriptor: only its owner can enter it, and nobody can exchange it under us.
final class ControlDirectory: Sendable {
  /// Why there is none: the thing and the cause.
  struct Refusal: Error, Equatable {
    let text: String
  }

  let path: String
  let descriptor: CInt
  let owner: uid_t

  private init(path: String, descriptor: CInt, owner: uid_t) {
    self.path = path
    self.descriptor = descriptor
    self.owner = owner
  }

  deinit { close(descriptor) }

  /// Opens `swbpf` in a parent. - Throws: when it is no directory of the owner's that is closed to everybody else.
  private convenience init(in parent: String, owner: uid_t, creating: Bool) throws(Refusal) {
    let path = parent + "/swbpf"
    func fail() -> Refusal { Refusal(text: "\(path): \(Messages.text(of: errno))") }
    let above = unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard above >= 0 else { throw Refusal(text: "\(parent): \(Messages.text(of: errno))") }
    defer { close(above) }
    if creating, unsafe mkdirat(above, "swbpf", 0o700) != 0, errno != EEXIST { throw fail() }
    let descriptor = unsafe openat(above, "swbpf", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw fail() }
    self.init(path: path, descriptor: descriptor, owner: owner)
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw fail() }
    guard status.st_uid == owner else { throw Refusal(text: "\(path): belongs to user \(status.st_uid)") }
    guard status.st_mode & 0o077 == 0 else { throw Refusal(text: "\(path): open to other users (chmod 700 \(path))") }
  }

  // MARK: Which

  /// The directory of a capture that is started now; made when it is not there.
  static func forCapture() throws(Refusal) -> ControlDirectory {
    let user = geteuid()
    var first: Refusal?
    for parent in parents() {
      // ~/.cache alone may have to be made.
      if parent.hasSuffix("/.cache"), !exists(parent) { _ = unsafe mkdir(parent, 0o700) }
      do throws(Refusal) {
        guard owner(of: parent) == user else { throw Refusal(text: "\(parent): no directory of user \(user)") }
        return try ControlDirectory(in: parent, owner: user, creating: true)
      } catch {
        first = first ?? error
      }
    }
    throw first ?? Refusal(text: "neither XDG_RUNTIME_DIR nor HOME names a directory")
  }

  /// Every directory in which the calling user may find captures: his own, and for root those in /run/user.
  static func forClient() -> [ControlDirectory] {
    let user = geteuid()
    var list = parents().filter { owner(of: $0) == user }
      .compactMap { try? ControlDirectory(in: $0, owner: user, creating: false) }
    if user == 0 {
      for name in names(in: "/run/user") {
        guard let other = uid_t(name), other != 0, owner(of: "/run/user/" + name) == other else { continue }
        if let one = try? ControlDirectory(in: "/run/user/" + name, owner: other, creating: false) { list.append(one) }
      }
    }
    return list
  }

  /// Parents of the user's directories, the best one first. (Root of a user namespace may have to do without /run.)
  private static func parents() -> [String] {
    var list = geteuid() == 0 ? ["/run"] : []
    if let runtime = variable("XDG_RUNTIME_DIR") { list.append(runtime) }
    if let home = variable("HOME") { list.append(home + "/.cache") }
    return list
  }

  private static func variable(_ name: String) -> String? {
    // SAFETY: nobody changes the environment.
    guard let text = unsafe getenv(name) else { return nil }
    let value = unsafe String(cString: text)
    return value.hasPrefix("/") ? value : nil
  }

  /// Who owns a directory; nil for everything else, links too.
  private static func owner(of path: String) -> uid_t? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
    return status.st_uid
  }

  private static func exists(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0
  }

  // MARK: Names

  /// The names of the directory.
  var names: [String] { ControlDirectory.names(of: descriptor) }

  func remove(_ name: String) { _ = unsafe unlinkat(descriptor, name, 0) }

  private static func names(in path: String) -> [String] {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return names(of: descriptor)
  }

  private static func names(of descriptor: CInt) -> [String] {
    var buffer = [CChar](repeating: 0, count: 64 << 10)
    let count = unsafe swpcap_directory_names(descriptor, &buffer, buffer.count)
    guard count > 0 else { return [] }
    return buffer[..<Int(count)].split(separator: 0)
      .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }.sorted()
  }
}
