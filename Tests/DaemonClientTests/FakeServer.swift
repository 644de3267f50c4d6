// A server that says what a test wants it to say.
import CPcapShim
import Glibc
import SwBPFInterfaces

@testable import SwBPFDaemonClient
@testable import TestSupport

/// Listens in a directory of its own; `serve` runs on its thread, once for each connection.
final class FakeServer: @unchecked Sendable {
  let path: String
  let directory: String
  private let socket: CInt
  private let place: DaemonPlace
  private var thread: pthread_t?

  init(_ serve: @escaping @Sendable (MessageSocket) -> Void) throws {
    var template = Array("/tmp/swbpf-client.XXXXXX".utf8CString)
    directory = String(cString: mkdtemp(&template))
    path = directory + "/d.sock"
    place = try DaemonPlace(path: path)
    socket = swpcap_message_listen(place.descriptor, "d.new", "d.sock", 16)
    if socket < 0 { throw SupportError.system(call: "listen", errno: -socket) }
    let listener = socket
    thread = startThread {
      while true {
        var set = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        _ = poll(&set, 1, -1)
        let client = swpcap_unix_accept(listener)
        if client < 0 { return }
        serve(MessageSocket(client))
      }
    }
  }

  deinit {
    // Wakes the thread: accept fails from now on.
    shutdown(socket, CInt(SHUT_RDWR))
    if let thread { pthread_join(thread, nil) }
    close(socket)
    unlink(path)
    rmdir(directory)
  }

  /// A right hello, after the client's.
  static func greet(_ socket: MessageSocket) {
    _ = next(socket)
    let namespace = try? DaemonPlace.namespace()
    let hello = DaemonHello(namespace: namespace ?? NamespaceIdentity(device: 0, inode: 0), pid: getpid())
    _ = socket.send(DaemonMessage(.hello, body: hello.body).bytes)
  }

  /// The client's next message; nil at its end.
  static func next(_ socket: MessageSocket) -> DaemonMessage? {
    var buffer = MessageSocket.buffer()
    while true {
      switch socket.receive(&buffer) {
      case .message(let bytes, _): return try? DaemonMessage(bytes[...])
      case .wait: _ = socket.wait(until: nil)
      default: return nil
      }
    }
  }
}
