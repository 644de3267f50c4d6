// A client of the daemon: one connection, one request at a time, each with a time limit.
internal import CPcapShim
import Glibc
import SwBPFInterfaces
import SwBPFKern

/// What the daemon does not answer in time, or answers with nonsense, is an error, and the connection is of no use
/// any more: the next request fails at once.
/// - Threads: one at a time.
package final class DaemonClient {
  /// How long a request may take, ns.
  package static let patience: Int64 = 10_000_000_000
  /// How long connecting and greeting may take, ns.
  static let greetingPatience: Int64 = 2_000_000_000
  /// Events that wait for their reader at most, bytes.
  static let mostEvents = 16 << 20

  package struct Answer: Sendable {
    package let body: [UInt8]
    /// The caller's to close.
    package let descriptors: [CInt]
  }

  package let path: String
  /// The daemon's hello.
  package private(set) var server: DaemonHello
  private let socket: MessageSocket
  private var buffer = MessageSocket.buffer()
  private var lastID: UInt32 = 0
  private var events: [DaemonMessage] = []
  private var eventBytes = 0
  private var failure: DaemonFailure?

  /// Connects and greets.
  /// - Parameter named: the socket's path; nil: SWBPF_SOCKET, else that of the calling thread's network namespace.
  package init(socket named: String? = nil, takesAnyNamespace: Bool = false) throws(DaemonFailure) {
    let deadline = Clock.monotonic() + Self.greetingPatience
    let namespace: NamespaceIdentity
    do throws(DaemonPlace.Refusal) {
      path = try DaemonPlace.path(named: named)
      namespace = try DaemonPlace.namespace()
    } catch { throw .untrusted(path: named ?? "", reason: error.text) }
    socket = try Self.connect(path, deadline)
    server = DaemonHello(namespace: namespace, pid: 0)
    let hello = DaemonHello(namespace: namespace, pid: getpid(), takesAnyNamespace: takesAnyNamespace)
    try send(DaemonMessage(.hello, body: hello.body), until: deadline)
    let (answer, descriptors) = try receive(until: deadline)
    for descriptor in descriptors { close(descriptor) }
    if answer.error != 0 {
      if answer.error == EXDEV { throw .otherNamespace(path: path) }
      throw .refused(InterfaceFailure(errno: answer.error, body: answer.body))
    }
    guard answer.kind == .hello, let theirs = DaemonHello(body: answer.body) else { throw nonsense() }
    guard takesAnyNamespace || theirs.namespace == namespace else { throw .otherNamespace(path: path) }
    server = theirs
  }

  /// For poll(2): readable when something has come.
  package var descriptor: CInt { socket.descriptor }

  // MARK: requests

  /// Asks, and waits for the answer.
  /// - Parameter mostDescriptors: how many the answer may carry; more are closed and an error.
  package func request(
    _ kind: MessageKind, body: [UInt8] = [], descriptors: [CInt] = [], mostDescriptors: Int = 0,
    patience: Int64 = patience
  ) throws(DaemonFailure) -> Answer {
    if let failure { throw failure }
    guard body.count <= DaemonMessage.largestBody else {
      throw .refused(InterfaceFailure(errno: EMSGSIZE, request: ""))
    }
    let deadline = Clock.monotonic(after: patience)
    lastID = lastID == .max ? 1 : lastID + 1
    do throws(DaemonFailure) {
      try send(DaemonMessage(kind, id: lastID, body: body), descriptors: descriptors, until: deadline)
      while true {
        let (message, received) = try receive(until: deadline)
        if message.id == 0 {
          for descriptor in received { close(descriptor) }
          try keep(message)
          continue
        }
        // A daemon that does not know the kind answers with another.
        let isAnswer = message.kind == kind && received.count <= mostDescriptors
        guard message.id == lastID, isAnswer, message.error == 0 else {
          for descriptor in received { close(descriptor) }
          if message.id != lastID || message.error == 0 { throw nonsense() }
          throw .refused(InterfaceFailure(errno: message.error, body: message.body))
        }
        return Answer(body: message.body, descriptors: received)
      }
    } catch {
      if error.refusal == nil { failure = error }
      throw error
    }
  }

  /// The next event, waiting for it. - Parameter deadline: CLOCK_MONOTONIC, ns; nil: none.
  /// - Returns: nil at the deadline.
  package func event(until deadline: Int64?) throws(DaemonFailure) -> DaemonMessage? {
    if events.isEmpty {
      if let failure { throw failure }
      guard socket.wait(until: deadline) else { return nil }
      do throws(DaemonFailure) {
        let (message, received) = try receive(until: Clock.monotonic() + Self.greetingPatience)
        for descriptor in received { close(descriptor) }
        guard message.id == 0 else { throw nonsense() }
        return message
      } catch {
        failure = error
        throw error
      }
    }
    let event = events.removeFirst()
    eventBytes -= event.body.count + 64
    return event
  }

  private func keep(_ message: DaemonMessage) throws(DaemonFailure) {
    // A server that says nothing but events must not take all the memory.
    eventBytes += message.body.count + 64
    if eventBytes > Self.mostEvents { throw .broken(path: path, reason: "more events than can be kept") }
    events.append(message)
  }

  /// What came is not what can come.
  func nonsense() -> DaemonFailure { .broken(path: path, reason: "what it says is no answer") }

  // MARK: the socket

  private static func connect(_ path: String, _ deadline: Int64) throws(DaemonFailure) -> MessageSocket {
    let place: DaemonPlace
    do throws(DaemonPlace.Refusal) {
      place = try DaemonPlace(path: path)
    } catch {
      if error.isMissing { throw .noDaemon(path: path) }
      throw .untrusted(path: path, reason: error.text)
    }
    while true {
      let result = unsafe swpcap_message_connect(place.descriptor, place.name)
      switch result {
      case -EAGAIN, -EINTR:
        // Its queue is full.
        if Clock.monotonic() >= deadline { throw .silent(path: path) }
        usleep(2000)
      case -ECONNREFUSED, -ENOENT: throw .noDaemon(path: path)
      case -EPROTOTYPE, -ENOTSOCK: throw .untrusted(path: path, reason: "it is no daemon's socket")
      case ..<0: throw .untrusted(path: path, reason: SystemText.of(-result))
      default:
        let socket = MessageSocket(result)
        guard let peer = socket.peer else { throw .untrusted(path: path, reason: "nobody knows who listens there") }
        guard peer.user == place.owner else {
          throw .untrusted(
            path: path, reason: "user \(peer.user) listens there, and the directory is user \(place.owner)'s")
        }
        return socket
      }
    }
  }

  private func send(
    _ message: DaemonMessage, descriptors: [CInt] = [], until deadline: Int64
  ) throws(DaemonFailure) {
    let bytes = message.bytes
    while true {
      switch socket.send(bytes, descriptors: descriptors) {
      case 0: return
      case EAGAIN:
        guard socket.wait(writing: true, until: deadline) else { throw .silent(path: path) }
      case EPIPE, ECONNRESET:
        // It may have said why before it hung up: the next receive tells.
        return
      case let error: throw .broken(path: path, reason: SystemText.of(error))
      }
    }
  }

  private func receive(until deadline: Int64) throws(DaemonFailure) -> (DaemonMessage, [CInt]) {
    var wasReset = false
    while true {
      switch socket.receive(&buffer) {
      case .wait:
        guard socket.wait(until: deadline) else { throw .silent(path: path) }
      case .failed(ECONNRESET) where !wasReset:
        // Told once, in front of what it said before.
        wasReset = true
      case .end, .failed(ECONNRESET), .failed(EPIPE):
        throw .broken(path: path, reason: "the daemon ended the connection")
      case .failed(EMSGSIZE): throw nonsense()
      case .failed(let error): throw .broken(path: path, reason: SystemText.of(error))
      case .message(let bytes, let descriptors):
        do throws(DaemonMessage.Malformed) {
          return (try DaemonMessage(bytes[...]), descriptors)
        } catch {
          for descriptor in descriptors { close(descriptor) }
          if case .version(let version) = error {
            throw .broken(path: path, reason: "the daemon speaks version \(version): use the swbpf of its version")
          }
          throw nonsense()
        }
      }
    }
  }
}
