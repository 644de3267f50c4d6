// One ipsec interface: its addresses, ports and policies.
// Made, changed and destroyed by the engine under its lock; workers look at what is constant or published.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPFKey
import SwBPFPackets
import Synchronization

/// A tunnel interface that carries IPv4 and IPv6 in ESP. (`struct ipsec_softc`)
final class IPsec: Tunnel, @unchecked Sendable {
  /// What workers go by. (`struct ipsec_variant`)
  let variant = Published(IPsecSettings())
  /// When something was sent last, ns of the monotonic clock.
  let lastSent = Atomic<Int64>(0)
  /// Of the keepalives that count; older ones end.
  let round = Atomic<UInt64>(0)
  private let all: IPsecShared

  // Guarded by the engine's lock.
  private var policies: TunnelPolicies?
  private var socket: NATSocket?
  /// Workers see no addresses: the policies are not those of the settings.
  private var isSwitching = false
  /// net.interfaces.ipsecN.pmtu: -1 is what net.inet6.ip6.ipsecifpmtu says.
  private(set) var pathMTU = -1

  init(_ parts: TunnelParts, driver: IPsecDriver, _ all: IPsecShared) throws(BPF.Failure) {
    self.all = all
    try super.init(parts, driver: driver, linkType: 0, headerLength: 4)
    links = .link2
  }

  override var publishedPair: TunnelPair? { variant.value.pair }

  private var unit: Int { Int(name.drop { !("0"..."9").contains($0) }) ?? 0 }

  override func publish(_ values: TunnelSettings) {
    var new = IPsecSettings()
    new.isUp = isUp
    new.pair = isSwitching ? nil : pair
    new.ports = ends.map { NATPorts(own: $0.source.port, peer: $0.destination.port) } ?? NATPorts()
    new.mtu = Int(mtu)
    new.isNATTraversal = links.contains(.link0)
    new.ecn = links.contains(.link1) ? .passed : .cleared
    new.forwardsIPv6 = links.contains(.link2)
    new.hopLimit = values.ipsecHopLimit
    new.usesPathMTU = pathMTU < 0 ? values.ipsecUsesPathMTU : pathMTU > 0
    new.coalesces = values.ipsecCoalesces
    new.sendsTrains = values.ipsecSendsTrains
    new.socket = isSwitching ? nil : socket
    if isUp && new.socket != nil && new.ports.peer != 0 { new.keepalive = values.ipsecKeepalive }
    let old = variant.value
    if new != old { variant.publish(new) }
    if new.keepalive != old.keepalive { all.pulse.start(self, seconds: new.keepalive) }
  }

  override func tell(_ status: inout InterfaceStatus) { status.linkState = ends == nil ? .down : .up }

  // MARK: Requests

  override func perform(_ operation: InterfaceOperation, in engine: TunnelEngine) throws(BPF.Failure) -> Bool {
    switch operation {
    case .tunnel(let ends):
      if ends != self.ends { try change(to: ends, links, engine) }
    case .deleteTunnel:
      if ends != nil { try change(to: nil, links, engine) }
    case .link(let number, let isOn) where number != 1:
      guard let flag = InterfaceFlags.link(Int(number)) else { throw .invalid("link0, link1 or link2") }
      let new = isOn ? links.union(flag) : links.subtracting(flag)
      if new != links { try change(to: ends, new, engine) }
    default: return false
    }
    return true
  }

  /// - Throws: EINVAL.
  func setPathMTU(_ value: Int) throws(BPF.Failure) {
    guard (-1...1).contains(value) else { throw .invalid("pmtu is -1, 0 or 1") }
    pathMTU = value
  }

  /// The whole switch, or nothing. (`if_ipsec_update_variant`)
  ///
  /// Workers see the old settings, then an interface without addresses while the policies are changed, then the new ones.
  /// - Throws: EADDRNOTAVAIL for the addresses of another interface when neither has NAT traversal, EEXIST when somebody else has
  ///   policies between them, EADDRINUSE when another program has the UDP port, EINVAL for ends of two families and where
  ///   fixed reqids are used up.
  private func change(to ends: TunnelEnds?, _ links: InterfaceFlags, _ engine: TunnelEngine) throws(BPF.Failure) {
    let plan = try plan(ends, links, engine)
    let newSocket = try plan?.takeSocket(all)
    if self.ends != nil {
      isSwitching = true
      engine.changed(self)
    }
    do throws(PFKeyError) {
      try changePolicies(to: plan)
    } catch {
      if let newSocket { all.sockets.giveBack(newSocket) }
      isSwitching = false
      engine.changed(self)
      throw Self.failure(error)
    }
    let oldSocket = socket
    (self.ends, self.links, socket) = (ends, links, newSocket)
    isSwitching = false
    trouble.clear()
    publish(engine.settingsNow)
    engine.publishTable()
    engine.settle()
    routes.flush()
    if let oldSocket { all.sockets.giveBack(oldSocket) }
    if let pair, !engine.shared.routing.resolver.ask(pair.source).isLocal {
      engine.options.onLog(.warning, "\(name): the tunnel's source \(pair.source) is no address of this system")
    }
  }

  /// What an interface is to become.
  private struct Plan {
    let pair: TunnelPair
    let options: TunnelPolicyOptions
    /// nil without NAT traversal.
    let port: UInt16?

    func takeSocket(_ all: IPsecShared) throws(BPF.Failure) -> NATSocket? {
      guard let port else { return nil }
      return try all.sockets.take(isIPv6: pair.isIPv6, port: port)
    }
  }

  private func plan(
    _ ends: TunnelEnds?, _ links: InterfaceFlags, _ engine: TunnelEngine
  ) throws(BPF.Failure) -> Plan? {
    guard let ends else { return nil }
    guard let pair = TunnelPair(source: ends.source.address.unscoped, destination: ends.destination.address.unscoped)
    else { throw .invalid("addresses of two families") }
    let isNAT = links.contains(.link0)
    let others = engine.tunnels.values.compactMap { $0 as? IPsec }.filter { $0 !== self && $0.pair == pair }
    // Flags may change whatever others have.
    if ends != self.ends, let other = others.first(where: { !isNAT && !$0.links.contains(.link0) }) {
      throw .system(errno: EADDRNOTAVAIL, call: "\(other.name) has these addresses")
    }
    if engine.options.hasOldEncapsulationKeys && pair.isIPv6 && (pair == self.pair || !others.isEmpty) {
      throw .system(errno: EEXIST, call: "")
    }
    var options = TunnelPolicyOptions(pair, NATPorts(own: ends.source.port, peer: ends.destination.port))
    options.isNATTraversal = isNAT
    options.forwardsIPv6 = links.contains(.link2)
    let values = engine.settingsNow
    if values.ipsecUsesFixedReqids && !isNAT {
      let first = values.ipsecReqidBase + 2 * unit
      guard first < Int(RequestID.greatestManual) else { throw .invalid("there is no fixed reqid for \(name)") }
      options.requestIDs = .fixed(v4: UInt16(first), v6: UInt16(first + 1))
    }
    return Plan(pair: pair, options: options, port: isNAT && ends.source.port != 0 ? ends.source.port : nil)
  }

  private func changePolicies(to plan: Plan?) throws(PFKeyError) {
    switch (policies, plan) {
    case (let old?, let plan?): policies = try all.keys.changeTunnelPolicies(old, to: plan.options)
    case (nil, let plan?): policies = try all.keys.addTunnelPolicies(plan.options)
    case (_, nil): removePolicies()
    }
  }

  private func removePolicies() {
    if let old = policies { all.keys.removeTunnelPolicies(old) }
    policies = nil
  }

  private static func failure(_ error: PFKeyError) -> BPF.Failure {
    switch error {
    case .exists: .system(errno: EEXIST, call: "a policy between these addresses exists already")
    case .noBuffers: .system(errno: ENOBUFS, call: "reqids are used up")
    default: .system(errno: error.errno, call: "PF_KEY")
    }
  }

  override func willEnd(in engine: TunnelEngine) {
    ends = nil
    if let old = socket { all.sockets.giveBack(old) }
    socket = nil
    all.pulse.start(self, seconds: 0)
    variant.publish(IPsecSettings())
    removePolicies()
  }
}
