// PF_KEY sockets of the daemon's clients. Main thread only, but for what wakes it.
internal import CPcapShim
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey

/// The engine puts messages into a socket's queue under its lock, on whatever thread; that wakes the main thread, which
/// hands them to the control thread as far as the client takes them. What is too much for the queue is dropped there.
final class KeySessions {
  private let engine: KeyEngine
  private let server: DaemonServer
  private var sockets: [UInt64: KeySocket] = [:]

  init(_ engine: KeyEngine, _ server: DaemonServer) {
    self.engine = engine
    self.server = server
  }

  func open(_ client: UInt64, most: Int) throws(InterfaceFailure) {
    guard sockets[client] == nil else { throw InterfaceFailure(errno: EISCONN, request: "PF_KEY") }
    guard sockets.count < most else { throw InterfaceFailure(errno: EMFILE, request: "PF_KEY") }
    let asked = server.asked
    sockets[client] = engine.open { swpcap_event_signal(asked) }
  }

  func close(_ client: UInt64) {
    if let socket = sockets.removeValue(forKey: client) { engine.close(socket) }
  }

  func closeAll() {
    for client in Array(sockets.keys) { close(client) }
  }

  func send(_ message: [UInt8], of client: UInt64) throws(InterfaceFailure) {
    guard let socket = sockets[client] else { throw InterfaceFailure(errno: ENOTCONN, request: "PF_KEY") }
    do throws(PFKeyError) {
      // What is made now is dated now.
      engine.tick(now: UInt64(max(0, Clock.wall() / 1_000_000_000)))
      try engine.send(message, from: socket)
    } catch { throw InterfaceFailure(errno: error.errno, request: "PF_KEY") }
  }

  /// Hands on what waits.
  func deliver() {
    for (client, socket) in sockets {
      while server.hasRoom(client), let message = socket.receive() {
        guard message.count <= DaemonMessage.largestBody else { continue }
        server.event(client, DaemonMessage(.keyMessage, body: message))
      }
    }
  }
}
