// What a file of setkey(8) says. Values; ``SetkeyParser`` makes them, ``SetkeyStatement/text`` prints them again.
import SwBPFPackets

/// One statement.
package struct SetkeyStatement: Equatable, Sendable {
  /// The large ones are kept elsewhere, so that a file of many short statements takes little memory.
  package enum Action: Equatable, Sendable {
    indirect case add(SecurityAssociation)
    indirect case get(AssociationName)
    indirect case delete(AssociationName)
    indirect case deleteAll(SetkeyProtocol, from: IPAddress, to: IPAddress)
    /// nil is every protocol.
    case flush(SetkeyProtocol?)
    case dump(SetkeyProtocol?)
    indirect case policyAdd(SecurityPolicy)
    indirect case policyUpdate(SecurityPolicy)
    indirect case policyDelete(Selector)
    case policyFlush
    case policyDump
  }

  package let action: Action
  /// Of its first word.
  package let position: SetkeyPosition

  package init(_ action: Action, at position: SetkeyPosition = SetkeyPosition(line: 1, column: 1)) {
    self.action = action
    self.position = position
  }
}

/// The protocol of an association, as the language spells it.
package enum SetkeyProtocol: String, CaseIterable, Sendable {
  case esp
  /// ESP in UDP datagrams (RFC 3948).
  case espUDP = "esp-udp"
  case ah
  case ipcomp

  package var security: SecurityProtocol {
    switch self {
    case .esp, .espUDP: .esp
    case .ah: .ah
    case .ipcomp: .ipcomp
    }
  }
}

/// What `get` and `delete` find an association by.
package struct AssociationName: Hashable, Sendable {
  package var proto: SetkeyProtocol
  package var source: Endpoint
  package var destination: Endpoint
  package var spi: UInt32

  package init(_ proto: SetkeyProtocol, spi: UInt32, from source: Endpoint, to destination: Endpoint) {
    self.proto = proto
    self.spi = spi
    self.source = source
    self.destination = destination
  }
}

/// A file that was read to its end, with all that is to say about it.
package struct SetkeyFile: Sendable {
  /// Those that were right; only a file without errors may be obeyed.
  package var statements: [SetkeyStatement] = []
  /// In the order of the text.
  package var remarks: [SetkeyRemark] = []

  package var errors: [SetkeyRemark] { remarks.filter { $0.severity == .error } }
}

/// What the one who reads a file allows.
package struct SetkeyRules: Sendable {
  /// Associations that encrypt without protecting integrity. (`net.ipsec.noauth`)
  package var allowsNoIntegrity: Bool

  package init(allowsNoIntegrity: Bool = false) { self.allowsNoIntegrity = allowsNoIntegrity }
}
