// The control thread: accepts, reads, writes, counts. It does nothing else.
internal import CPcapShim
import Glibc
import SwBPFDaemonClient
import SwBPFInterfaces
import SwBPFKern

/// Lives on the stack of its thread.
struct ControlLoop {
  private let server: DaemonServer
  private var clients: [ControlledClient] = []
  private var buffer = MessageSocket.buffer()
  private var nextID: UInt64 = 1
  private var connections: [UInt32: Int] = [:]
  /// Requests of this window.
  private var requests: [UInt32: Int] = [:]
  private var windowEnd: Int64 = 0
  private var acceptWindowEnd: Int64 = 0
  private var acceptBudget = 0
  private let overflowUser = Rights.systemOverflowUser

  init(_ server: DaemonServer) { self.server = server }

  private var limits: DaemonLimits { server.limits }

  mutating func run() {
    swpcap_thread_nice(5)
    while !server.mustStop { turn() }
    for client in clients { client.discard() }
    for one in server.collect() { for descriptor in one.descriptors { close(descriptor) } }
  }

  /// Sleeps until something happens, and serves it.
  private mutating func turn() {
    var now = Clock.monotonic()
    if now >= windowEnd {
      requests.removeAll(keepingCapacity: true)
      windowEnd = now + limits.window
    }
    if now >= acceptWindowEnd {
      (acceptWindowEnd, acceptBudget) = (now + limits.connectionWindow, limits.newConnections)
    }
    var due: Int64?
    func wait(until time: Int64) { due = min(due ?? time, time) }
    var set = [pollfd(fd: server.wake, events: Int16(POLLIN), revents: 0)]
    set.append(pollfd(fd: acceptBudget > 0 ? server.socket : -1, events: Int16(POLLIN), revents: 0))
    if acceptBudget <= 0 { wait(until: acceptWindowEnd) }
    for client in clients {
      let mayAsk = mayAsk(client.caller.user)
      if !mayAsk { wait(until: windowEnd) }
      if let deadline = client.deadline { wait(until: deadline) }
      let events = client.events(mayAsk: mayAsk)
      set.append(pollfd(fd: client.socket.descriptor, events: events, revents: 0))
    }
    let timeout = due.map { CInt(clamping: max(0, ($0 - now + 999_999) / 1_000_000)) } ?? -1
    _ = unsafe poll(&set, nfds_t(set.count), timeout)

    if set[0].revents != 0 { swpcap_event_clear(server.wake) }
    now = Clock.monotonic()
    for index in clients.indices where set[index + 2].revents != 0 { serve(index, set[index + 2].revents, now) }
    deliver(now)
    reap(now)
    if set[1].revents != 0 { accept(now) }
  }

  private func mayAsk(_ user: UInt32) -> Bool {
    requests[user, default: 0] < limits.requests * (user == 0 ? 10 : 1)
  }

  // MARK: Coming and going

  private mutating func accept(_ now: Int64) {
    while acceptBudget > 0 {
      let descriptor = swpcap_unix_accept(server.socket)
      if descriptor == -EAGAIN { return }
      acceptBudget -= 1
      guard descriptor >= 0 else {
        // No descriptor left, perhaps: not at once again.
        if descriptor != -ECONNABORTED { acceptBudget = 0 }
        continue
      }
      let socket = MessageSocket(descriptor)
      guard let peer = socket.peer else { continue }
      if let refusal = refusal(of: peer.user) {
        // He who does not take it does not get it.
        _ = socket.send(DaemonMessage(.hello, error: refusal.errno, body: refusal.body).bytes)
        continue
      }
      connections[peer.user, default: 0] += 1
      let groups = Set(socket.peerGroups).union([peer.group])
      let caller = Caller(user: peer.user, groups: groups, pid: peer.pid)
      clients.append(ControlledClient(id: nextID, socket: socket, caller: caller, deadline: now + limits.hello))
      nextID += 1
    }
  }

  private func refusal(of user: UInt32) -> InterfaceFailure? {
    if user == overflowUser {
      return InterfaceFailure(errno: EPERM, request: "", text: "a user without a name of his own has no rights here")
    }
    let most = user == 0 ? limits.allConnections : limits.othersConnections
    if connections[user, default: 0] >= limits.connections * (user == 0 ? 4 : 1) || clients.count >= most {
      return InterfaceFailure(errno: EUSERS, request: "", text: "too many connections: try again")
    }
    return nil
  }

  private mutating func reap(_ now: Int64) {
    for index in clients.indices.reversed() {
      let client = clients[index]
      let isLate = client.deadline.map { $0 <= now } ?? false
      let isDone = client.state == .ending && !client.hasOutput
      guard isLate || isDone else { continue }
      if isLate && client.state == .ready {
        server.log.warning(
          "a client that takes nothing was dropped",
          metadata: ["uid": "\(client.caller.user)", "pid": "\(client.caller.pid)"])
      }
      remove(index)
    }
  }

  private mutating func remove(_ index: Int) {
    let client = clients.remove(at: index)
    client.discard()
    let left = connections[client.caller.user, default: 1] - 1
    connections[client.caller.user] = left > 0 ? left : nil
    server.ended(client.id)
  }

  /// It goes with the next ``reap(_:)``.
  private mutating func drop(_ index: Int) {
    clients[index].discard()
    (clients[index].output, clients[index].outputHead) = ([], 0)
    clients[index].state = .ending
  }

  // MARK: Talking

  private mutating func serve(_ index: Int, _ events: Int16, _ now: Int64) {
    if clients[index].hasOutput {
      flush(index, now)
    } else if clients[index].isWaiting || clients[index].state == .ending || events & Int16(POLLIN) == 0 {
      // Hung up.
      drop(index)
    } else {
      read(index, now)
    }
  }

  /// Sends what waits, as far as there is room.
  private mutating func flush(_ index: Int, _ now: Int64) {
    while clients[index].hasOutput {
      let one = clients[index].output[clients[index].outputHead]
      let error = clients[index].socket.send(one.bytes, descriptors: one.descriptors)
      if error == EAGAIN {
        if clients[index].deadline == nil { clients[index].deadline = now + limits.slowness }
        return
      }
      if error != 0 { return drop(index) }
      for descriptor in one.descriptors { close(descriptor) }
      _ = clients[index].popOutput()
      clients[index].deadline = nil
      if !one.isAnswer { server.sent(clients[index].id, bytes: one.bytes.count) }
    }
  }

  /// Hands out the main thread's answers and events.
  private mutating func deliver(_ now: Int64) {
    let ready = server.collect()
    if ready.isEmpty { return }
    let places = Dictionary(uniqueKeysWithValues: clients.indices.map { (clients[$0].id, $0) })
    var touched: Set<Int> = []
    for one in ready {
      guard let index = places[one.client], clients[index].state == .ready else {
        for descriptor in one.descriptors { close(descriptor) }
        if !one.isAnswer { server.sent(one.client, bytes: one.bytes.count) }
        continue
      }
      if one.isAnswer { clients[index].isWaiting = false }
      clients[index].push(one)
      touched.insert(index)
    }
    for index in touched { flush(index, now) }
  }

  private mutating func reply(_ index: Int, _ message: DaemonMessage, _ now: Int64) {
    clients[index].push(Outgoing(client: clients[index].id, bytes: message.bytes, isAnswer: true))
    flush(index, now)
  }

  /// One message of a client's.
  private mutating func read(_ index: Int, _ now: Int64) {
    let user = clients[index].caller.user
    guard case .message(let bytes, let descriptors) = clients[index].socket.receive(&buffer) else {
      return drop(index)
    }
    // No request takes any.
    for descriptor in descriptors { close(descriptor) }
    requests[user, default: 0] += 1
    do throws(DaemonMessage.Malformed) {
      let message = try DaemonMessage(bytes[...])
      if clients[index].state == .greeting { greet(index, message, now) } else { ask(index, message, now) }
    } catch {
      switch error {
      case .kind(_, let id) where clients[index].state == .ready && id != 0:
        reply(index, DaemonMessage(.hello, id: id, error: EOPNOTSUPP), now)
      case .version:
        // Its header says which version this is.
        let failure = InterfaceFailure(errno: EPROTO, request: "", text: "another version of swbpf runs as the daemon")
        reply(index, DaemonMessage(.hello, error: EPROTO, body: failure.body), now)
        clients[index].state = .ending
      default: drop(index)
      }
    }
  }

  private mutating func greet(_ index: Int, _ message: DaemonMessage, _ now: Int64) {
    guard message.kind == .hello, let hello = DaemonHello(body: message.body) else { return drop(index) }
    clients[index].deadline = nil
    guard hello.takesAnyNamespace || hello.namespace == server.namespace else {
      let failure = InterfaceFailure(errno: EXDEV, request: "", text: "the daemon is in another network namespace")
      reply(index, DaemonMessage(.hello, error: EXDEV, body: failure.body), now)
      if clients[index].state != .ending { clients[index].state = .ending }
      return
    }
    clients[index].state = .ready
    reply(index, DaemonMessage(.hello, body: DaemonHello(namespace: server.namespace, pid: getpid()).body), now)
  }

  private mutating func ask(_ index: Int, _ message: DaemonMessage, _ now: Int64) {
    let client = clients[index]
    switch RequestRow.read(message) {
    case .failure(let refusal):
      let error = refusal == .invalid ? EINVAL : EOPNOTSUPP
      reply(index, DaemonMessage(message.kind, id: message.id, error: error), now)
    case .success(let (row, request)):
      clients[index].isWaiting = true
      server.post(
        Ask(
          client: client.id, caller: client.caller, id: message.id, kind: message.kind, row: row, request: request))
    }
  }
}
