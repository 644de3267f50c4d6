// -F: a filter expression in a file.
import Glibc

enum ExpressionFile {
  /// The file's text without comments (`#` to the end of a line, as tcpdump takes them).
  static func read(_ path: String) throws(CommandError) -> String {
    let file = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw CommandError("can't open \(path): \(Messages.text(of: errno))") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe Glibc.read(file, &buffer, buffer.count)
      if count < 0 { throw CommandError("can't read \(path): \(Messages.text(of: errno))") }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .map { line in String(line.prefix { $0 != "#" }) }.joined(separator: " ")
  }
}
