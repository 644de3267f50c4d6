// Whole messages about policies: what setkey and the interface send, what a dump shows, and the way back. Any thread.
import SwBPFPackets

extension SecurityPolicy {
  /// SPDADD or SPDUPDATE, as setkey and ipsecif send it.
  package func addMessage(_ type: MessageType = .spdAdd, sequence: UInt32 = 0, pid: UInt32 = 0) -> [UInt8]? {
    var writer = MessageWriter(MessageHeader(type, sequence: sequence, pid: pid))
    addAddresses(to: &writer)
    if lifetime != 0 || idleTime != 0 {
      writer.add(.lifetimeHard, Lifetime(addTime: lifetime, useTime: idleTime))
    }
    writer.add(fields, requests: requests)
    return writer.finish()
  }

  /// SPDDELETE: by selector.
  package func deleteMessage(sequence: UInt32 = 0, pid: UInt32 = 0) -> [UInt8]? {
    var writer = MessageWriter(MessageHeader(.spdDelete, sequence: sequence, pid: pid))
    addAddresses(to: &writer)
    writer.add(fields)
    return writer.finish()
  }

  /// SPDDELETE2 or SPDGET: by id.
  package static func message(_ type: MessageType, id: UInt32, sequence: UInt32 = 0, pid: UInt32 = 0) -> [UInt8]? {
    var writer = MessageWriter(MessageHeader(type, sequence: sequence, pid: pid))
    writer.add(Message.PolicyFields(type: 0, direction: 0, id: id))
    return writer.finish()
  }

  /// What SPDGET, SPDDUMP and SPDEXPIRE say. (`key_setdumpsp`)
  package func listing(_ type: MessageType, sequence: UInt32, pid: UInt32) -> [UInt8]? {
    var header = MessageHeader(type, sequence: sequence, pid: pid)
    header.reserved = references
    var writer = MessageWriter(header)
    addAddresses(to: &writer)
    writer.add(.lifetimeCurrent, Lifetime(addTime: created, useTime: lastUsed))
    writer.add(.lifetimeHard, Lifetime(addTime: lifetime, useTime: idleTime))
    writer.add(fields, requests: requests)
    return writer.finish()
  }

  private func addAddresses(to writer: inout MessageWriter) {
    for (type, range) in [
      (ExtensionType.addressSource, selector.source), (.addressDestination, selector.destination),
    ] {
      writer.add(
        type,
        AddressExtension(
          endpoint: Endpoint(range.address, port: range.port), proto: selector.upper, prefix: range.prefix))
    }
  }

  private var fields: Message.PolicyFields {
    Message.PolicyFields(type: type.rawValue, direction: selector.direction.rawValue, id: id)
  }

  /// What a message says, for a listing or for the engine.
  /// - Throws: `invalid`, `protocolNotSupported`: as ``Message/policyRequests()``, and when there is no selector.
  package init(_ message: Message) throws(PFKeyError) {
    let selector = try Selector(message)
    guard let fields = message.policy, let type = PolicyType(rawValue: fields.type) else { throw .invalid }
    let requests = type == .ipsec ? try message.policyRequests().map { $0.request } : []
    self.init(selector, type, requests: requests)
    id = fields.id
    let current = message.lifetime(.lifetimeCurrent) ?? Lifetime()
    (created, lastUsed) = (current.addTime, current.useTime)
    let hard = message.lifetime(.lifetimeHard) ?? Lifetime()
    (lifetime, idleTime) = (hard.addTime, hard.useTime)
    messageSequence = message.header.sequence
    pid = message.header.pid
    references = message.header.reserved
  }
}

extension Selector {
  /// What a message says. - Throws: `invalid` when part of it is missing, or the families differ.
  init(_ message: Message) throws(PFKeyError) {
    guard let fields = message.policy, let source = try message.address(.addressSource),
      let destination = try message.address(.addressDestination),
      source.endpoint.address.family == destination.endpoint.address.family,
      let direction = PolicyDirection(rawValue: fields.direction)
    else { throw .invalid }
    self.init(
      direction,
      from: AddressRange(source.endpoint.address, prefix: source.prefix, port: source.endpoint.port),
      to: AddressRange(destination.endpoint.address, prefix: destination.prefix, port: destination.endpoint.port),
      upper: source.proto)
  }
}
