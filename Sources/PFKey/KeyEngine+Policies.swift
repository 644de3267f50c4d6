// Messages about policies: SPDADD, SPDUPDATE, SPDDELETE, SPDDELETE2, SPDGET, SPDDUMP, SPDFLUSH. Under the engine's lock.

extension KeyEngine {
  /// The answer carries the policy's id and the reqids that were given. (`key_spdadd`)
  /// - Parameter replaces: a policy with the same selector goes, and leaves its place.
  func spdAdd(_ message: Message, replaces: Bool) throws(PFKeyError) -> Answer {
    var message = message
    var new = try SecurityPolicy(message)
    switch new.type {
    case .entrust, .bypass: throw .invalid
    case .discard, .none: break
    case .ipsec: if new.requests.isEmpty { throw .invalid }
    }
    let old = policies.policy(new.selector)
    if old != nil && !replaces { throw .exists }
    if new.type == .ipsec {
      // Nothing has changed yet: numbers that a failure leaves behind are only skipped.
      for (index, (_, offset)) in try message.policyRequests().enumerated() {
        let id = try requestID(for: new.requests[index])
        new.requests[index].reqid = id
        message.setRequestID(id, at: offset)
      }
    }
    if let old { requestIDs.give(old.requests) }
    requestIDs.take(new.requests)
    message.setPolicyID(policies.insert(new, now: now).id)
    return .everyone(message.reply())
  }

  /// Only level unique has a reqid; one that is not given by hand is always a new one.
  private func requestID(for request: PolicyRequest) throws(PFKeyError) -> UInt16 {
    guard request.level == .unique else { return 0 }
    if 1...RequestID.greatestManual ~= request.reqid { return request.reqid }
    guard let id = requestIDs.next() else { throw .noBuffers }
    return id
  }

  /// A reqid that no policy has, for whoever is about to add one. (`key_newreqid`)
  /// - Throws: `noBuffers` when all 49152 are in use.
  package func newRequestID() throws(PFKeyError) -> UInt16 {
    guard let id = lock.withLock({ requestIDs.next() }) else { throw .noBuffers }
    return id
  }

  func spdDelete(_ message: Message) throws(PFKeyError) -> Answer {
    guard let policy = policies.policy(try Selector(message)) else { throw .invalid }
    return remove(policy, message)
  }

  func spdDelete2(_ message: Message) throws(PFKeyError) -> Answer {
    guard let fields = message.policy, let policy = policies.byID[fields.id] else { throw .invalid }
    return remove(policy, message)
  }

  private func remove(_ policy: Policy, _ message: Message) -> Answer {
    forget(policy)
    var message = message
    message.setPolicyID(policy.id)
    return .everyone(message.reply())
  }

  func forget(_ policy: Policy) {
    requestIDs.give(policy.requests)
    policies.remove(policy)
  }

  func spdGet(_ message: Message) throws(PFKeyError) -> Answer {
    guard let fields = message.policy else { throw .invalid }
    guard let policy = policies.byID[fields.id] else { throw .notFound }
    return .asker([try listing(policy, .spdGet, sequence: message.header.sequence, pid: message.header.pid)])
  }

  /// One message for each, counted down to 0 in the sequence number.
  func spdDump(_ message: Message) throws(PFKeyError) -> Answer {
    let found = policies.ordered
    guard !found.isEmpty else { throw .notFound }
    var messages: [[UInt8]] = []
    for (index, policy) in found.enumerated() {
      let left = UInt32(truncatingIfNeeded: found.count - 1 - index)
      messages.append(try listing(policy, .spdDump, sequence: left, pid: message.header.pid))
    }
    return .asker(messages)
  }

  private func listing(
    _ policy: Policy, _ type: MessageType, sequence: UInt32, pid: UInt32
  ) throws(PFKeyError) -> [UInt8] {
    guard let message = policy.description.listing(type, sequence: sequence, pid: pid) else { throw .noBuffers }
    return message
  }

  func spdFlush(_ message: Message) -> Answer {
    requestIDs.giveAll()
    policies.removeAll()
    return .everyone(message.reply())
  }
}
