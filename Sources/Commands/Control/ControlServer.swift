// The control socket of a running capture. The control thread talks to clients; the main thread does what they ask for.
internal import CPcapShim
import Glibc
import SwBPFKern

/// Listens for clients of the user who started the capture, and of root.
///
/// The thread is of low priority, asleep while nothing happens, and takes no lock of the capture: requests go to the main
/// thread, answers come back. So a client, whatever it does, costs a bounded share of a core and holds nothing up. A client
/// has a second to ask and a second to take its answer; when there are too many, the oldest that has not asked has to go.
final class ControlServer: @unchecked Sendable {
  /// Who asks, by the kernel's word.
  struct Asker {
    let user: uid_t
    let pid: pid_t
  }

  /// Connections at a time.
  private static let most = 128
  /// New connections in a `window`, ns: a flood is taken at that rate, and waits in the kernel's queue.
  private static let rate = 16
  private static let window: Int64 = 16_000_000
  /// How long each half of an exchange may take, ns.
  private static let patience: Int64 = 1_000_000_000

  private let directory: ControlDirectory
  private let name: ControlName
  private let user: uid_t
  private let socket: CInt
  /// Told of every request.
  private let asked: CInt
  private let wake: CInt
  private var thread: Thread?
  private let lock = Lock(rank: .leaf)
  // Guarded by `lock`.
  private var requests: [(id: UInt64, request: ControlRequest, asker: Asker)] = []
  private var answers: [(id: UInt64, answer: ControlAnswer)] = []
  private var isStopping = false

  /// Makes the socket; nobody is answered before ``start()``. Needs no right beyond those of the user who calls it.
  /// - Parameter asked: an eventfd, signalled when there is something for ``answer(with:)``.
  init(in directory: ControlDirectory, asked: CInt) throws(ControlDirectory.Refusal) {
    guard let name = ControlName.ofThisProcess else { throw ControlDirectory.Refusal(text: "/proc is not there") }
    let result = unsafe swpcap_unix_listen(directory.descriptor, name.temporaryFile, name.file, 128)
    guard result >= 0 else {
      throw ControlDirectory.Refusal(text: "\(directory.path)/\(name.file): \(Messages.text(of: -result))")
    }
    self.directory = directory
    self.name = name
    self.asked = asked
    user = geteuid()
    socket = result
    wake = swpcap_event_open()
  }

  deinit {
    close(socket)
    close(wake)
    // Not with -Z, where the directory is another user's by now: the next one who lists removes it.
    directory.remove(name.file)
  }

  func start() { thread = Thread(name: "swbpf-asked") { [unowned self] in run() } }

  /// Ends the thread and takes the name away.
  func stop() {
    lock.withLock { isStopping = true }
    swpcap_event_signal(wake)
    thread?.join()
    thread = nil
    directory.remove(name.file)
  }

  /// On the main thread: does what has been asked for.
  func answer(with body: (ControlRequest, Asker) -> ControlAnswer) {
    let waiting = lock.withLock {
      defer { requests = [] }
      return requests
    }
    let done = waiting.map { ($0.id, body($0.request, $0.asker)) }
    lock.withLock { answers += done }
    swpcap_event_signal(wake)
  }

  // MARK: The control thread

  private struct Client {
    let id: UInt64
    let descriptor: CInt
    let asker: Asker
    var deadline: Int64
    var input: [UInt8] = []
    /// Asked, and not answered yet.
    var isWaiting = false
    var output: [UInt8] = []

    var events: CInt { isWaiting ? 0 : output.isEmpty ? POLLIN : POLLOUT }
  }

  private func run() {
    swpcap_thread_nice(5)
    var clients: [Client] = []
    var next: UInt64 = 0
    var windowEnd: Int64 = 0
    var budget = 0
    defer { for client in clients { close(client.descriptor) } }
    while true {
      var now = Clock.monotonic()
      if now >= windowEnd { (windowEnd, budget) = (now + ControlServer.window, ControlServer.rate) }
      var set = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
      set.append(pollfd(fd: budget > 0 ? socket : -1, events: Int16(POLLIN), revents: 0))
      set += clients.map { pollfd(fd: $0.descriptor, events: Int16($0.events), revents: 0) }
      let due = clients.map(\.deadline) + (budget > 0 ? [] : [windowEnd])
      let timeout = due.min().map { CInt(clamping: max(0, ($0 - now + 999_999) / 1_000_000)) } ?? -1
      guard unsafe poll(&set, nfds_t(set.count), timeout) >= 0 || errno == EINTR else { return }

      if set[0].revents != 0 {
        swpcap_event_clear(wake)
        if lock.withLock({ isStopping }) { return }
        deliver(to: &clients)
      }
      now = Clock.monotonic()
      var kept: [Client] = []
      for (index, client) in clients.enumerated() {
        var client = client
        let isAlive = set[index + 2].revents == 0 || serve(&client, set[index + 2].revents)
        if isAlive && client.deadline > now { kept.append(client) } else { close(client.descriptor) }
      }
      clients = kept
      if set[1].revents != 0 { accept(&clients, &next, &budget, now) }
    }
  }

  private func accept(_ clients: inout [Client], _ next: inout UInt64, _ budget: inout Int, _ now: Int64) {
    while budget > 0 {
      let descriptor = swpcap_unix_accept(socket)
      if descriptor == -EAGAIN { return }
      budget -= 1
      guard descriptor >= 0 else {
        // No descriptor left, perhaps: not at once again.
        if descriptor != -ECONNABORTED { budget = 0 }
        continue
      }
      var (uid, pid): (UInt32, Int32) = (.max, 0)
      guard unsafe swpcap_unix_peer(descriptor, &uid, &pid) == 0, uid == user || uid == 0 else {
        close(descriptor)
        continue
      }
      if clients.count == ControlServer.most {
        let idle = clients.firstIndex { !$0.isWaiting && $0.output.isEmpty }
        close(clients.remove(at: idle ?? 0).descriptor)
      }
      let asker = Asker(user: uid, pid: pid)
      clients.append(Client(id: next, descriptor: descriptor, asker: asker, deadline: now + ControlServer.patience))
      next += 1
    }
  }

  /// Hands the main thread's answers to those who still wait.
  private func deliver(to clients: inout [Client]) {
    let ready = lock.withLock {
      defer { answers = [] }
      return answers
    }
    for (id, answer) in ready {
      if let index = clients.firstIndex(where: { $0.id == id }) { reply(&clients[index], answer) }
    }
  }

  private func reply(_ client: inout Client, _ answer: ControlAnswer) {
    client.isWaiting = false
    client.output = Array(answer.text.utf8.prefix(ControlRequest.limit))
    client.deadline = Clock.monotonic() + ControlServer.patience
  }

  /// Reads or writes what is possible. Returns false when the client is to go.
  private func serve(_ client: inout Client, _ events: Int16) -> Bool {
    if client.isWaiting { return false }
    if !client.output.isEmpty {
      let count = unsafe send(client.descriptor, client.output, client.output.count, CInt(MSG_NOSIGNAL))
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      client.output.removeFirst(count)
      return !client.output.isEmpty
    }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe recv(client.descriptor, &buffer, buffer.count, 0)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    guard count > 0, client.input.count + count <= ControlRequest.limit else { return false }
    client.input += buffer[..<count]
    guard let end = client.input.firstIndex(of: 10) else { return true }
    let line = String(decoding: client.input[..<end], as: UTF8.self)
    client.input = []
    do throws(ControlFailure) {
      try post(client, ControlRequest(line: line))
      client.isWaiting = true
    } catch {
      reply(&client, .failed(error.text))
    }
    return true
  }

  private func post(_ client: Client, _ request: ControlRequest) throws(ControlFailure) {
    let isFull = lock.withLock {
      if requests.count >= ControlServer.most { return true }
      requests.append((client.id, request, client.asker))
      return false
    }
    if isFull { throw ControlFailure("too many requests: try again") }
    swpcap_event_signal(asked)
  }
}
