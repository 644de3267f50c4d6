// What messages say about an association. Values; any thread.
import SwBPFPackets

/// ESP in UDP. (`SADB_X_EXT_NAT_T_*`)
package struct NATTraversal: Hashable, Sendable {
  /// UDP_ENCAP_ESPINUDP.
  package static let espInUDP: UInt8 = 2

  package var type: UInt8
  /// Host order.
  package var sourcePort: UInt16
  package var destinationPort: UInt16
  /// Packets are cut to this many bytes before ESP; 0: they are not. (`-esp_frag`)
  package var fragment: UInt16

  package init(type: UInt8 = espInUDP, sourcePort: UInt16, destinationPort: UInt16, fragment: UInt16 = 0) {
    self.type = type
    self.sourcePort = sourcePort
    self.destinationPort = destinationPort
    self.fragment = fragment
  }
}

/// An association as `add` gives it and `dump` shows it. (`secasvar`, seen from outside)
///
/// Holds keys: whoever keeps one for long clears it with ``eraseKeys()``.
package struct SecurityAssociation: Hashable, Sendable {
  package var proto: SecurityProtocol
  package var mode: SAMode = .any
  /// Host order.
  package var spi: UInt32
  package var reqid: UInt16 = 0
  package var source: IPAddress
  package var destination: IPAddress
  package var natTraversal: NATTraversal?
  package var state = SAState.mature
  /// Bytes of the replay window, 8 packets each; 0: no check. (`-r`)
  package var replay: UInt8 = 0
  package var flags: SAFlags = []
  package var encryption = EncryptionAlgorithm.none
  package var authentication = AuthenticationAlgorithm.none
  /// IPComp only.
  package var compression: CompressionAlgorithm?
  package var encryptionKey: [UInt8] = []
  package var authenticationKey: [UInt8] = []
  package var current = Lifetime()
  package var hard: Lifetime?
  package var soft: Lifetime?
  /// The last sequence number sent, 0 before the first. (`seq=` of a dump)
  package var sequence: UInt32 = 0
  /// sadb_msg_seq and sadb_msg_pid of the message.
  package var messageSequence: UInt32 = 0
  package var pid: UInt32 = 0
  package var references: UInt16 = 0

  package init(_ proto: SecurityProtocol, spi: UInt32, from source: IPAddress, to destination: IPAddress) {
    self.proto = proto
    self.spi = spi
    self.source = source
    self.destination = destination
  }

  /// Overwrites both keys. Copies that share the storage keep theirs.
  package mutating func eraseKeys() {
    eraseKey(&encryptionKey)
    eraseKey(&authenticationKey)
  }
}

/// Overwrites a key with zeros, then lets it go.
@inline(never)
package func eraseKey(_ key: inout [UInt8]) {
  for index in key.indices { key[index] = 0 }
  key = []
}
