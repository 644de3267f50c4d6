// MessageWriter: builds a message, extension by extension. Control paths; one thread at a time.
import SwBPFPackets

/// Bytes of a message. Extensions stand in the order in which they were added.
package struct MessageWriter {
  private var bytes: [UInt8]

  package init(_ header: MessageHeader) {
    bytes = []
    // Room for two keys: an array that grows would leave them behind in freed memory.
    bytes.reserveCapacity(1024)
    bytes.append(contentsOf: header.bytes)
  }

  /// The message, with its length set. Nil when it is longer than a message can say, 524280 bytes.
  package mutating func finish() -> [UInt8]? {
    guard bytes.count / 8 <= UInt16.max else { return nil }
    bytes.setHost16(UInt16(bytes.count / 8), at: 4)
    return bytes
  }

  /// Adds an extension: its header, what `body` appends, zeros up to a multiple of 8.
  private mutating func add(_ type: ExtensionType, _ body: (inout [UInt8]) -> Void) {
    let start = bytes.count
    bytes.appendHost16(0)
    bytes.appendHost16(type.rawValue)
    body(&bytes)
    bytes.appendZeros((8 - bytes.count % 8) % 8)
    // Too long for 16 bits is too long for the message: finish() says so.
    bytes.setHost16(UInt16(truncatingIfNeeded: (bytes.count - start) / 8), at: start)
  }

  package mutating func add(_ sa: Message.SAFields) {
    add(.sa) {
      $0.appendNet32(sa.spi)
      $0.append(contentsOf: [sa.replay, sa.state, sa.authentication, sa.encryption])
      $0.appendHost32(sa.flags)
    }
  }

  package mutating func addSA2(mode: SAMode, sequence: UInt32, reqid: UInt16) {
    add(.sa2) {
      $0.append(contentsOf: [mode.rawValue, 0, 0, 0])
      $0.appendHost32(sequence)
      $0.appendHost32(UInt32(reqid))
    }
  }

  package mutating func add(_ type: ExtensionType, _ lifetime: Lifetime) {
    add(type) {
      $0.appendHost32(lifetime.allocations)
      $0.appendHost64(lifetime.bytes)
      $0.appendHost64(lifetime.addTime)
      $0.appendHost64(lifetime.useTime)
    }
  }

  package mutating func add(_ type: ExtensionType, _ address: AddressExtension) {
    add(type) {
      $0.append(contentsOf: [address.proto, address.prefix, 0, 0])
      MessageWriter.append(address.endpoint, to: &$0)
    }
  }

  /// The address of one side of an association.
  package mutating func add(_ type: ExtensionType, _ address: IPAddress) {
    add(
      type,
      AddressExtension(endpoint: Endpoint(address), proto: UpperProtocol.any, prefix: address.family.bits))
  }

  package mutating func add(_ type: ExtensionType, key: [UInt8]) {
    add(type) {
      // A key longer than 16 bits can say does not exist: the engine's are at most 64 bytes.
      $0.appendHost16(UInt16(truncatingIfNeeded: key.count * 8))
      $0.appendHost16(0)
      $0.append(contentsOf: key)
    }
  }

  package mutating func add(_ range: ClosedRange<UInt32>) {
    add(.spiRange) {
      $0.appendHost32(range.lowerBound)
      $0.appendHost32(range.upperBound)
      $0.appendHost32(0)
    }
  }

  package mutating func add(_ natTraversal: NATTraversal) {
    add(.natTraversalType) { $0.append(contentsOf: [natTraversal.type, 0, 0, 0]) }
    for (type, port) in [
      (ExtensionType.natTraversalSourcePort, natTraversal.sourcePort),
      (.natTraversalDestinationPort, natTraversal.destinationPort),
    ] {
      add(type) {
        $0.appendNet16(port)
        $0.appendHost16(0)
      }
    }
    if natTraversal.fragment != 0 {
      add(.natTraversalFragment) {
        $0.appendHost16(natTraversal.fragment)
        $0.appendHost16(0)
      }
    }
  }

  /// A policy with its requests. A request with ends is followed by them, without padding between.
  package mutating func add(_ fields: Message.PolicyFields, requests: [PolicyRequest] = []) {
    add(.policy) {
      $0.appendHost16(fields.type)
      $0.append(contentsOf: [fields.direction, 0])
      $0.appendHost32(fields.id)
      $0.appendHost32(0)
      for request in requests {
        var ends: [UInt8] = []
        if let given = request.ends {
          MessageWriter.append(given.source, to: &ends)
          MessageWriter.append(given.destination, to: &ends)
        }
        $0.appendHost16(UInt16(8 + ends.count))
        $0.appendHost16(UInt16(request.proto.rawValue))
        $0.append(contentsOf: [request.mode.rawValue, request.level.rawValue])
        $0.appendHost16(request.reqid)
        $0.append(contentsOf: ends)
      }
    }
  }

  /// What is offered: numbers, lengths of initialisation vectors, least and greatest bits of keys.
  package mutating func addSupported(
    _ type: ExtensionType, _ algorithms: [(number: UInt8, ivLength: Int, bits: [Int])]
  ) {
    add(type) {
      $0.appendHost32(0)
      for algorithm in algorithms {
        $0.append(contentsOf: [algorithm.number, UInt8(algorithm.ivLength)])
        $0.appendHost16(UInt16(algorithm.bits.min() ?? 0))
        $0.appendHost16(UInt16(algorithm.bits.max() ?? 0))
        $0.appendHost16(0)
      }
    }
  }

  /// sockaddr_in or sockaddr_in6, 16 or 28 bytes.
  private static func append(_ endpoint: Endpoint, to bytes: inout [UInt8]) {
    let address = endpoint.address
    bytes.append(contentsOf: [address.family == .v4 ? 16 : 28, address.family.rawValue])
    bytes.appendNet16(endpoint.port)
    if address.family == .v4 {
      bytes.append(contentsOf: address.bytes)
      bytes.appendZeros(8)
    } else {
      bytes.appendHost32(0)
      bytes.append(contentsOf: address.bytes)
      bytes.appendHost32(address.scope)
    }
  }
}
