// Whole messages about associations: what setkey sends, what a dump shows, and the way back. Control paths, any thread.
import SwBPFPackets

extension SecurityAssociation {
  /// A message about this association. (`key_setdumpsa`)
  /// - Parameter withKeys: for ADD, UPDATE and dumps.
  package func message(
    _ type: MessageType, sequence: UInt32 = 0, pid: UInt32 = 0, withKeys: Bool
  ) -> [UInt8]? {
    var header = MessageHeader(type, proto.saType, sequence: sequence, pid: pid)
    header.reserved = references
    var writer = MessageWriter(header)
    writer.add(fields)
    writer.addSA2(mode: mode, sequence: self.sequence, reqid: reqid)
    if let hard { writer.add(.lifetimeHard, hard) }
    if let soft { writer.add(.lifetimeSoft, soft) }
    if current.addTime != 0 { writer.add(.lifetimeCurrent, current) }
    writer.add(.addressSource, source)
    writer.add(.addressDestination, destination)
    if withKeys {
      if authentication != .none { writer.add(.keyAuth, key: authenticationKey) }
      if encryption != .none { writer.add(.keyEncrypt, key: encryptionKey) }
    }
    if let natTraversal { writer.add(natTraversal) }
    return writer.finish()
  }

  /// A message that names the association and says no more: GET and DELETE.
  package func nameMessage(_ type: MessageType, sequence: UInt32 = 0, pid: UInt32 = 0) -> [UInt8]? {
    var writer = MessageWriter(MessageHeader(type, proto.saType, sequence: sequence, pid: pid))
    writer.add(fields)
    writer.add(.addressSource, source)
    writer.add(.addressDestination, destination)
    return writer.finish()
  }

  /// The sadb_sa of a message.
  package var fields: Message.SAFields {
    Message.SAFields(
      spi: spi, replay: replay, state: state.rawValue, authentication: authentication.rawValue,
      encryption: compression?.rawValue ?? encryption.rawValue, flags: flags.rawValue)
  }

  /// What a message says, for a listing or for the engine.
  /// - Throws: `invalid` when it names no association, or says what does not exist.
  package init(_ message: Message) throws(PFKeyError) {
    guard let saType = SAType(rawValue: message.header.saType), let proto = SecurityProtocol(saType),
      let sa = message.sa, let source = try message.address(.addressSource),
      let destination = try message.address(.addressDestination),
      source.endpoint.address.family == destination.endpoint.address.family
    else { throw .invalid }
    self.init(proto, spi: sa.spi, from: source.endpoint.address, to: destination.endpoint.address)
    guard let authentication = AuthenticationAlgorithm(rawValue: sa.authentication) else { throw .invalid }
    self.authentication = authentication
    if proto == .ipcomp {
      guard let compression = CompressionAlgorithm(rawValue: sa.encryption) else { throw .invalid }
      self.compression = compression
    } else {
      guard let encryption = EncryptionAlgorithm(rawValue: sa.encryption) else { throw .invalid }
      self.encryption = encryption
    }
    state = SAState(rawValue: sa.state) ?? .mature
    replay = sa.replay
    flags = SAFlags(rawValue: sa.flags)
    if let sa2 = message.sa2 {
      guard let mode = SAMode(rawValue: sa2.mode), let reqid = UInt16(exactly: sa2.reqid) else { throw .invalid }
      self.mode = mode
      self.reqid = reqid
      sequence = sa2.sequence
    }
    hard = message.lifetime(.lifetimeHard)
    soft = message.lifetime(.lifetimeSoft)
    current = message.lifetime(.lifetimeCurrent) ?? Lifetime()
    natTraversal = message.natTraversal
    authenticationKey = try message.key(.keyAuth) ?? []
    encryptionKey = try message.key(.keyEncrypt) ?? []
    messageSequence = message.header.sequence
    pid = message.header.pid
    references = message.header.reserved
  }
}
