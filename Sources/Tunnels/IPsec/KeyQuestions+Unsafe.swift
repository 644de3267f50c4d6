// What packets ask of PF_KEY, in the words of tunnels.
// Used by one worker, or by whoever holds an output.
import SwBPFKern
import SwBPFPFKey
import SwBPFPackets

/// What the policies say of packets that leave.
enum OutboundWay {
  case association(Association)
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
  ///   - upper: 4 or 41.
  ///   - now: seconds since 1970.
  func outbound(_ pair: TunnelPair, _ ports: NATPorts, upper: UInt8, now: UInt64) -> OutboundWay {
    let (source, destination) = Self.ends(pair, ports)
    reader.enter()
    defer { reader.leave() }
    guard
      let found = unsafe engine.match(
        .outbound, from: Endpoint(source.address), to: Endpoint(destination.address), upper: upper)
    else { return .refused(.noPolicy) }
    // SAFETY: inside of the epoch; what is returned is a reference of its own.
    let policy = unsafe found.takeUnretainedValue()
    policy.use(now: now)
    switch policy.type {
    case .ipsec: break
    case .discard: return .refused(.discarded)
    default: return .refused(.noPolicy)
    }
    guard policy.requests.count == 1, let request = policy.requests.first, request.proto == .esp,
      request.mode != .tunnel
    else { return .refused(.otherPolicy) }
    guard let association = unsafe engine.association(for: request, from: source, to: destination) else {
      return .missing(policy, request)
    }
    return unsafe .association(association.takeUnretainedValue())
  }

  /// Asks key daemons for an association. Not inside of the epoch. (`key_acquire`)
  func acquire(_ pair: TunnelPair, _ ports: NATPorts, _ policy: Policy, _ request: PolicyRequest) {
    let (source, destination) = Self.ends(pair, ports)
    engine.acquire(request, of: policy, from: source, to: destination)
  }

  /// Whether the policies let in what came out of ESP. (`ipsec4_in_reject`)
  /// - Parameter pair: as the outer header has it: source is the sender.
  func mayEnter(_ outer: OuterInfo, upper: UInt8, now: UInt64) -> IPsecDrop? {
    reader.enter()
    defer { reader.leave() }
    guard
      let found = unsafe engine.match(
        .inbound, from: Endpoint(outer.source.unscoped), to: Endpoint(outer.destination.unscoped), upper: upper)
    else { return .noPolicy }
    // SAFETY: inside of the epoch.
    return unsafe found._withUnsafeGuaranteedRef { policy in
      policy.use(now: now)
      switch policy.type {
      case .ipsec: return nil
      case .discard: return .discarded
      default: return .noPolicy
      }
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
