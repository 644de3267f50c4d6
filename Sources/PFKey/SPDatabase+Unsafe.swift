// SPDatabase: the policies and their index. The engine changes it under its lock; packets are matched without.
internal import SwBPFKern
import SwBPFPackets
import Synchronization

/// Policies between two exact addresses.
struct PolicyKey: EpochKey {
  let direction: PolicyDirection
  let source: IPAddress
  let destination: IPAddress

  @inline(__always) func hash(seed: UInt64) -> UInt64 {
    let first = mixed(mixed(mixed(seed, source.high), source.low), destination.high)
    return mixed(mixed(first, destination.low), UInt64(direction.rawValue))
  }
}

/// The policies of one direction that are for more than one pair of addresses, in order. Never changes once published.
@safe private final class RangePolicies: @unchecked Sendable {
  private let policies: UnsafeMutableBufferPointer<Unmanaged<Policy>>

  init(_ list: [Policy]) {
    // SAFETY: holds a reference to each; freed in deinit.
    unsafe policies = .allocate(capacity: list.count)
    for index in list.indices { unsafe policies.initializeElement(at: index, to: .passRetained(list[index])) }
  }

  deinit {
    for index in unsafe policies.indices { unsafe policies[index].release() }
    unsafe policies.deallocate()
  }

  /// The first that matches and stands before `order`.
  @inline(__always) func first(
    _ source: Endpoint, _ destination: Endpoint, upper: UInt8, before order: UInt64
  ) -> Unmanaged<Policy>? {
    let count = unsafe policies.count
    for index in 0..<count {
      // SAFETY: within the buffer, which holds a reference.
      let policy = unsafe policies[index]
      let (stands, matches) = unsafe policy._withUnsafeGuaranteedRef {
        ($0.order < order, $0.matches(source, destination, upper: upper))
      }
      if !stands { return nil }
      if matches { return unsafe policy }
    }
    return nil
  }
}

/// Policies in the order in which they came; the first that matches wins.
///
/// Those between two exact addresses are found by their hash, so thousands of them cost a packet nothing; the others are
/// walked through.
/// - Threads: ``match(_:from:to:upper:)`` any thread inside of the epoch; all else under the engine's lock.
@safe final class SPDatabase: @unchecked Sendable {
  private(set) var byID: [UInt32: Policy] = [:] {
    didSet { isEmpty.store(byID.isEmpty, ordering: .sequentiallyConsistent) }
  }
  /// For a look without the lock and the epoch.
  let isEmpty = Atomic<Bool>(true)
  private var bySelector: [Selector: Policy] = [:]
  /// Those with lifetimes.
  private(set) var timed: [UInt32: Policy] = [:]
  /// Those of ranges, in order, by direction: inbound, outbound.
  private var ranges: [[Policy]] = [[], []]
  private var lastID: UInt32 = 0
  private var lastOrder: UInt64 = 0
  private let epoch: Epoch
  private let exact: EpochMap<PolicyKey, Policy>
  private let inboundRanges = unsafe Atomic<Unmanaged<RangePolicies>>(.passRetained(RangePolicies([])))
  private let outboundRanges = unsafe Atomic<Unmanaged<RangePolicies>>(.passRetained(RangePolicies([])))

  init(epoch: Epoch) {
    self.epoch = epoch
    exact = EpochMap(epoch: epoch)
  }

  deinit {
    // SAFETY: nobody can read a database whose owner is gone.
    unsafe inboundRanges.load(ordering: .relaxed).release()
    unsafe outboundRanges.load(ordering: .relaxed).release()
  }

  // MARK: the packet path

  /// The first policy that is for a packet. (`key_allocsp`)
  @inline(__always) func match(
    _ direction: PolicyDirection, from source: Endpoint, to destination: Endpoint, upper: UInt8
  ) -> Unmanaged<Policy>? {
    var best: Unmanaged<Policy>?
    var order = UInt64.max
    var cursor = exact.first(
      PolicyKey(direction: direction, source: source.address, destination: destination.address))
    while let here = cursor {
      // SAFETY: inside of the epoch, which keeps what the index holds.
      let (matches, place) = unsafe here.value._withUnsafeGuaranteedRef {
        ($0.matches(ports: source.port, destination.port, upper: upper), $0.order)
      }
      if matches {
        unsafe best = here.value
        order = place
        break
      }
      cursor = here.next
    }
    // SAFETY: inside of the epoch, which keeps the published list.
    let list =
      unsafe direction == .inbound
      ? inboundRanges.load(ordering: .sequentiallyConsistent) : outboundRanges.load(ordering: .sequentiallyConsistent)
    let earlier = unsafe list._withUnsafeGuaranteedRef {
      unsafe $0.first(source, destination, upper: upper, before: order)
    }
    return unsafe earlier ?? best
  }

  // MARK: under the lock

  /// All, inbound first, each direction in order.
  var ordered: [Policy] {
    byID.values.sorted {
      ($0.selector.direction.rawValue, $0.order) < ($1.selector.direction.rawValue, $1.order)
    }
  }

  func policy(_ selector: Selector) -> Policy? { bySelector[selector] }

  /// The next id that no policy has.
  private func newID() -> UInt32 {
    repeat { lastID = lastID == .max ? 1 : lastID + 1 } while byID[lastID] != nil
    return lastID
  }

  /// Adds a policy behind all others, or in the place of the one with the same selector.
  func insert(_ description: SecurityPolicy, now: UInt64) -> Policy {
    let old = bySelector[description.selector]
    if old == nil { lastOrder += 1 }
    let new = Policy(description, id: newID(), order: old?.order ?? lastOrder, created: now)
    if let old { forget(old) }
    byID[new.id] = new
    bySelector[new.selector] = new
    if new.lifetime != 0 || new.idleTime != 0 { timed[new.id] = new }
    if let key = SPDatabase.key(new.selector) {
      if let old { exact.replace(old, by: new, for: key) } else { exact.insert(new, for: key) }
    } else {
      let direction = SPDatabase.index(new.selector.direction)
      if let old, let place = ranges[direction].firstIndex(where: { $0 === old }) {
        ranges[direction][place] = new
      } else {
        ranges[direction].append(new)
      }
      publish(new.selector.direction)
    }
    return new
  }

  func remove(_ policy: Policy) {
    forget(policy)
    if let key = SPDatabase.key(policy.selector) {
      exact.remove(policy, for: key)
    } else {
      ranges[SPDatabase.index(policy.selector.direction)].removeAll { $0 === policy }
      publish(policy.selector.direction)
    }
  }

  func removeAll() {
    byID = [:]
    bySelector = [:]
    timed = [:]
    ranges = [[], []]
    exact.removeAll()
    publish(.inbound)
    publish(.outbound)
  }

  private func forget(_ policy: Policy) {
    byID[policy.id] = nil
    bySelector[policy.selector] = nil
    timed[policy.id] = nil
  }

  private func publish(_ direction: PolicyDirection) {
    let list = RangePolicies(ranges[SPDatabase.index(direction)])
    // SAFETY: the reference of the list that goes is given up when no reader can see it.
    let old: Unmanaged<RangePolicies>
    if direction == .inbound {
      unsafe old = inboundRanges.exchange(.passRetained(list), ordering: .sequentiallyConsistent)
    } else {
      unsafe old = outboundRanges.exchange(.passRetained(list), ordering: .sequentiallyConsistent)
    }
    let address = unsafe UInt(bitPattern: old.toOpaque())
    epoch.retire {
      unsafe Unmanaged<RangePolicies>.fromOpaque(UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped).release()
      return true
    }
  }

  private static func index(_ direction: PolicyDirection) -> Int { direction == .inbound ? 0 : 1 }

  /// nil: a range.
  private static func key(_ selector: Selector) -> PolicyKey? {
    guard selector.source.isExact, selector.destination.isExact else { return nil }
    return PolicyKey(
      direction: selector.direction, source: selector.source.address, destination: selector.destination.address)
  }
}
