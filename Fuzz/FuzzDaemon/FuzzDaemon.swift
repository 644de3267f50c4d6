// Fuzz target: bytes as a message at the daemon's control socket, and as an answer of a daemon. What was read is written as
// the same bytes again.
//
//     SWBPF_FUZZ=1 swift build --scratch-path .build-fuzz --sanitize=fuzzer --sanitize=address --product FuzzDaemon
import SwBPFDaemon
import SwBPFDaemonClient
import SwBPFInterfaces

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDaemon(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  guard let message = try? DaemonMessage(bytes[...]) else {
    // The same bytes as a body of every kind: a header is seldom guessed.
    for kind in MessageKind.allCases where size <= DaemonMessage.largestBody {
      read(DaemonMessage(kind, id: 1, body: bytes))
    }
    return 0
  }
  precondition(message.bytes == bytes, "a message that is written otherwise than it was read")
  read(message)
  return 0
}

private func read(_ message: DaemonMessage) {
  if let hello = DaemonHello(body: message.body) { precondition(DaemonHello(body: hello.body) == hello) }
  _ = MessageBody(message.body, tags: RemoteTag.all)
  let failure = InterfaceFailure(errno: 1, body: message.body)
  let again = InterfaceFailure(errno: 1, body: failure.body)
  precondition(again.request == failure.request && again.text == failure.text, "other words than went")
  RequestCheck.read(message)
}
