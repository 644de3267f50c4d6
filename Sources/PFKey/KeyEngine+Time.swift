// What time does to associations and policies. Called by the daemon's timer, once a second; any thread.

extension KeyEngine {
  /// Ends what has lived long enough, and tells those who registered. (`key_timehandler`)
  /// - Parameter now: seconds since 1970. A clock that was set back ends nothing.
  /// - Cost: looks at what has lifetimes only.
  package func tick(now: UInt64) {
    lock.withLock {
      setNow(now)
      for association in associations.timed.values.sorted(by: { $0.serial < $1.serial }) {
        expire(association, now: now)
      }
      for policy in policies.timed.values.sorted(by: { $0.order < $1.order }) where policy.isExpired(now: now) {
        forget(policy)
        tellAllRegistered(policy.description.listing(.spdExpire, sequence: 0, pid: 0))
      }
      acquires.expire(now: now)
    }
  }

  private func expire(_ association: Association, now: UInt64) {
    if association.state == .larval {
      if now >= association.born && now - association.born >= KeyEngine.larvalLifetime {
        associations.remove(association)
      }
      return
    }
    let current = association.current
    if let hard = association.hard, hard.isReached(by: current, now: now) {
      associations.remove(association)
      tellExpired(association, .lifetimeHard, hard)
    } else if let soft = association.soft, association.state == .mature, soft.isReached(by: current, now: now) {
      association.setState(.dying)
      tellExpired(association, .lifetimeSoft, soft)
    }
  }

  /// EXPIRE, with the limit that was reached. (`key_expire`)
  private func tellExpired(_ association: Association, _ type: ExtensionType, _ limit: Lifetime) {
    let description = association.description(withKeys: false)
    let header = MessageHeader(.expire, association.proto.saType, sequence: association.messageSequence)
    var writer = MessageWriter(header)
    writer.add(description.fields)
    writer.addSA2(mode: association.mode, sequence: description.sequence, reqid: association.reqid)
    writer.add(.lifetimeCurrent, association.current)
    writer.add(type, limit)
    writer.add(.addressSource, association.source)
    writer.add(.addressDestination, association.destination)
    tell(registered: association.proto.saType, writer.finish())
  }
}
