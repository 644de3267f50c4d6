// What packets ask of PF_KEY, in the words of tunnels.
// Used by one worker, or by whoever holds an output.
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// What the policies say of packets that leave.
enum OutboundWay {
  case association(Association)
  /// No policy asks for anything, and the packet is none of an ipsec interface's.
  case clear
  /// There is none that fits: key daemons may be asked. (``KeyQuestions/acquire(_:_:)``)
  case missing(Policy, PolicyRequest)
  case refused(IPsecDrop)
}

/// - Threads: one at a time.
struct KeyQuestions: ~Copyable {
  private let engine: KeyEngine
  private let reader: Epoch.Reader

  init(_ engine: KeyEngine) {
    self.engine = engine
    reader = engine.epoch.reader()
  }

  /// The association for what leaves between two addresses. (`ipsec4_getpolicybyaddr`, `key_checkrequest`)
  ///
  /// Level use is taken for require: nothing ever leaves in clear.
  /// - Parameters:
  ///   - ports: those of the interface; by them one of several is found.
  ///   - upper: 4 or 41; 115 of an l2tp.
  ///   - now: seconds since 1970.
  ///   - isOther: of another kind of tunnel than ipsec, which needs no policy, and has no UDP.
  func outbound(
    _ pair: TunnelPair, _ ports: NATPorts, upper: UInt8, now: UInt64, isOther: Bool = false
  ) -> OutboundWay {
    let (source, destination) = Self.ends(pair, ports)
    reader.enter()
    defer { reader.leave() }
    guard
      let found = unsafe engine.match(
        .outbound, from: Endpoint(source.address), to: Endpoint(destination.address), upper: upper)
    else { return isOther ? .clear : .refused(.noPolicy) }
    // SAFETY: inside of the epoch; what is returned is a reference of its own.
    let policy = unsafe found.takeUnretainedValue()
    policy.use(now: now)
    switch policy.type {
    case .ipsec: break
    case .discard: return .refused(.discarded)
    default: return isOther ? .clear : .refused(.noPolicy)
    }
    guard policy.requests.count == 1, let request = policy.requests.first, request.proto == .esp,
      request.mode != .tunnel
    else { return .refused(.otherPolicy) }
    guard let association = unsafe engine.association(for: request, from: source, to: destination) else {
      return .missing(policy, request)
    }
    let one = unsafe association.takeUnretainedValue()
    return isOther && one.natTraversal != nil ? .refused(.otherAssociation) : .association(one)
  }

  /// Whether packets of another kind of tunnel leave as if there were no policies.
  func leavesAlone(_ pair: TunnelPair, upper: UInt8, now: UInt64) -> Bool {
    guard engine.hasPolicies else { return true }
    if case .clear = outbound(pair, NATPorts(), upper: upper, now: now, isOther: true) { return true }
    return false
  }

  /// Whether a packet of another kind of tunnel may enter that came without ESP. (`ipsec4_in_reject`)
  ///
  /// Level use is taken for require here, too.
  func mayEnterClear(_ outer: OuterInfo, upper: UInt8, now: UInt64) -> IPsecDrop? {
    guard engine.hasPolicies else { return nil }
    switch inboundType(outer, upper: upper, now: now) {
    case .ipsec: return .clear
    case .discard: return .discarded
    default: return nil
    }
  }

  /// Asks key daemons for an association. Not inside of the epoch. (`key_acquire`)
  func acquire(_ pair: TunnelPair, _ ports: NATPorts, _ policy: Policy, _ request: PolicyRequest) {
    let (source, destination) = Self.ends(pair, ports)
    engine.acquire(request, of: policy, from: source, to: destination)
  }

  /// Whether the policies let in what came out of ESP. (`ipsec4_in_reject`)
  /// - Parameters:
  ///   - outer: as the header has it: source is the sender.
  ///   - isOther: for another kind of tunnel than ipsec, which needs no policy.
  func mayEnter(_ outer: OuterInfo, upper: UInt8, now: UInt64, isOther: Bool = false) -> IPsecDrop? {
    switch inboundType(outer, upper: upper, now: now) {
    case .ipsec: nil
    case .discard: .discarded
    default: isOther ? nil : .noPolicy
    }
  }

  /// nil without a policy.
  private func inboundType(_ outer: OuterInfo, upper: UInt8, now: UInt64) -> PolicyType? {
    reader.enter()
    defer { reader.leave() }
    guard
      let found = unsafe engine.match(
        .inbound, from: Endpoint(outer.source.unscoped), to: Endpoint(outer.destination.unscoped), upper: upper)
    else { return nil }
    // SAFETY: inside of the epoch.
    return unsafe found._withUnsafeGuaranteedRef { policy in
      policy.use(now: now)
      return policy.type
    }
  }

  /// The association of a packet that came. (`key_allocsa`)
  func inbound(to destination: IPAddress, spi: UInt32) -> Association? {
    let destination = destination.unscoped
    reader.enter()
    defer { reader.leave() }
    // SAFETY: inside of the epoch; what is returned is a reference of its own.
    return unsafe engine.association(to: destination, spi: spi, proto: .esp)?.takeUnretainedValue()
  }

  private static func ends(_ pair: TunnelPair, _ ports: NATPorts) -> (source: Endpoint, destination: Endpoint) {
    (Endpoint(pair.source.unscoped, port: ports.own), Endpoint(pair.destination.unscoped, port: ports.peer))
  }

}

extension Association {
  /// Whether it is for packets from this address.
  func isFrom(_ source: IPAddress) -> Bool {
    self.source.isUnspecified || self.source == source.unscoped
  }

  /// Whether it is for packets to this address.
  func isTo(_ destination: IPAddress) -> Bool { self.destination == destination.unscoped }
}

extension TunnelPolicyOptions {
  /// The policies of an interface with these ends.
  init(_ pair: TunnelPair, _ ports: NATPorts) {
    self.init(
      own: Endpoint(pair.source.unscoped, port: ports.own), peer: Endpoint(pair.destination.unscoped, port: ports.peer))
  }
}
