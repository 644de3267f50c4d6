// A PF_KEY socket of the daemon's: messages of setkey(8) with their answers.
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey

struct SetkeySession {
  /// How long an answer may take, ns.
  private static let patience: Int64 = 10_000_000_000

  private let client: DaemonClient
  private let pid = UInt32(getpid())
  private var sequence: UInt32 = 0

  init(socket: String?) throws(CommandError) {
    do throws(DaemonFailure) {
      client = try DaemonClient(socket: socket)
      try client.openKeys()
    } catch { throw Self.explain(error) }
  }

  /// Whether the daemon takes associations without integrity. (`net.ipsec.noauth`)
  func allowsNoIntegrity() throws(CommandError) -> Bool {
    do throws(DaemonFailure) {
      return try client.setting("net.ipsec.noauth").value == .number(1)
    } catch {
      if error.refusal?.errno == ENOENT { return false }
      throw Self.explain(error)
    }
  }

  /// Sends what a statement says. - Returns: 0 or an errno, and what it lists.
  mutating func perform(_ statement: SetkeyStatement) throws(CommandError) -> (errno: CInt, messages: [Message]) {
    sequence += 1
    guard var bytes = statement.message(sequence: sequence, pid: pid), let type = MessageType(rawValue: bytes[1]) else {
      return (EINVAL, [])
    }
    defer { eraseKey(&bytes) }
    do throws(DaemonFailure) {
      try client.sendKeyMessage(bytes)
    } catch {
      if let refusal = error.refusal, refusal.errno != EPERM { return (refusal.errno, []) }
      throw Self.explain(error)
    }
    var messages: [Message] = []
    let isList = type == .dump || type == .spdDump
    let deadline = Clock.monotonic() + Self.patience
    while true {
      guard let message = try next(until: deadline) else { throw CommandError("setkey: no answer from the daemon") }
      // Others' changes are told, too.
      guard message.header.type == type.rawValue, message.header.pid == pid else { continue }
      if message.header.errno != 0 { return (CInt(message.header.errno), []) }
      guard isList || message.header.sequence == sequence else { continue }
      messages.append(message)
      // Entries of a list count down.
      if !isList || message.header.sequence == 0 { return (0, messages) }
    }
  }

  /// The next message, whoever's. - Parameter deadline: CLOCK_MONOTONIC, ns; nil: none.
  func next(until deadline: Int64?) throws(CommandError) -> Message? {
    do throws(DaemonFailure) {
      while let bytes = try client.keyMessage(until: deadline) {
        if let message = try? Message(bytes) { return message }
      }
      return nil
    } catch { throw Self.explain(error) }
  }

  private static func explain(_ failure: DaemonFailure) -> CommandError {
    if failure.refusal?.errno == EPERM { return CommandError("setkey: only root may see and change keys") }
    return CommandError("setkey: " + Printable.text(failure.text))
  }
}
