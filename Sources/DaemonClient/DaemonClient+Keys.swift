// PF_KEY over the daemon's socket.

extension DaemonClient {
  /// From now on the connection is a PF_KEY socket, too: what its kind is told comes as events.
  package func openKeys() throws(DaemonFailure) { _ = try request(.keyOpen) }

  package func closeKeys() throws(DaemonFailure) { _ = try request(.keyClose) }

  /// write(2) of a PF_KEY socket: a refusal here is the write's, not the message's.
  package func sendKeyMessage(_ bytes: [UInt8]) throws(DaemonFailure) {
    _ = try request(.keyMessage, body: bytes)
  }

  /// read(2) of a PF_KEY socket. - Parameter deadline: CLOCK_MONOTONIC, ns; nil: none.
  /// - Returns: nil at the deadline.
  package func keyMessage(until deadline: Int64?) throws(DaemonFailure) -> [UInt8]? {
    while let event = try event(until: deadline) {
      if event.kind == .keyMessage { return event.body }
    }
    return nil
  }
}
