// What /proc tells of other processes: for a word of help only, nothing is decided by it.
import Glibc

enum Processes {
  /// A file of /proc, at most 64 KiB.
  static func read(_ path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 64 << 10 {
      let count = unsafe Glibc.read(file, &buffer, buffer.count)
      if count <= 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The effective user of a process; nil when there is none.
  static func user(of pid: pid_t) -> uid_t? {
    guard let text = read("/proc/\(pid)/status") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("Uid:") {
      let fields = line.split(whereSeparator: \.isWhitespace)
      return fields.count > 2 ? uid_t(fields[2]) : nil
    }
    return nil
  }

  /// Whether a process looks like a capture of this command.
  static func looksLikeCapture(_ pid: pid_t) -> Bool {
    guard read("/proc/\(pid)/comm") == "swbpf\n", let line = read("/proc/\(pid)/cmdline") else { return false }
    let words = line.split(separator: "\0", omittingEmptySubsequences: false)
    return words.count < 2 || Subcommand(rawValue: String(words[1])) == nil
  }

  /// Every process that looks like a capture.
  static var captures: [pid_t] {
    guard let list = unsafe opendir("/proc") else { return [] }
    defer { unsafe closedir(list) }
    var found: [pid_t] = []
    while let entry = unsafe readdir(list) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let pid = pid_t(name), pid != getpid(), looksLikeCapture(pid) { found.append(pid) }
    }
    return found
  }

  /// The name of a user, or his number.
  static func name(of user: uid_t) -> String {
    guard let entry = unsafe getpwuid(user) else { return "\(user)" }
    return unsafe String(cString: entry.pointee.pw_name)
  }
}
