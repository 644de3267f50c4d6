// Key daemons: they register, and are asked for associations that packets miss. Any thread, under the engine's lock.
import SwBPFPackets

/// What has been asked for lately, so that each packet does not ask again. (`secacq`)
struct Acquires {
  struct Key: Hashable {
    let proto: SecurityProtocol
    let mode: SAMode
    let reqid: UInt16
    let source: Endpoint
    let destination: Endpoint
  }

  /// Seconds after which it is asked for again. (`net.key.blockacq_lifetime`)
  static let lifetime: UInt64 = 20
  /// Packets, the first one included, after which it is asked for again. (`net.key.blockacq_count`, 10)
  static let packets = 12
  /// More than this are not asked for at one time.
  static let limit = 4096

  private var asked: [Key: (sequence: UInt32, born: UInt64, packets: Int)] = [:]
  private var lastSequence: UInt32 = 0

  /// The number of a new question; nil when it has been asked, or too much has.
  mutating func begin(_ key: Key, now: UInt64) -> UInt32? {
    if let known = asked[key] {
      guard known.packets >= Acquires.packets else {
        asked[key]?.packets += 1
        return nil
      }
    } else if asked.count >= Acquires.limit {
      return nil
    }
    lastSequence = lastSequence == .max ? 1 : lastSequence + 1
    asked[key] = (lastSequence, now, 1)
    return lastSequence
  }

  /// A key daemon gave up.
  mutating func forget(sequence: UInt32) {
    for (key, value) in asked where value.sequence == sequence { asked[key] = nil }
  }

  /// An association came: what it may serve can be asked for again.
  mutating func forget(_ association: Association) {
    guard !asked.isEmpty else { return }
    for key in asked.keys
    where key.proto == association.proto && key.source.address == association.source
      && key.destination.address == association.destination && (key.reqid == 0 || key.reqid == association.reqid)
    {
      asked[key] = nil
    }
  }

  mutating func expire(now: UInt64) {
    guard !asked.isEmpty else { return }
    asked = asked.filter { now < $0.value.born || now - $0.value.born < Acquires.lifetime }
  }
}

extension KeyEngine {
  /// A packet found no association: asks key daemons for one. (`key_acquire`)
  ///
  /// Not from inside of the epoch: it takes the lock. Asks once in 20 seconds; does nothing when nobody is registered.
  /// - Parameter source: of the packet, as for ``association(for:from:to:)``.
  package func acquire(
    _ request: PolicyRequest, of policy: Policy, from source: Endpoint, to destination: Endpoint
  ) {
    let source = request.ends?.source ?? source
    let destination = request.ends?.destination ?? destination
    let reqid = request.level == .unique ? request.reqid : 0
    let key = Acquires.Key(
      proto: request.proto, mode: request.mode, reqid: reqid, source: source, destination: destination)
    lock.withLock {
      guard let sequence = acquires.begin(key, now: now) else { return }
      var writer = MessageWriter(MessageHeader(.acquire, request.proto.saType, sequence: sequence))
      writer.addSA2(mode: request.mode, sequence: 0, reqid: reqid)
      for (type, endpoint) in [(ExtensionType.addressSource, source), (.addressDestination, destination)] {
        let prefix = endpoint.address.family.bits
        writer.add(type, AddressExtension(endpoint: endpoint, proto: policy.selector.upper, prefix: prefix))
      }
      writer.add(
        Message.PolicyFields(
          type: policy.type.rawValue, direction: policy.selector.direction.rawValue, id: policy.id))
      if !tell(registered: request.proto.saType, writer.finish()) { acquires.forget(sequence: sequence) }
    }
  }

  /// A key daemon's word that it gave up: a message without extensions. Others are not supported.
  func acquire(_ message: Message) throws(PFKeyError) -> Answer {
    guard message.bytes.count == MessageHeader.size else { throw .notSupported }
    acquires.forget(sequence: message.header.sequence)
    return .nobody
  }

  /// The answer says what is offered; all who are registered get it.
  func register(_ message: Message, _ saType: SAType, _ socket: KeySocket?) throws(PFKeyError) -> Answer {
    guard let socket else { throw .invalid }
    if saType != .unspecified { try register(socket, for: saType) }
    var writer = MessageWriter(
      MessageHeader(.register, saType, sequence: message.header.sequence, pid: message.header.pid))
    if saType != .ipcomp {
      writer.addSupported(
        .supportedAuth,
        AuthenticationAlgorithm.allCases.filter(\.isOffered).map { ($0.rawValue, 0, $0.keyBits) })
    }
    if saType == .esp || saType == .unspecified {
      writer.addSupported(
        .supportedEncrypt,
        EncryptionAlgorithm.allCases.filter { $0.isOffered && ($0 != .chacha20Poly1305 || self[.chacha20Poly1305]) }
          .map { ($0.rawValue, $0.ivLength, $0.keyBits) })
    }
    guard let answer = writer.finish() else { throw .noBuffers }
    return saType == .unspecified ? .asker([answer]) : .registered(saType, answer)
  }
}
