// The model of PF_KEY's databases: two lists, walked from their beginnings.
import Glibc
import SwBPFPFKey
import SwBPFPackets

/// What the databases must hold.
struct Model {
  var now: UInt64 = 1000
  var permitsNoAuth = false
  var associations: [SecurityAssociation] = []
  /// In order; both directions in one list.
  var policies: [SecurityPolicy] = []

  // MARK: associations

  mutating func add(_ new: SecurityAssociation) -> CInt {
    guard isSane(new) else { return EINVAL }
    return insert(new, besides: nil)
  }

  mutating func update(_ new: SecurityAssociation) -> CInt {
    guard let place = place(of: new) else { return ENOENT }
    guard isSane(new) else { return EINVAL }
    return insert(new, besides: place)
  }

  private mutating func insert(_ new: SecurityAssociation, besides place: Int?) -> CInt {
    for (index, other) in associations.enumerated() where index != place {
      let isSameHead =
        (other.proto, other.spi, other.source, other.destination, other.mode) == (
          new.proto, new.spi, new.source, new.destination, new.mode
        )
      if isSameHead && other.reqid == new.reqid && other.natTraversal?.sourcePort == new.natTraversal?.sourcePort
        && other.natTraversal?.destinationPort == new.natTraversal?.destinationPort
      {
        return EEXIST
      }
      if new.encryption.isCounterMode && other.encryption.isCounterMode && other.encryptionKey == new.encryptionKey {
        return EEXIST
      }
    }
    if let place { associations.remove(at: place) }
    var new = new
    new.state = .mature
    new.current = Lifetime(addTime: now)
    associations.append(new)
    return 0
  }

  private func isSane(_ new: SecurityAssociation) -> Bool {
    guard new.spi > 255, (new.hard == nil) == (new.soft == nil) else { return false }
    let isKeyed = new.authentication == .hmacSHA256 && new.authenticationKey.count == 32
    guard isKeyed || new.authentication == .none && new.authenticationKey.isEmpty else { return false }
    if new.proto == .ah { return isKeyed && new.natTraversal == nil }
    switch new.encryption {
    case .aesGCM16: return new.encryptionKey.count == 20 && !isKeyed
    case .aesCBC: return new.encryptionKey.count == 16 && (isKeyed || permitsNoAuth)
    default: return false
    }
  }

  func place(of name: SecurityAssociation) -> Int? {
    associations.firstIndex {
      ($0.proto, $0.spi, $0.source, $0.destination) == (name.proto, name.spi, name.source, name.destination)
    }
  }

  mutating func delete(_ name: SecurityAssociation) -> CInt {
    guard let place = place(of: name) else { return ENOENT }
    associations.remove(at: place)
    return 0
  }

  mutating func deleteAll(_ name: SecurityAssociation) {
    associations.removeAll {
      ($0.proto, $0.source, $0.destination) == (name.proto, name.source, name.destination)
    }
  }

  mutating func tick(to now: UInt64) {
    self.now = now
    associations.removeAll { $0.hard?.isReached(by: $0.current, now: now) == true }
    for index in associations.indices
    where associations[index].soft?.isReached(by: associations[index].current, now: now) == true {
      associations[index].state = .dying
    }
    policies.removeAll { $0.lifetime != 0 && now - $0.created >= $0.lifetime }
  }

  // MARK: policies

  mutating func add(_ new: SecurityPolicy) {
    if let place = place(of: new.selector) {
      policies[place] = new
    } else {
      policies.append(new)
    }
  }

  func place(of selector: Selector) -> Int? { policies.firstIndex { $0.selector == selector } }

  // MARK: lookups

  func match(_ direction: PolicyDirection, _ source: Endpoint, _ destination: Endpoint, upper: UInt8) -> UInt32? {
    policies.first {
      $0.selector.direction == direction && ($0.selector.upper == UpperProtocol.any || $0.selector.upper == upper)
        && $0.selector.source.contains(source) && $0.selector.destination.contains(destination)
    }?.id
  }

  func outbound(_ request: PolicyRequest, _ source: Endpoint, _ destination: Endpoint) -> SecurityAssociation? {
    associations.first {
      let nat = $0.natTraversal
      let ports = (nat?.sourcePort ?? 0, nat?.destinationPort ?? 0)
      return $0.proto == request.proto && $0.source == source.address && $0.destination == destination.address
        && (request.level != .unique || request.reqid == 0 || $0.reqid == request.reqid)
        && ((source.port, destination.port) == (0, 0) || (source.port, destination.port) == ports)
        && ($0.mode == .any || request.mode == $0.mode)
    }
  }

  func inbound(_ destination: IPAddress, _ spi: UInt32, _ proto: SecurityProtocol) -> SecurityAssociation? {
    associations.first { ($0.destination, $0.spi, $0.proto) == (destination, spi, proto) }
  }
}
