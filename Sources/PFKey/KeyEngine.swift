// KeyEngine: PF_KEY's two databases and those who talk to them. One per daemon.
package import SwBPFKern
import Synchronization

/// Security policies and associations, changed by PF_KEY messages. (`key.c`, `keysock.c`)
///
/// Messages come from key sockets by ``send(_:from:)``, answers and news go to the queues of key sockets. Packets look
/// things up with ``match(_:from:to:upper:)``, ``association(for:from:to:)`` and ``association(to:spi:proto:)``.
/// - Threads: any. Changes are serialised by one lock; lookups take none, from inside of the epoch.
package final class KeyEngine: @unchecked Sendable {
  /// Seconds that an association lives without keys. (`net.key.larval_lifetime`)
  static let larvalLifetime: UInt64 = 30

  /// The domain whose readers look things up.
  package let epoch: Epoch
  let lock = Lock(rank: .keyDatabase)
  let associations: SADatabase
  let policies: SPDatabase
  var requestIDs = RequestIDs()
  var acquires = Acquires()
  var tunnels: [TunnelPair: TunnelPolicies] = [:]
  private var sockets: [KeySocket] = []
  /// Who listens for what kind of association.
  private var registered: [SAType: [KeySocket]] = [:]
  private let seconds: Atomic<UInt64>
  /// A bit for each ``KeySetting`` that is on.
  let settings = Atomic<UInt8>(0)

  /// - Parameter now: seconds since 1970; ``tick(now:)`` moves it.
  package init(epoch: Epoch = .shared, now: UInt64) {
    self.epoch = epoch
    associations = SADatabase(epoch: epoch)
    policies = SPDatabase(epoch: epoch)
    seconds = Atomic(now)
  }

  /// The time of the last tick, seconds since 1970.
  package var now: UInt64 { seconds.load(ordering: .relaxed) }

  func setNow(_ now: UInt64) { seconds.store(now, ordering: .relaxed) }

  // MARK: sockets

  /// - Parameter limit: bytes that may wait in its queue.
  /// - Parameter onMessage: called after messages were put in, under the engine's lock: it only wakes somebody.
  package func open(limit: Int = KeySocket.defaultLimit, onMessage: (@Sendable () -> Void)? = nil) -> KeySocket {
    let socket = KeySocket(limit: limit, onMessage: onMessage)
    lock.withLock { sockets.append(socket) }
    return socket
  }

  package func close(_ socket: KeySocket) {
    lock.withLock {
      sockets.removeAll { $0 === socket }
      for type in Array(registered.keys) { registered[type]?.removeAll { $0 === socket } }
    }
  }

  /// Takes a message. (`key_parse`) What is wrong in it is answered in a message to the socket.
  /// - Throws: `invalid` when lengths or extensions do not fit: nothing is answered. `noBuffers` when the answer finds
  ///   no room in the socket's queue; what was asked for is done.
  /// The array may hold keys: the caller erases it.
  package func send(_ bytes: [UInt8], from socket: KeySocket) throws(PFKeyError) {
    let header = try MessageHeader(bytes)
    guard header.version == MessageHeader.version, MessageType(rawValue: header.type) != nil else {
      var answer = bytes
      answer[2] = UInt8(truncatingIfNeeded: PFKeyError.invalid.errno)
      try answerOnly(socket, [answer])
      return
    }
    try send(try Message(bytes), from: socket)
  }

  private func send(_ message: Message, from socket: KeySocket) throws(PFKeyError) {
    try lock.withLock { () throws(PFKeyError) in
      let answer: Answer
      do throws(PFKeyError) {
        answer = try perform(message, from: socket)
      } catch {
        answer = .asker([message.reply(errno: error.errno)])
      }
      try give(answer, to: socket)
    }
  }

  /// Takes a message of the process itself; success is told to all sockets.
  func sendInternally(_ bytes: [UInt8]?) throws(PFKeyError) {
    lock.assertHeld()
    guard let bytes else { throw .noBuffers }
    try give(try perform(try Message(bytes), from: nil), to: nil)
  }

  /// Who gets what.
  enum Answer {
    case asker([[UInt8]])
    case everyone([UInt8])
    case registered(SAType, [UInt8])
    case nobody
  }

  private func give(_ answer: Answer, to asker: KeySocket?) throws(PFKeyError) {
    switch answer {
    case .asker(let messages):
      if let asker { try answerOnly(asker, messages) }
    case .everyone(let message):
      var reached = true
      for socket in sockets where !socket.deliver([message]) && socket === asker { reached = false }
      if !reached { throw .noBuffers }
    case .registered(let type, let message):
      tell(registered: type, message)
    case .nobody: break
    }
  }

  private func answerOnly(_ socket: KeySocket, _ messages: [[UInt8]]) throws(PFKeyError) {
    if !socket.deliver(messages) { throw .noBuffers }
  }

  /// Tells those who registered for a kind of association; false when nobody did.
  @discardableResult func tell(registered type: SAType, _ message: [UInt8]?) -> Bool {
    lock.assertHeld()
    guard let message, let listeners = registered[type], !listeners.isEmpty else { return false }
    for socket in listeners { _ = socket.deliver([message]) }
    return true
  }

  /// Tells those who registered for anything, each once.
  func tellAllRegistered(_ message: [UInt8]?) {
    lock.assertHeld()
    guard let message else { return }
    for socket in sockets where registered.values.contains(where: { $0.contains { $0 === socket } }) {
      _ = socket.deliver([message])
    }
  }

  /// - Throws: `exists` when the socket is registered already.
  func register(_ socket: KeySocket, for type: SAType) throws(PFKeyError) {
    lock.assertHeld()
    if registered[type, default: []].contains(where: { $0 === socket }) { throw .exists }
    registered[type, default: []].append(socket)
  }

  // MARK: messages

  private func perform(_ message: Message, from socket: KeySocket?) throws(PFKeyError) -> Answer {
    guard let type = MessageType(rawValue: message.header.type), let saType = SAType(rawValue: message.header.saType)
    else { throw .invalid }
    switch saType {
    case .rsvp, .ospfv2, .ripv2, .mip: throw .notSupported
    case .unspecified:
      switch type {
      case .getSPI, .update, .add, .delete, .get, .acquire, .expire: throw .invalid
      default: break
      }
    case .ah, .esp, .ipcomp:
      if type.isPolicyMessage { throw .invalid }
    }
    for refused in [
      ExtensionType.identitySource, .identityDestination, .sensitivity, .proposal,
    ] where message.has(refused) { throw .notSupported }
    switch type {
    case .getSPI: return try getSPI(message, saType)
    case .add: return try add(message)
    case .update: return try update(message)
    case .delete: return try delete(message, saType)
    case .get: return try get(message, saType)
    case .flush: return flush(message, saType)
    case .dump: return try dump(message, saType)
    case .register: return try register(message, saType, socket)
    case .acquire: return try acquire(message)
    case .spdAdd: return try spdAdd(message, replaces: false)
    case .spdUpdate: return try spdAdd(message, replaces: true)
    case .spdDelete: return try spdDelete(message)
    case .spdDelete2: return try spdDelete2(message)
    case .spdGet: return try spdGet(message)
    case .spdDump: return try spdDump(message)
    case .spdFlush: return spdFlush(message)
    case .promiscuous, .spdSetIndex: throw .notSupported
    case .expire, .pchange, .spdAcquire, .spdExpire, .natTraversalNewMapping: throw .invalid
    }
  }
}
