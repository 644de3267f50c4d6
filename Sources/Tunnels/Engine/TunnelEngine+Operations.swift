// What is asked of an interface. (`gif_ioctl` and its like)
// Each request checks first, asks the system next, and publishes last.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

extension TunnelEngine {
  /// Changes an interface. When this returns, packets that enter it are judged by the new setting.
  /// - Throws: ENXIO for an interface that there is not, EOPNOTSUPP for one that is no tunnel; EINVAL for an MTU outside
  ///   1280...8192 and for ends of two families; EADDRNOTAVAIL for the addresses of another tunnel, and when an address to be
  ///   deleted is not there; ENOTTY for what another kind of tunnel has; the system's errors.
  package func perform(_ operation: InterfaceOperation, on name: String) throws(InterfaceFailure) {
    let request = operation.request
    try lock.withLock { () throws(InterfaceFailure) in
      let tunnel = try find(name, request)
      do throws(BPF.Failure) {
        if try tunnel.perform(operation, in: self) { return }
        try perform(operation, tunnel)
      } catch {
        throw InterfaceFailure(error, request, error.text)
      }
    }
  }

  /// The lock is held.
  private func perform(_ operation: InterfaceOperation, _ tunnel: Tunnel) throws(BPF.Failure) {
    switch operation {
    case .up: try setUp(tunnel, true)
    case .down: try setUp(tunnel, false)
    case .mtu(let mtu):
      guard Tunnel.mtuRange.contains(mtu) else { throw .invalid("the MTU is from 1280 to 8192") }
      try control.setMTU(tunnel.name, mtu)
      tunnel.mtu = mtu
      changed(tunnel)
    case .link(let number, let isOn):
      guard let flag = InterfaceFlags.link(Int(number)) else { throw .invalid("link0, link1 or link2") }
      if isOn { tunnel.links.insert(flag) } else { tunnel.links.remove(flag) }
      changed(tunnel)
    case .unnumbered(let isOn): tunnel.isUnnumbered = isOn
    case .tunnel(let ends): try setTunnel(tunnel, ends)
    case .deleteTunnel: setEnds(tunnel, nil)
    case .addAddress(let address, let replaces): try addAddress(tunnel, address, replaces)
    case .deleteAddress(let address):
      let known = try control.addresses(of: tunnel.index)
      guard let found = known.first(where: { $0.address.unscoped == address.unscoped }) else {
        throw .system(errno: EADDRNOTAVAIL, call: "")
      }
      try control.change(found, of: tunnel.index, isAdded: false)
    case .session, .deleteSession, .cookie, .deleteCookie: throw .system(errno: ENOTTY, call: "")
    }
  }

  /// Workers know first that an interface is up and last that it is down: the system sends as soon as it may.
  private func setUp(_ tunnel: Tunnel, _ isUp: Bool) throws(BPF.Failure) {
    let wasUp = tunnel.isUp
    if isUp {
      tunnel.isUp = true
      changed(tunnel)
    }
    do throws(BPF.Failure) {
      try control.setUp(tunnel.name, isUp)
    } catch {
      tunnel.isUp = wasUp
      changed(tunnel)
      throw error
    }
    tunnel.isUp = isUp
    changed(tunnel)
  }

  /// What is published now is what workers go by when this returns.
  func changed(_ tunnel: Tunnel) {
    tunnel.publish(values)
    settle()
  }

  func setTunnel(_ tunnel: Tunnel, _ ends: TunnelEnds) throws(BPF.Failure) {
    if ends == tunnel.ends { return }
    guard let pair = TunnelPair(source: ends.source.address.asEnd, destination: ends.destination.address.asEnd)
    else { throw .invalid("addresses of two families") }
    for end in [pair.source, pair.destination] where end.isLinkLocal && end.scope == 0 {
      throw .invalid("\(end) is a link's: name the link behind it, as in \(end)%eth0")
    }
    try tunnel.check(pair, in: self)
    setEnds(tunnel, ends)
    if !shared.routing.resolver.ask(pair.source).isLocal {
      options.onLog(.warning, "\(tunnel.name): the tunnel's source \(pair.source) is no address of this system")
    }
  }

  /// The table first when the pair is new, last when there is none: a packet is judged by one pair or the other.
  func setEnds(_ tunnel: Tunnel, _ ends: TunnelEnds?) {
    guard ends != tunnel.ends else { return }
    tunnel.ends = ends
    tunnel.trouble.clear()
    tunnel.publish(values)
    publishTable()
    settle()
    tunnel.routes.flush()
  }

  private func addAddress(_ tunnel: Tunnel, _ address: InterfaceAddress, _ replaces: Bool) throws(BPF.Failure) {
    let old = try control.addresses(of: tunnel.index)
    let first = old.first { $0.address.family == address.address.family && !$0.address.isLinkLocal }
    // The same address with another prefix or other end is the same address to BSD.
    let same = old.first { $0.address.unscoped == address.address.unscoped && $0 != address }
    // Up first: an IPv6 address that is given to a device that is down may stay tentative.
    let wasUp = tunnel.isUp
    if !wasUp { try setUp(tunnel, true) }
    do throws(BPF.Failure) {
      for gone in Set([replaces ? first : nil, same].compactMap { $0 }) where gone != address {
        try control.change(gone, of: tunnel.index, isAdded: false)
      }
      try control.change(address, of: tunnel.index, isAdded: true)
    } catch {
      if !wasUp { try? setUp(tunnel, false) }
      throw error
    }
  }

  // MARK: Telling

  /// - Throws: ENXIO for an interface that there is not, EOPNOTSUPP for one that is no tunnel.
  package func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus {
    try lock.withLock { () throws(InterfaceFailure) in
      let tunnel = try find(name, "SIOCGIFFLAGS")
      var status = InterfaceStatus(name: tunnel.name, flags: tunnel.flags, mtu: tunnel.mtu)
      status.tunnel = tunnel.ends
      do throws(BPF.Failure) {
        status.addresses = try control.addresses(of: tunnel.index)
      } catch {
        throw InterfaceFailure(error, "SIOCGIFADDR")
      }
      let counts = tunnel.counters.now
      status.counters.inputPackets = counts.receivedPackets
      status.counters.inputBytes = counts.receivedBytes
      status.counters.inputErrors = counts.refused
      status.counters.inputDrops = counts.inputDrops
      status.counters.outputPackets = counts.sentPackets
      status.counters.outputBytes = counts.sentBytes
      status.counters.outputErrors = counts.outputErrors
      status.counters.outputDrops = counts.outputDrops
      status.lastError = tunnel.trouble.text
      tunnel.tell(&status)
      return status
    }
  }

  // MARK: Settings

  package var settings: TunnelSettings { lock.withLock { values } }

  /// The lock is held.
  var settingsNow: TunnelSettings { values }

  /// Sets one of ``TunnelSettings/all``; packets that enter a tunnel afterwards go by it.
  /// - Throws: ENOENT for a name that there is not, EINVAL for a value outside the range.
  package func set(_ name: String, to value: Int) throws(InterfaceFailure) {
    try lock.withLock { () throws(InterfaceFailure) in
      try values.set(name, to: value)
      for tunnel in tunnels.values { tunnel.publish(values) }
      settle()
    }
  }

  /// What was received for no tunnel, or for one that did not take it. (NOGIF)
  package var strayPackets: UInt64 { shared.strays.load(ordering: .relaxed) }
}

extension BPF.Failure {
  /// Beside the number, for people.
  var text: String {
    switch self {
    case .invalid(let text), .system(_, let text): text
    default: ""
    }
  }
}
