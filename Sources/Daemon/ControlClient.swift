// One connection, as the control thread sees it.
import Glibc
import SwBPFDaemonClient

struct ControlledClient {
  enum State {
    /// The hello has not come.
    case greeting
    case ready
    /// It goes when all is sent.
    case ending
  }

  let id: UInt64
  let socket: MessageSocket
  let caller: Caller
  var state = State.greeting
  /// A request is with the main thread.
  var isWaiting = false
  var output: [Outgoing] = []
  var outputHead = 0
  /// CLOCK_MONOTONIC, ns; nil: there is nothing to wait for.
  var deadline: Int64?

  init(id: UInt64, socket: MessageSocket, caller: Caller, deadline: Int64) {
    self.id = id
    self.socket = socket
    self.caller = caller
    self.deadline = deadline
  }

  var hasOutput: Bool { outputHead < output.count }

  mutating func push(_ one: Outgoing) { output.append(one) }

  mutating func popOutput() -> Outgoing {
    let one = output[outputHead]
    outputHead += 1
    if outputHead == output.count { (output, outputHead) = ([], 0) }
    return one
  }

  /// What poll(2) is asked for.
  func events(mayAsk: Bool) -> Int16 {
    if hasOutput { return Int16(POLLOUT) }
    if isWaiting || state == .ending || !mayAsk { return 0 }
    return Int16(POLLIN)
  }

  /// Frees what was not sent.
  func discard() {
    for one in output[outputHead...] { for descriptor in one.descriptors { close(descriptor) } }
  }
}
