// The daemon's socket. The control thread talks to clients; the main thread does what they ask for.
internal import CPcapShim
import Glibc
import Logging
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern

/// A request that waits for the main thread.
struct Ask: Sendable {
  let client: UInt64
  let caller: Caller
  let id: UInt32
  let kind: MessageKind
  let row: RequestRow
  let request: DaemonRequest
}

/// Something for a client. Descriptors are closed once they are sent, or when the client is gone.
struct Outgoing: Sendable {
  let client: UInt64
  let bytes: [UInt8]
  var descriptors: [CInt] = []
  let isAnswer: Bool
}

/// The thread is of low priority, asleep while nothing happens, and takes no lock but the server's own leaf: what clients do
/// costs a bounded share of a core and holds no packet up. One request of a connection is under way at a time, so what a
/// client can make wait is one request, one answer, and a bounded number of events.
final class DaemonServer: @unchecked Sendable {
  let limits: DaemonLimits
  let namespace: NamespaceIdentity
  let log: Logger
  private let place: DaemonPlace
  let socket: CInt
  /// Told when there is something for ``take()``. An eventfd.
  let asked: CInt
  let wake: CInt
  private var thread: Thread?
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var asks: [Ask] = []
  private var outgoing: [Outgoing] = []
  private var gone: [UInt64] = []
  /// Bytes of events on their way, of each client that has some.
  private var backlog: [UInt64: Int] = [:]
  /// Clients for which the main thread has more than fits.
  private var starved: Set<UInt64> = []
  private var isStopping = false

  /// Makes the socket; nobody is answered before ``start()``.
  init(_ place: DaemonPlace, limits: DaemonLimits, log: Logger) throws(DaemonPlace.Refusal) {
    self.place = place
    self.limits = limits
    self.log = log
    namespace = try DaemonPlace.namespace()
    if Self.isTaken(place) {
      throw DaemonPlace.Refusal(text: "\(place.path): another daemon listens there")
    }
    let result = unsafe swpcap_message_listen(place.descriptor, place.name + ".new", place.name, 128)
    guard result >= 0 else {
      throw DaemonPlace.Refusal(text: "\(place.path): \(SystemText.of(-result))")
    }
    socket = result
    asked = swpcap_event_open()
    wake = swpcap_event_open()
  }

  deinit {
    for one in outgoing { for descriptor in one.descriptors { close(descriptor) } }
    close(socket)
    close(asked)
    close(wake)
  }

  private static func isTaken(_ place: DaemonPlace) -> Bool {
    let result = unsafe swpcap_message_connect(place.descriptor, place.name)
    if result >= 0 { close(result) }
    return result >= 0 || result == -EAGAIN
  }

  func start() {
    thread = Thread(name: "swbpf-control") { [unowned self] in
      var loop = ControlLoop(self)
      loop.run()
    }
  }

  /// Ends the thread and takes the name away.
  func stop() {
    lock.withLock { isStopping = true }
    swpcap_event_signal(wake)
    thread?.join()
    thread = nil
    _ = unsafe unlinkat(place.descriptor, place.name, 0)
  }

  var path: String { place.path }

  // MARK: The main thread's side

  struct Taken {
    var asks: [Ask] = []
    /// Clients that have ended since.
    var gone: [UInt64] = []
  }

  func take() -> Taken {
    swpcap_event_clear(asked)
    return lock.withLock {
      defer { (asks, gone) = ([], []) }
      return Taken(asks: asks, gone: gone)
    }
  }

  /// Answers a request. - Parameter descriptors: given away.
  func answer(_ ask: Ask, error: Int32 = 0, body: [UInt8] = [], descriptors: [CInt] = []) {
    let bytes = DaemonMessage(ask.kind, id: ask.id, error: error, body: body).bytes
    lock.withLock {
      outgoing.append(Outgoing(client: ask.client, bytes: bytes, descriptors: descriptors, isAnswer: true))
    }
    swpcap_event_signal(wake)
  }

  /// Sends an event: after ``hasRoom(_:)``.
  func event(_ client: UInt64, _ message: DaemonMessage) {
    let bytes = message.bytes
    lock.withLock {
      backlog[client, default: 0] += bytes.count
      outgoing.append(Outgoing(client: client, bytes: bytes, isAnswer: false))
    }
    swpcap_event_signal(wake)
  }

  /// Whether another event may be sent; if not, the main thread is woken as soon as it may.
  func hasRoom(_ client: UInt64) -> Bool {
    lock.withLock {
      if backlog[client, default: 0] < limits.events { return true }
      starved.insert(client)
      return false
    }
  }

  // MARK: The control thread's side

  var mustStop: Bool { lock.withLock { isStopping } }

  func post(_ ask: Ask) {
    lock.withLock { asks.append(ask) }
    swpcap_event_signal(asked)
  }

  func collect() -> [Outgoing] {
    lock.withLock {
      defer { outgoing = [] }
      return outgoing
    }
  }

  /// An event has left.
  func sent(_ client: UInt64, bytes: Int) {
    let isWaited = lock.withLock {
      let left = backlog[client, default: 0] - bytes
      backlog[client] = left > 0 ? left : nil
      return left < limits.events / 2 && starved.remove(client) != nil
    }
    if isWaited { swpcap_event_signal(asked) }
  }

  func ended(_ client: UInt64) {
    lock.withLock {
      backlog[client] = nil
      starved.remove(client)
      asks.removeAll { $0.client == client }
      gone.append(client)
    }
    swpcap_event_signal(asked)
  }
}
