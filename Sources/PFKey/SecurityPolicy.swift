// What messages say about a policy. Values; any thread.
import SwBPFPackets

/// The packets that a policy is for. (`secpolicyindex`)
package struct Selector: Hashable, Sendable {
  package var direction: PolicyDirection
  package var source: AddressRange
  package var destination: AddressRange
  /// An IP protocol number, or ``UpperProtocol/any``.
  package var upper: UInt8

  package init(
    _ direction: PolicyDirection, from source: AddressRange, to destination: AddressRange,
    upper: UInt8 = UpperProtocol.any
  ) {
    self.direction = direction
    self.source = source
    self.destination = destination
    self.upper = upper
  }
}

/// One transformation that a policy asks for. (`sadb_x_ipsecrequest`)
package struct PolicyRequest: Hashable, Sendable {
  package var proto: SecurityProtocol
  package var mode: SAMode
  package var level: PolicyLevel
  /// 0: none.
  package var reqid: UInt16
  /// The ends of the tunnel; in transport mode the old shape only has them.
  package var ends: Ends?

  package struct Ends: Hashable, Sendable {
    package var source: Endpoint
    package var destination: Endpoint

    package init(from source: Endpoint, to destination: Endpoint) {
      self.source = source
      self.destination = destination
    }
  }

  package init(
    _ proto: SecurityProtocol, _ mode: SAMode, _ level: PolicyLevel, reqid: UInt16 = 0, ends: Ends? = nil
  ) {
    self.proto = proto
    self.mode = mode
    self.level = level
    self.reqid = reqid
    self.ends = ends
  }
}

/// A policy as `spdadd` gives it and `spddump` shows it. (`secpolicy`, seen from outside)
package struct SecurityPolicy: Hashable, Sendable {
  package var selector: Selector
  package var type: PolicyType
  /// In the order in which they are applied; empty unless the type is ipsec.
  package var requests: [PolicyRequest]
  /// Given by the engine; 0 before. (`spid=` of a dump)
  package var id: UInt32 = 0
  /// Seconds since 1970.
  package var created: UInt64 = 0
  /// 0: never.
  package var lastUsed: UInt64 = 0
  /// Seconds from birth and from the last use; 0: none.
  package var lifetime: UInt64 = 0
  package var idleTime: UInt64 = 0
  /// sadb_msg_seq and sadb_msg_pid of the message.
  package var messageSequence: UInt32 = 0
  package var pid: UInt32 = 0
  package var references: UInt16 = 1

  package init(_ selector: Selector, _ type: PolicyType, requests: [PolicyRequest] = []) {
    self.selector = selector
    self.type = type
    self.requests = requests
  }
}
