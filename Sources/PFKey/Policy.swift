// Policy: one entry of the SPD, as packets meet it. Made by the engine; read on the packet path without a lock.
import SwBPFPackets
import Synchronization

/// A security policy. (`secpolicy`) Never changes: SPDUPDATE puts another in its place.
/// - Threads: any.
package final class Policy: Sendable {
  package let selector: Selector
  package let type: PolicyType
  package let requests: [PolicyRequest]
  package let id: UInt32
  /// Seconds since 1970, and limits in seconds; 0 is none.
  package let created: UInt64
  package let lifetime: UInt64
  package let idleTime: UInt64
  /// Its place among all policies.
  let order: UInt64
  let messageSequence: UInt32
  let pid: UInt32
  private let lastUsed = Atomic<UInt64>(0)

  init(_ description: SecurityPolicy, id: UInt32, order: UInt64, created: UInt64) {
    selector = description.selector
    type = description.type
    requests = description.requests
    lifetime = description.lifetime
    idleTime = description.idleTime
    messageSequence = description.messageSequence
    pid = description.pid
    self.id = id
    self.order = order
    self.created = created
  }

  /// Whether a packet between two addresses of this selector is its, too.
  @inline(__always) func matches(ports source: UInt16, _ destination: UInt16, upper: UInt8) -> Bool {
    (selector.upper == UpperProtocol.any || selector.upper == upper)
      && (selector.source.port == 0 || selector.source.port == source)
      && (selector.destination.port == 0 || selector.destination.port == destination)
  }

  @inline(__always) func matches(_ source: Endpoint, _ destination: Endpoint, upper: UInt8) -> Bool {
    matches(ports: source.port, destination.port, upper: upper)
      && selector.source.address.matches(source.address, prefix: selector.source.prefix)
      && selector.destination.address.matches(destination.address, prefix: selector.destination.prefix)
  }

  /// Notes that a packet used it. - Parameter now: seconds since 1970.
  @inline(__always) package func use(now: UInt64) {
    if lastUsed.load(ordering: .relaxed) != now { lastUsed.store(now, ordering: .relaxed) }
  }

  func isExpired(now: UInt64) -> Bool {
    let used = max(lastUsed.load(ordering: .relaxed), created)
    return (lifetime != 0 && now >= created && now - created >= lifetime)
      || (idleTime != 0 && now >= used && now - used >= idleTime)
  }

  /// Seen from outside.
  package var description: SecurityPolicy {
    var result = SecurityPolicy(selector, type, requests: requests)
    result.id = id
    result.created = created
    result.lastUsed = lastUsed.load(ordering: .relaxed)
    result.lifetime = lifetime
    result.idleTime = idleTime
    result.messageSequence = messageSequence
    result.pid = pid
    return result
  }
}
