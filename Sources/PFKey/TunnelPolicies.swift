// TunnelPolicies: the four policies of an ipsec interface, made and removed by PF_KEY messages. Control paths.
import SwBPFPackets

/// What an ipsec interface wants of its policies.
package struct TunnelPolicyOptions: Sendable, Hashable {
  /// Where reqids come from.
  package enum RequestIDs: Sendable, Hashable {
    /// Each policy has one of its own. (`key_newreqid`)
    case automatic
    /// One for both IPv4 policies and one for both IPv6 policies, up to 16383. (`net.ipsecif.use_fixed_reqid`)
    case fixed(v4: UInt16, v6: UInt16)
  }

  package var own: Endpoint
  package var peer: Endpoint
  /// Level require without reqids instead of unique. (link0)
  package var isNATTraversal = false
  /// Whether IPv6 is let through; its policies discard else. (link2)
  package var forwardsIPv6 = true
  package var requestIDs = RequestIDs.automatic
  /// The old shape: requests carry addresses and ports though their mode is transport. For showing its fault only.
  package var carriesAddresses = false

  package init(own: Endpoint, peer: Endpoint) {
    self.own = own
    self.peer = peer
  }

  /// How many reqids the engine has to find for them.
  fileprivate var newRequestIDs: Int {
    guard !isNATTraversal, case .automatic = requestIDs else { return 0 }
    return forwardsIPv6 ? 4 : 2
  }
}

/// Between which addresses a tunnel is; ports do not count.
struct TunnelPair: Hashable {
  let own: IPAddress
  let peer: IPAddress
}

/// The four policies, as interfaces between the same addresses share them.
/// - Threads: any; changed under the engine's lock.
package final class TunnelPolicies: @unchecked Sendable {
  let pair: TunnelPair
  /// In the order in which they were made: in IPv4, out IPv4, in IPv6, out IPv6.
  package fileprivate(set) var ids: [UInt32] = []
  /// Interfaces that use them.
  fileprivate var users = 0

  fileprivate init(_ pair: TunnelPair) { self.pair = pair }
}

extension KeyEngine {
  /// The four SPDADD messages, in order: in IPv4, out IPv4, in IPv6, out IPv6. (`if_ipsec_add_sp0`)
  package func policyMessages(_ options: TunnelPolicyOptions) throws(PFKeyError) -> [[UInt8]] {
    try lock.withLock { () throws(PFKeyError) in try messages(options) }
  }

  private func messages(_ options: TunnelPolicyOptions) throws(PFKeyError) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    for upper in [4, 41] as [UInt8] {
      for direction in [PolicyDirection.inbound, .outbound] {
        let isOut = direction == .outbound
        let (source, destination) = isOut ? (options.own, options.peer) : (options.peer, options.own)
        let selector = Selector(
          direction, from: AddressRange(source.address), to: AddressRange(destination.address), upper: upper)
        var policy = SecurityPolicy(selector, .discard)
        if upper == 4 || options.forwardsIPv6 {
          let level = options.isNATTraversal ? PolicyLevel.require : .unique
          var request = PolicyRequest(.esp, .transport, level, reqid: try reqid(options, upper: upper))
          if options.carriesAddresses { request.ends = PolicyRequest.Ends(from: source, to: destination) }
          policy.type = .ipsec
          policy.requests = [request]
        }
        guard let message = policy.addMessage() else { throw .noBuffers }
        messages.append(message)
      }
    }
    return messages
  }

  private func reqid(_ options: TunnelPolicyOptions, upper: UInt8) throws(PFKeyError) -> UInt16 {
    // The old shape drew one for level require, too.
    if options.isNATTraversal && !options.carriesAddresses { return 0 }
    switch options.requestIDs {
    case .fixed(let v4, let v6): return upper == 4 ? v4 : v6
    case .automatic:
      guard let id = requestIDs.next() else { throw .noBuffers }
      return id
    }
  }

  /// Makes the policies of an interface, or shares those of another between the same addresses.
  /// - Throws: `exists` when a policy with one of the selectors is there; then none of the four is left.
  package func addTunnelPolicies(_ options: TunnelPolicyOptions) throws(PFKeyError) -> TunnelPolicies {
    try lock.withLock { () throws(PFKeyError) in
      let pair = TunnelPair(own: options.own.address, peer: options.peer.address)
      let policies = tunnels[pair] ?? TunnelPolicies(pair)
      // A flush may have taken those of the others.
      if policies.ids.isEmpty || !policies.ids.allSatisfy({ self.policies.byID[$0] != nil }) {
        removeAll(policies)
        try make(policies, options)
      }
      policies.users += 1
      tunnels[pair] = policies
      return policies
    }
  }

  private func make(_ policies: TunnelPolicies, _ options: TunnelPolicyOptions) throws(PFKeyError) {
    for message in try messages(options) {
      let selector = try Selector(try Message(message))
      do throws(PFKeyError) {
        try sendInternally(message)
      } catch {
        removeAll(policies)
        throw error
      }
      if let added = self.policies.policy(selector) { policies.ids.append(added.id) }
    }
  }

  /// Goes from the policies of an interface to others. When this fails, the old ones are as they were.
  ///
  /// To other addresses: the new ones are there before the old ones go. Between the same addresses each is replaced in its
  /// place, with a new id and a new reqid, and at no time is there none; nothing is replaced that others share.
  /// - Throws: `exists` when somebody else's policy has one of the selectors; `noBuffers` when reqids are used up.
  package func changeTunnelPolicies(
    _ old: TunnelPolicies, to options: TunnelPolicyOptions
  ) throws(PFKeyError) -> TunnelPolicies {
    let pair = TunnelPair(own: options.own.address, peer: options.peer.address)
    guard old.pair == pair else {
      let new = try addTunnelPolicies(options)
      removeTunnelPolicies(old)
      return new
    }
    try lock.withLock { () throws(PFKeyError) in
      guard old.users == 1 else { return }
      guard requestIDs.haveFree(options.newRequestIDs) else { throw .noBuffers }
      let messages = try messages(options)
      for message in messages {
        let there = policies.policy(try Selector(try Message(message)))
        if let there, !old.ids.contains(there.id) { throw .exists }
      }
      var ids: [UInt32] = []
      for var message in messages {
        let selector = try Selector(try Message(message))
        message[1] = MessageType.spdUpdate.rawValue
        try sendInternally(message)
        if let added = policies.policy(selector) { ids.append(added.id) }
      }
      old.ids = ids
    }
    return old
  }

  /// Gives up what ``addTunnelPolicies(_:)`` gave; the last user's call removes the policies. (`if_ipsec_del_sp`)
  package func removeTunnelPolicies(_ policies: TunnelPolicies) {
    lock.withLock {
      guard policies.users > 0 else { return }
      policies.users -= 1
      if policies.users == 0 {
        removeAll(policies)
        tunnels[policies.pair] = nil
      }
    }
  }

  /// In the order out IPv4, in IPv4, out IPv6, in IPv6, by id. Those that somebody else removed are gone already.
  private func removeAll(_ policies: TunnelPolicies) {
    for place in [1, 0, 3, 2] where place < policies.ids.count {
      guard self.policies.byID[policies.ids[place]] != nil else { continue }
      try? sendInternally(SecurityPolicy.message(.spdDelete2, id: policies.ids[place]))
    }
    policies.ids = []
  }

  /// The policies in the order of their making: in IPv4, out IPv4, in IPv6, out IPv6; nil: somebody removed it.
  package func policies(of tunnel: TunnelPolicies) -> [Policy?] {
    lock.withLock { tunnel.ids.map { policies.byID[$0] } }
  }
}
