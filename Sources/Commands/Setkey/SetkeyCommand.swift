// swbpf setkey: associations and policies in the words of setkey(8).
import Glibc
import SwBPFPFKey

struct SetkeyCommand {
  /// No file of statements may be larger, in bytes.
  static let largestFile = 16 << 20

  static let usage = "Usage: swbpf setkey -n [-v] [--noauth] -f FILE | -c"

  static var help: String {
    let letters = SetkeyOption.all.map { option in
      let name = "-\(option.letter)" + (option.value.map { " \($0)" } ?? "")
      return "  \(name)\(String(repeating: " ", count: 10 - name.count))\(option.about)\n"
    }
    return """
      \(usage)

      Checks statements of setkey(8). Nothing is changed and nothing is printed when all are right;
      otherwise every mistake with its line and column. Without -n a daemon is needed.

      \(letters.joined())  --noauth  associations without integrity are right, as with net.ipsec.noauth=1

      """
  }

  let options: SetkeyOptions

  func run() throws(CommandError) -> CInt {
    switch options.task {
    case .help:
      Messages.write(Self.help, to: STDOUT_FILENO)
      return 0
    case .statements(let file) where options.onlyChecks: return try check(file)
    default:
      throw CommandError("setkey: no daemon keeps associations and policies (-n checks a file without one)")
    }
  }

  private func check(_ path: String?) throws(CommandError) -> CInt {
    let file = SetkeyParser.parse(
      try Self.bytes(of: path), rules: SetkeyRules(allowsNoIntegrity: options.allowsNoIntegrity))
    let name = path.map(Printable.text) ?? "<stdin>"
    for remark in file.remarks { Messages.say("setkey: " + remark.line(file: name)) }
    guard file.errors.isEmpty else { return 1 }
    if options.isVerbose {
      Messages.write(file.statements.map { $0.text + "\n" }.joined(), to: STDOUT_FILENO)
    }
    return 0
  }

  /// The file's bytes; nil is standard input.
  private static func bytes(of path: String?) throws(CommandError) -> [UInt8] {
    let name = path.map(Printable.text) ?? "standard input"
    let file = path.map { unsafe open($0, O_RDONLY | O_CLOEXEC) } ?? dup(STDIN_FILENO)
    guard file >= 0 else { throw CommandError("setkey: \(name): \(Messages.text(of: errno))") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = unsafe read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw CommandError("setkey: \(name): \(Messages.text(of: errno))") }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      if bytes.count > largestFile {
        throw CommandError("setkey: \(name): more than \(largestFile >> 20) MiB of statements (make several files)")
      }
    }
  }
}
