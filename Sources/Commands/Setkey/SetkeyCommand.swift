// swbpf setkey: associations and policies in the words of setkey(8).
import Glibc
import SwBPFKern
import SwBPFPFKey

struct SetkeyCommand {
  /// No file of statements may be larger, in bytes.
  static let largestFile = 16 << 20

  static let usage = "Usage: swbpf setkey [-nv] -f FILE | -c, swbpf setkey -D[P[p]] [-a] | -F[P] | -x"

  static var help: String {
    let letters = SetkeyOption.all.map { option in
      let name = "-\(option.letter)" + (option.value.map { " \($0)" } ?? "")
      return "  \(name)\(String(repeating: " ", count: 10 - name.count))\(option.about)\n"
    }
    return """
      \(usage)

      Associations and policies of the daemon (swbpf daemon), in the words of setkey(8).
      With -n statements are only checked, without a daemon: every mistake with its line and column.

      \(letters.joined())  --noauth  with -n: associations without integrity are right (net.ipsec.noauth=1)
        --socket PATH
                  another daemon than that of this network namespace

      """
  }

  let options: SetkeyOptions

  func run() throws(CommandError) -> CInt {
    switch options.task {
    case .help:
      Messages.write(Self.help, to: STDOUT_FILENO)
      return 0
    case .statements(let file) where options.onlyChecks:
      return try read(file, allowsNoIntegrity: options.allowsNoIntegrity) == nil ? 1 : 0
    case .statements(let file): return try obey(file)
    case .dump: return try list()
    case .flush: return try flush()
    case .monitor: return try monitor()
    }
  }

  /// A file without mistakes; nil after all of them were told.
  private func read(_ path: String?, allowsNoIntegrity: Bool) throws(CommandError) -> [SetkeyStatement]? {
    let file = SetkeyParser.parse(try Self.bytes(of: path), rules: SetkeyRules(allowsNoIntegrity: allowsNoIntegrity))
    let name = Self.name(of: path)
    for remark in file.remarks { Messages.say("setkey: " + remark.line(file: name)) }
    guard file.errors.isEmpty else { return nil }
    if options.isVerbose {
      Messages.write(file.statements.map { $0.text + "\n" }.joined(), to: STDOUT_FILENO)
    }
    return file.statements
  }

  private static func name(of path: String?) -> String { path.map(Printable.text) ?? "<stdin>" }

  /// Reads all of a file, then does what it says; a statement that is refused does not hold up those behind it.
  private func obey(_ path: String?) throws(CommandError) -> CInt {
    var session = try SetkeySession(socket: options.socket)
    guard let statements = try read(path, allowsNoIntegrity: try session.allowsNoIntegrity()) else { return 1 }
    var status: CInt = 0
    for statement in statements {
      let (error, messages) = try session.perform(statement)
      switch statement.action {
      case .dump where error == 0 || error == ENOENT: show(messages, policies: false)
      case .policyDump where error == 0 || error == ENOENT: show(messages, policies: true)
      case .get where error == 0: show(messages, policies: false)
      case _ where error != 0:
        let place = "\(Self.name(of: path)):\(statement.position.line):\(statement.position.column)"
        Messages.say("setkey: \(place): \(Messages.text(of: error))")
        status = 1
      default: break
      }
    }
    return status
  }

  /// -D, -DP
  private func list() throws(CommandError) -> CInt {
    var session = try SetkeySession(socket: options.socket)
    let (error, messages) = try session.perform(SetkeyStatement(options.policies ? .policyDump : .dump(nil)))
    guard error == 0 || error == ENOENT else { throw CommandError("setkey: \(Messages.text(of: error))") }
    show(messages, policies: options.policies)
    return 0
  }

  /// -F, -FP
  private func flush() throws(CommandError) -> CInt {
    var session = try SetkeySession(socket: options.socket)
    let (error, _) = try session.perform(SetkeyStatement(options.policies ? .policyFlush : .flush(nil)))
    guard error == 0 else { throw CommandError("setkey: \(Messages.text(of: error))") }
    return 0
  }

  /// -x: until the command is ended.
  private func monitor() throws(CommandError) -> CInt {
    let session = try SetkeySession(socket: options.socket)
    while let message = try session.next(until: nil) {
      Messages.write(Self.dump.monitored(message, ports: options.ports), to: STDOUT_FILENO)
    }
    return 0
  }

  private func show(_ messages: [Message], policies: Bool) {
    let text =
      policies
      ? Self.dump.policies(messages.compactMap { try? SecurityPolicy($0) }, ports: options.ports)
      : Self.dump.associations(messages.compactMap { try? SecurityAssociation($0) }, showsDead: options.showsDead)
    Messages.write(text, to: STDOUT_FILENO)
  }

  private static var dump: SetkeyDump { SetkeyDump(now: UInt64(max(0, Clock.wall() / 1_000_000_000))) }

  /// The file's bytes; nil is standard input.
  private static func bytes(of path: String?) throws(CommandError) -> [UInt8] {
    let name = path.map(Printable.text) ?? "standard input"
    let file = path.map { unsafe open($0, O_RDONLY | O_CLOEXEC) } ?? dup(STDIN_FILENO)
    guard file >= 0 else { throw CommandError("setkey: \(name): \(Messages.text(of: errno))") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = unsafe Glibc.read(file, &buffer, buffer.count)
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
