// Association: one entry of the SAD, as packets meet it. Made by the engine; read on the packet path without a lock.
import SwBPFPackets
import Synchronization

/// A security association. (`secasvar` with its `secashead`)
///
/// What an UPDATE changes is a new object in the old one's place. Keys are overwritten when the last reference goes.
/// - Threads: any. The counters are atomic; the state is written under the engine's lock.
package final class Association: Sendable {
  package let proto: SecurityProtocol
  package let mode: SAMode
  /// Host order.
  package let spi: UInt32
  package let reqid: UInt16
  package let source: IPAddress
  package let destination: IPAddress
  package let natTraversal: NATTraversal?
  /// Bytes of the replay window.
  package let replay: UInt8
  package let flags: SAFlags
  package let encryption: EncryptionAlgorithm
  package let authentication: AuthenticationAlgorithm
  package let compression: CompressionAlgorithm?
  package let encryptionKey: KeyMaterial
  package let authenticationKey: KeyMaterial
  package let hard: Lifetime?
  package let soft: Lifetime?
  /// When it was made, seconds since 1970.
  package let born: UInt64
  /// Numbers the associations of an engine in the order in which they came.
  let serial: UInt64
  /// Of the message that made it.
  let messageSequence: UInt32
  let pid: UInt32

  /// The last sequence number sent; ESP counts it.
  package let sequence = Atomic<UInt64>(0)
  private let stateNumber: Atomic<UInt8>
  private let bytes = Atomic<UInt64>(0)
  private let packets = Atomic<UInt32>(0)
  private let firstUse = Atomic<UInt64>(0)
  /// See ``attachment``.
  let attached = Atomic<UInt>(0)

  /// - Parameter description: its state is kept; its keys are copied.
  init(_ description: SecurityAssociation, serial: UInt64, born: UInt64) {
    proto = description.proto
    mode = description.mode
    spi = description.spi
    reqid = description.reqid
    source = description.source
    destination = description.destination
    natTraversal = description.natTraversal
    replay = description.replay
    flags = description.flags
    encryption = description.encryption
    authentication = description.authentication
    compression = description.compression
    encryptionKey = KeyMaterial(description.encryptionKey)
    authenticationKey = KeyMaterial(description.authenticationKey)
    hard = description.hard
    soft = description.soft
    self.born = born
    self.serial = serial
    messageSequence = description.messageSequence
    pid = description.pid
    stateNumber = Atomic(description.state.rawValue)
  }

  deinit {
    releaseAttachment()
    encryptionKey.erase()
    authenticationKey.erase()
  }

  package var state: SAState { SAState(rawValue: stateNumber.load(ordering: .acquiring)) ?? .dead }

  func setState(_ state: SAState) { stateNumber.store(state.rawValue, ordering: .releasing) }

  /// Whether packets may use it: mature or dying.
  @inline(__always) package var isUsable: Bool {
    let number = stateNumber.load(ordering: .acquiring)
    return number == SAState.mature.rawValue || number == SAState.dying.rawValue
  }

  /// Counts a packet. (`key_sa_recordxfer`)
  /// - Parameter count: bytes before encryption.
  /// - Parameter now: seconds since 1970.
  /// - Returns: false when a hard limit of bytes or packets was reached before: the packet must not use it.
  package func record(bytes count: Int, now: UInt64) -> Bool {
    let size = UInt64(max(count, 0))
    if let hard {
      if hard.bytes != 0 && bytes.load(ordering: .relaxed) >= hard.bytes { return false }
      if hard.allocations != 0 && packets.load(ordering: .relaxed) >= hard.allocations { return false }
    }
    bytes.wrappingAdd(size, ordering: .relaxed)
    packets.wrappingAdd(1, ordering: .relaxed)
    if firstUse.load(ordering: .relaxed) == 0 {
      _ = firstUse.compareExchange(expected: 0, desired: now, ordering: .relaxed)
    }
    return true
  }

  /// What has been used.
  package var current: Lifetime {
    Lifetime(
      allocations: packets.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed), addTime: born,
      useTime: firstUse.load(ordering: .relaxed))
  }

  /// Seen from outside. With copies of the keys only if asked: whoever asks erases them.
  package func description(withKeys: Bool) -> SecurityAssociation {
    var result = SecurityAssociation(proto, spi: spi, from: source, to: destination)
    result.mode = mode
    result.reqid = reqid
    result.natTraversal = natTraversal
    result.state = state
    result.replay = replay
    result.flags = flags
    result.encryption = encryption
    result.authentication = authentication
    result.compression = compression
    if withKeys {
      result.encryptionKey = encryptionKey.copy()
      result.authenticationKey = authenticationKey.copy()
    }
    result.current = current
    result.hard = hard
    result.soft = soft
    result.sequence = UInt32(truncatingIfNeeded: sequence.load(ordering: .relaxed))
    result.messageSequence = messageSequence
    result.pid = pid
    result.references = 1
    return result
  }
}
