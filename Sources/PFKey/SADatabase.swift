// SADatabase: the associations and their indices. The engine changes it under its lock; packets look things up without.
internal import SwBPFKern
import SwBPFPackets

/// Finds what a packet came with: destination, SPI, protocol.
struct SPIKey: EpochKey {
  let destination: IPAddress
  let spi: UInt32
  let proto: SecurityProtocol

  @inline(__always) func hash(seed: UInt64) -> UInt64 {
    mixed(mixed(mixed(seed, destination.high), destination.low), UInt64(spi) << 8 | UInt64(proto.rawValue))
  }
}

/// Finds what a packet may be sent with. Reqid 0 and ports 0 are the index of those with any.
struct PairKey: EpochKey {
  let source: IPAddress
  let destination: IPAddress
  let proto: SecurityProtocol
  let reqid: UInt16
  let sourcePort: UInt16
  let destinationPort: UInt16

  @inline(__always) func hash(seed: UInt64) -> UInt64 {
    let rest =
      UInt64(proto.rawValue) << 48 | UInt64(reqid) << 32 | UInt64(sourcePort) << 16 | UInt64(destinationPort)
    let first = mixed(mixed(mixed(seed, source.high), source.low), destination.high)
    return mixed(mixed(first, destination.low), rest)
  }
}

/// - Threads: lookups any thread inside of the epoch; all else under the engine's lock.
final class SADatabase: @unchecked Sendable {
  /// Those that are not dead, by serial number.
  private(set) var all: [UInt64: Association] = [:]
  /// Those that time can change: with lifetimes, or larval.
  private(set) var timed: [UInt64: Association] = [:]
  /// Serial numbers by the hash of a key that must not serve twice.
  private var counterKeys: [Int: [UInt64]] = [:]
  private var lastSerial: UInt64 = 0
  private let bySPI: EpochMap<SPIKey, Association>
  private let byPair: EpochMap<PairKey, Association>

  init(epoch: Epoch) {
    bySPI = EpochMap(epoch: epoch)
    byPair = EpochMap(epoch: epoch)
  }

  // MARK: the packet path

  /// The oldest usable association of a packet that came. (`key_allocsa`)
  @inline(__always) func inbound(
    destination: IPAddress, spi: UInt32, proto: SecurityProtocol
  ) -> Unmanaged<Association>? {
    var cursor = bySPI.first(SPIKey(destination: destination, spi: spi, proto: proto))
    while let here = cursor {
      // SAFETY: inside of the epoch, which keeps what the index holds.
      if unsafe here.value._withUnsafeGuaranteedRef({ $0.isUsable }) { return unsafe here.value }
      cursor = here.next
    }
    return nil
  }

  /// The oldest usable association for a packet to send. (`key_allocsa_policy`)
  /// - Parameter reqid: 0 is any. Ports of 0 are any.
  @inline(__always) func outbound(
    source: Endpoint, destination: Endpoint, proto: SecurityProtocol, mode: SAMode, reqid: UInt16
  ) -> Unmanaged<Association>? {
    var cursor = byPair.first(
      PairKey(
        source: source.address, destination: destination.address, proto: proto, reqid: reqid, sourcePort: source.port,
        destinationPort: destination.port))
    while let here = cursor {
      // SAFETY: as above.
      if unsafe here.value._withUnsafeGuaranteedRef({
        $0.isUsable && ($0.mode == mode || $0.mode == .any || mode == .any)
      }) {
        return unsafe here.value
      }
      cursor = here.next
    }
    return nil
  }

  // MARK: under the lock

  /// All in the order in which they came, of one protocol or of any.
  func ordered(_ proto: SecurityProtocol?) -> [Association] {
    all.values.filter { proto == nil || $0.proto == proto }.sorted { $0.serial < $1.serial }
  }

  /// Those to one destination that have an SPI, in order.
  func withSPI(_ spi: UInt32, to destination: IPAddress, proto: SecurityProtocol) -> [Association] {
    bySPI.all(SPIKey(destination: destination, spi: spi, proto: proto))
  }

  /// Those between two addresses that are no longer larval, in order.
  func between(_ source: IPAddress, _ destination: IPAddress, proto: SecurityProtocol) -> [Association] {
    byPair.all(
      PairKey(
        source: source, destination: destination, proto: proto, reqid: 0, sourcePort: 0, destinationPort: 0))
  }

  /// Whether another association than `excluded` has this key for a transform that counts.
  func isKeyInUse(_ description: SecurityAssociation, excluding excluded: Association?) -> Bool {
    guard description.encryption.isCounterMode else { return false }
    let key = KeyMaterial(description.encryptionKey)
    return counterKeys[key.hash, default: []].contains { serial in
      guard let other = all[serial], serial != excluded?.serial else { return false }
      return other.encryptionKey.isEqual(to: key)
    }
  }

  /// Adds an association, or puts it in the place of `old`.
  func insert(_ description: SecurityAssociation, replacing old: Association? = nil, now: UInt64) -> Association {
    lastSerial += 1
    let new = Association(description, serial: lastSerial, born: now)
    all[new.serial] = new
    if new.state == .larval || new.hard != nil || new.soft != nil { timed[new.serial] = new }
    if new.encryption.isCounterMode { counterKeys[new.encryptionKey.hash, default: []].append(new.serial) }
    let key = SADatabase.spiKey(new)
    // The new one is to be found before the old one goes.
    bySPI.insert(new, for: key)
    if new.state != .larval {
      for key in SADatabase.pairKeys(new) { byPair.insert(new, for: key) }
    }
    if let old { remove(old) }
    return new
  }

  /// Takes one out; it is dead.
  func remove(_ association: Association) {
    let wasLarval = association.state == .larval
    association.setState(.dead)
    forget(association)
    bySPI.remove(association, for: SADatabase.spiKey(association))
    if !wasLarval {
      for key in SADatabase.pairKeys(association) { byPair.remove(association, for: key) }
    }
  }

  /// Takes all out, of one protocol or of any.
  func removeAll(_ proto: SecurityProtocol?) {
    if proto == nil || all.values.allSatisfy({ $0.proto == proto }) {
      for association in all.values { association.setState(.dead) }
      all = [:]
      timed = [:]
      counterKeys = [:]
      bySPI.removeAll()
      byPair.removeAll()
    } else {
      for association in ordered(proto) { remove(association) }
    }
  }

  private func forget(_ association: Association) {
    all[association.serial] = nil
    timed[association.serial] = nil
    guard association.encryption.isCounterMode else { return }
    let hash = association.encryptionKey.hash
    counterKeys[hash]?.removeAll { $0 == association.serial }
    if counterKeys[hash]?.isEmpty == true { counterKeys[hash] = nil }
  }

  private static func spiKey(_ association: Association) -> SPIKey {
    SPIKey(destination: association.destination, spi: association.spi, proto: association.proto)
  }

  /// With its reqid and with any, with its ports and with any: up to four.
  private static func pairKeys(_ association: Association) -> [PairKey] {
    let reqids = association.reqid == 0 ? [0] : [0, association.reqid]
    var ports: [(UInt16, UInt16)] = [(0, 0)]
    if let nat = association.natTraversal, nat.sourcePort != 0 || nat.destinationPort != 0 {
      ports.append((nat.sourcePort, nat.destinationPort))
    }
    return reqids.flatMap { reqid in
      ports.map {
        PairKey(
          source: association.source, destination: association.destination, proto: association.proto, reqid: reqid,
          sourcePort: $0.0, destinationPort: $0.1)
      }
    }
  }
}
