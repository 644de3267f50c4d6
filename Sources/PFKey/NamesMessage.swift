// Numbers of pfkeyv2.h, NetBSD's: messages, extensions, types of associations. Used by the codec, the engine and setkey.

/// A PF_KEY message. (`SADB_*`, sadb_msg_type)
package enum MessageType: UInt8, Sendable, CaseIterable {
  case getSPI = 1
  case update = 2
  case add = 3
  case delete = 4
  case get = 5
  case acquire = 6
  case register = 7
  case expire = 8
  case flush = 9
  case dump = 10
  case promiscuous = 11
  /// SADB_X_PCHANGE: a number that nothing uses.
  case pchange = 12
  case spdUpdate = 13
  case spdAdd = 14
  case spdDelete = 15
  case spdGet = 16
  case spdAcquire = 17
  case spdDump = 18
  case spdFlush = 19
  case spdSetIndex = 20
  case spdExpire = 21
  case spdDelete2 = 22
  case natTraversalNewMapping = 23

  /// Whether the message is about policies, not associations.
  package var isPolicyMessage: Bool {
    switch self {
    case .spdUpdate, .spdAdd, .spdDelete, .spdGet, .spdAcquire, .spdDump, .spdFlush, .spdSetIndex, .spdExpire,
      .spdDelete2:
      true
    default: false
    }
  }
}

/// An extension of a message. (`SADB_EXT_*`, sadb_ext_type)
package enum ExtensionType: UInt16, Sendable, CaseIterable {
  case sa = 1
  case lifetimeCurrent = 2
  case lifetimeHard = 3
  case lifetimeSoft = 4
  case addressSource = 5
  case addressDestination = 6
  case addressProxy = 7
  case keyAuth = 8
  case keyEncrypt = 9
  case identitySource = 10
  case identityDestination = 11
  case sensitivity = 12
  case proposal = 13
  case supportedAuth = 14
  case supportedEncrypt = 15
  case spiRange = 16
  case kmPrivate = 17
  case policy = 18
  case sa2 = 19
  case natTraversalType = 20
  case natTraversalSourcePort = 21
  case natTraversalDestinationPort = 22
  case natTraversalOAI = 23
  case natTraversalOAR = 24
  case natTraversalFragment = 25
}

/// What kind of association a message is about. (`SADB_SATYPE_*`)
package enum SAType: UInt8, Sendable, CaseIterable {
  case unspecified = 0
  case ah = 2
  case esp = 3
  case rsvp = 5
  case ospfv2 = 6
  case ripv2 = 7
  case mip = 8
  case ipcomp = 9
}

/// The protocol that an association serves, with its IP protocol number.
package enum SecurityProtocol: UInt8, Sendable, CaseIterable {
  case esp = 50
  case ah = 51
  case ipcomp = 108

  package init?(_ type: SAType) {
    switch type {
    case .esp: self = .esp
    case .ah: self = .ah
    case .ipcomp: self = .ipcomp
    default: return nil
    }
  }

  package var saType: SAType {
    switch self {
    case .esp: .esp
    case .ah: .ah
    case .ipcomp: .ipcomp
    }
  }

  /// setkey's word for it. The word `esp-udp` is esp with a ``NATTraversal``.
  package var name: String {
    switch self {
    case .esp: "esp"
    case .ah: "ah"
    case .ipcomp: "ipcomp"
    }
  }

  package init?(name: String) {
    guard let found = SecurityProtocol.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }
}

/// Where in its life an association is. (`SADB_SASTATE_*`)
package enum SAState: UInt8, Sendable, CaseIterable {
  /// An SPI is reserved, keys have not come.
  case larval = 0
  case mature = 1
  /// A soft lifetime is over.
  case dying = 2
  case dead = 3

  /// setkey's word.
  package var name: String {
    switch self {
    case .larval: "larval"
    case .mature: "mature"
    case .dying: "dying"
    case .dead: "dead"
    }
  }
}

/// Flags of an association. (`SADB_X_EXT_*`, sadb_sa_flags)
package struct SAFlags: OptionSet, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The sequence number may start again. (`SADB_X_EXT_CYCSEQ`)
  package static let cyclicSequence = SAFlags(rawValue: 0x0040)
  /// Random padding; neither this nor ``zeroPadding`` is 1, 2, 3 … (`SADB_X_EXT_PRAND`)
  package static let randomPadding = SAFlags(rawValue: 0x0100)
  /// Padding of zeros. (`SADB_X_EXT_PZERO`)
  package static let zeroPadding = SAFlags(rawValue: 0x0200)
  /// Extended sequence numbers: an addition, NetBSD has none.
  package static let extendedSequence = SAFlags(rawValue: 0x0400)
}
