// A daemon's server and service in the process of a test.
import CPcapShim
import Glibc
import Logging
import SwBPFBPF
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey

@testable import SwBPFDaemon
@testable import TestSupport

/// Requests are done on a thread of its own. It ends with this object.
final class Served: @unchecked Sendable {
  let path: String
  let interfaces = TableService()
  private let directory: String
  private let server: DaemonServer
  private let stop = Event.open()
  private var thread: pthread_t?

  init(
    _ limits: DaemonLimits = DaemonLimits(), rights: Rights = Rights(), taps: (any BPF.InterfaceDirectory)? = nil
  ) throws {
    var template = Array("/tmp/swbpf-served.XXXXXX".utf8CString)
    directory = String(cString: mkdtemp(&template))
    chmod(directory, 0o755)
    path = directory + "/d.sock"
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    server = try DaemonServer(try DaemonPlace(path: path, creating: true), limits: limits, log: log)
    server.start()
    let (server, interfaces, stop) = (self.server, self.interfaces, self.stop)
    thread = startThread {
      let remote = taps.map { RemoteTaps($0, limits: limits) }
      let service = DaemonService(server, interfaces, KeyEngine(now: 1_000_000), remote, rights: rights, log: log)
      while true {
        var set = [
          pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
          pollfd(fd: server.asked, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&set, 2, -1)
        if set[0].revents != 0 { break }
        service.serve()
      }
      service.shutdown()
    }
  }

  deinit {
    Event.make(stop, set: true)
    if let thread { pthread_join(thread, nil) }
    server.stop()
    close(stop)
    rmdir(directory)
  }

  func client() throws -> DaemonClient { try DaemonClient(socket: path) }

  /// A connection of which nothing has been said.
  func connect() throws -> MessageSocket {
    let place = try DaemonPlace(path: path)
    var result = swpcap_message_connect(place.descriptor, place.name)
    _ = eventually {
      if result == -EAGAIN { result = swpcap_message_connect(place.descriptor, place.name) }
      return result != -EAGAIN
    }
    if result < 0 { throw SupportError.system(call: "connect", errno: -result) }
    return MessageSocket(result)
  }

  static func hello() throws -> DaemonMessage {
    DaemonMessage(.hello, body: DaemonHello(namespace: try DaemonPlace.namespace(), pid: getpid()).body)
  }
}

extension MessageSocket {
  /// The next message; nil at the end, or when nothing came in time.
  func next(within seconds: Double = 5) -> DaemonMessage? {
    var buffer = MessageSocket.buffer()
    let deadline = Clock.monotonic() + Int64(seconds * 1e9)
    var resets = 0
    while wait(until: deadline) {
      switch receive(&buffer) {
      case .message(let bytes, _): return try? DaemonMessage(bytes[...])
      case .wait: continue
      case .failed(ECONNRESET) where resets == 0: resets += 1
      default: return nil
      }
    }
    return nil
  }

  /// Whether the other end hangs up in time, whatever it says before.
  func isEnded(within seconds: Double = 5) -> Bool {
    var buffer = MessageSocket.buffer()
    let deadline = Clock.monotonic() + Int64(seconds * 1e9)
    while wait(until: deadline) {
      switch receive(&buffer) {
      case .end, .failed(EPIPE): return true
      default: continue
      }
    }
    return false
  }
}
