// Statements as PF_KEY messages, as setkey(8) sends them.
import SwBPFPackets

extension SetkeyStatement {
  /// The message that does what the statement says. Of `add` it holds the keys.
  /// - Parameter pid: of the process that asks.
  /// - Returns: nil for one that no message can hold, which the parser makes none of.
  package func message(sequence: UInt32 = 0, pid: UInt32 = 0) -> [UInt8]? {
    switch action {
    case .add(var sa):
      // The state is the engine's to say.
      sa.state = .larval
      return sa.message(.add, sequence: sequence, pid: pid, withKeys: true)
    case .get(let name): return Self.association(name).nameMessage(.get, sequence: sequence, pid: pid)
    case .delete(let name): return Self.association(name).nameMessage(.delete, sequence: sequence, pid: pid)
    case .deleteAll(let proto, from: let source, to: let destination):
      // DELETE without an SPI.
      var writer = MessageWriter(MessageHeader(.delete, proto.security.saType, sequence: sequence, pid: pid))
      writer.add(.addressSource, source)
      writer.add(.addressDestination, destination)
      return writer.finish()
    case .flush(let proto): return Self.plain(.flush, proto, sequence, pid)
    case .dump(let proto): return Self.plain(.dump, proto, sequence, pid)
    case .policyAdd(let policy): return policy.addMessage(.spdAdd, sequence: sequence, pid: pid)
    case .policyUpdate(let policy): return policy.addMessage(.spdUpdate, sequence: sequence, pid: pid)
    case .policyDelete(let selector):
      return SecurityPolicy(selector, .discard).deleteMessage(sequence: sequence, pid: pid)
    case .policyFlush: return Self.plain(.spdFlush, nil, sequence, pid)
    case .policyDump: return Self.plain(.spdDump, nil, sequence, pid)
    }
  }

  private static func association(_ name: AssociationName) -> SecurityAssociation {
    var sa = SecurityAssociation(
      name.proto.security, spi: name.spi, from: name.source.address, to: name.destination.address)
    sa.state = .larval
    return sa
  }

  /// A header and nothing else.
  private static func plain(
    _ type: MessageType, _ proto: SetkeyProtocol?, _ sequence: UInt32, _ pid: UInt32
  ) -> [UInt8]? {
    var writer = MessageWriter(
      MessageHeader(type, proto?.security.saType ?? .unspecified, sequence: sequence, pid: pid))
    return writer.finish()
  }
}
