// What the extensions of a message say. Nothing traps whatever the bytes are. Control paths, any thread.
import SwBPFPackets

/// An address with what sadb_address says about it.
package struct AddressExtension: Hashable, Sendable {
  package var endpoint: Endpoint
  /// Upper protocol.
  package var proto: UInt8
  package var prefix: UInt8
}

extension Message {
  /// sadb_sa as it stands there.
  package struct SAFields: Hashable, Sendable {
    package var spi: UInt32
    package var replay: UInt8
    package var state: UInt8
    package var authentication: UInt8
    package var encryption: UInt8
    package var flags: UInt32
  }

  package var sa: SAFields? {
    guard let range = range(of: .sa) else { return nil }
    let at = range.lowerBound
    return SAFields(
      spi: bytes.net32(at: at + 4), replay: bytes[at + 8], state: bytes[at + 9], authentication: bytes[at + 10],
      encryption: bytes[at + 11], flags: bytes.host32(at: at + 12))
  }

  /// sadb_x_sa2: mode, the last sequence number, reqid.
  package var sa2: (mode: UInt8, sequence: UInt32, reqid: UInt32)? {
    guard let range = range(of: .sa2) else { return nil }
    let at = range.lowerBound
    return (bytes[at + 4], bytes.host32(at: at + 8), bytes.host32(at: at + 12))
  }

  package func lifetime(_ type: ExtensionType) -> Lifetime? {
    guard let range = range(of: type), range.count == 32 else { return nil }
    let at = range.lowerBound
    return Lifetime(
      allocations: bytes.host32(at: at + 4), bytes: bytes.host64(at: at + 8), addTime: bytes.host64(at: at + 16),
      useTime: bytes.host64(at: at + 24))
  }

  /// nil: it is not there. - Throws: `invalid` for families, lengths and prefixes that do not exist.
  package func address(_ type: ExtensionType) throws(PFKeyError) -> AddressExtension? {
    guard let range = range(of: type) else { return nil }
    let at = range.lowerBound
    guard let (endpoint, _) = Message.endpoint(in: bytes[(at + 8)..<range.upperBound]),
      bytes[at + 5] <= endpoint.address.family.bits
    else { throw .invalid }
    return AddressExtension(endpoint: endpoint, proto: bytes[at + 4], prefix: bytes[at + 5])
  }

  /// The socket address that the bytes begin with, and its length.
  static func endpoint(in slice: ArraySlice<UInt8>) -> (Endpoint, length: Int)? {
    guard slice.count >= 16 else { return nil }
    let bytes = Array(slice.prefix(28))
    guard let family = IPAddress.Family(rawValue: bytes[1]) else { return nil }
    let port = bytes.net16(at: 2)
    switch family {
    case .v4:
      guard bytes[0] == 16 else { return nil }
      return (Endpoint(IPAddress(v4: bytes.net32(at: 4)), port: port), 16)
    case .v6:
      guard bytes[0] == 28, bytes.count == 28,
        let address = IPAddress(bytes: Array(bytes[8..<24]), scope: bytes.host32(at: 24))
      else { return nil }
      return (Endpoint(address, port: port), 28)
    }
  }

  /// A key; nil: it is not there. - Throws: `invalid` when it is longer than its extension or no whole bytes.
  package func key(_ type: ExtensionType) throws(PFKeyError) -> [UInt8]? {
    guard let range = range(of: type) else { return nil }
    let bits = Int(bytes.host16(at: range.lowerBound + 4))
    guard bits % 8 == 0, (8 + bits / 8 + 7) / 8 * 8 == range.count else { throw .invalid }
    return Array(bytes[(range.lowerBound + 8)..<(range.lowerBound + 8 + bits / 8)])
  }

  package var spiRange: ClosedRange<UInt32>? {
    guard let range = range(of: .spiRange) else { return nil }
    let (low, high) = (bytes.host32(at: range.lowerBound + 4), bytes.host32(at: range.lowerBound + 8))
    return min(low, high)...max(low, high)
  }

  package var natTraversal: NATTraversal? {
    guard let type = range(of: .natTraversalType) else { return nil }
    let port = { (type: ExtensionType) -> UInt16 in
      range(of: type).map { bytes.net16(at: $0.lowerBound + 4) } ?? 0
    }
    return NATTraversal(
      type: bytes[type.lowerBound + 4], sourcePort: port(.natTraversalSourcePort),
      destinationPort: port(.natTraversalDestinationPort),
      fragment: range(of: .natTraversalFragment).map { bytes.host16(at: $0.lowerBound + 4) } ?? 0)
  }

  /// sadb_x_policy without its requests.
  package struct PolicyFields: Hashable, Sendable {
    package var type: UInt16
    package var direction: UInt8
    package var id: UInt32
  }

  package var policy: PolicyFields? {
    guard let range = range(of: .policy) else { return nil }
    let at = range.lowerBound
    return PolicyFields(type: bytes.host16(at: at + 4), direction: bytes[at + 6], id: bytes.host32(at: at + 8))
  }

  /// The requests of a policy with their places in the message, in order. (`key_msg2sp`)
  /// - Throws: `protocolNotSupported` for another protocol; `invalid` for lengths, modes, levels and addresses that
  ///   do not fit. A tunnel needs both ends; what a transport request carries must be two addresses, too.
  package func policyRequests() throws(PFKeyError) -> [(request: PolicyRequest, offset: Int)] {
    guard let range = range(of: .policy) else { return [] }
    var requests: [(PolicyRequest, Int)] = []
    var at = range.lowerBound + 16
    while at < range.upperBound {
      guard range.upperBound - at >= 8 else { throw .invalid }
      let length = Int(bytes.host16(at: at))
      guard length >= 8, length <= range.upperBound - at else { throw .invalid }
      guard let number = UInt8(exactly: bytes.host16(at: at + 2)), let proto = SecurityProtocol(rawValue: number)
      else { throw .protocolNotSupported }
      guard let mode = SAMode(rawValue: bytes[at + 4]), mode != .any, let level = PolicyLevel(rawValue: bytes[at + 5])
      else { throw .invalid }
      var request = PolicyRequest(proto, mode, level, reqid: bytes.host16(at: at + 6))
      if length > 8 {
        request.ends = try ends(in: (at + 8)..<(at + length))
      } else if mode == .tunnel {
        throw .invalid
      }
      requests.append((request, at))
      at += length
    }
    return requests
  }

  /// Two socket addresses, one right behind the other, then at most padding.
  private func ends(in range: Range<Int>) throws(PFKeyError) -> PolicyRequest.Ends {
    guard let (source, first) = Message.endpoint(in: bytes[range]),
      let (destination, second) = Message.endpoint(in: bytes[range].dropFirst(first)),
      source.address.family == destination.address.family, range.count - first - second < 8
    else { throw .invalid }
    return PolicyRequest.Ends(from: source, to: destination)
  }
}
