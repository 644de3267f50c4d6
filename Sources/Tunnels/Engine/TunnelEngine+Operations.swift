// What is asked of an interface. (`gif_ioctl`)
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
      let gif = try find(name, request)
      do throws(BPF.Failure) {
        try perform(operation, gif)
      } catch {
        throw InterfaceFailure(error, request, error.text)
      }
    }
  }

  /// The lock is held.
  private func perform(_ operation: InterfaceOperation, _ gif: Gif) throws(BPF.Failure) {
    switch operation {
    case .up: try setUp(gif, true)
    case .down: try setUp(gif, false)
    case .mtu(let mtu):
      guard Gif.mtuRange.contains(mtu) else { throw .invalid("the MTU is from 1280 to 8192") }
      try control.setMTU(gif.name, mtu)
      gif.mtu = mtu
      changed(gif)
    case .link(let number, let isOn):
      guard let flag = InterfaceFlags.link(Int(number)) else { throw .invalid("link0, link1 or link2") }
      if isOn { gif.links.insert(flag) } else { gif.links.remove(flag) }
      changed(gif)
    case .unnumbered(let isOn): gif.isUnnumbered = isOn
    case .tunnel(let ends): try setTunnel(gif, ends)
    case .deleteTunnel: setEnds(gif, nil)
    case .addAddress(let address, let replaces): try addAddress(gif, address, replaces)
    case .deleteAddress(let address):
      let known = try control.addresses(of: gif.index)
      guard let found = known.first(where: { $0.address.unscoped == address.unscoped }) else {
        throw .system(errno: EADDRNOTAVAIL, call: "")
      }
      try control.change(found, of: gif.index, isAdded: false)
    case .session, .deleteSession, .cookie, .deleteCookie: throw .system(errno: ENOTTY, call: "")
    }
  }

  /// Workers know first that an interface is up and last that it is down: the system sends as soon as it may.
  private func setUp(_ gif: Gif, _ isUp: Bool) throws(BPF.Failure) {
    let wasUp = gif.isUp
    if isUp {
      gif.isUp = true
      changed(gif)
    }
    do throws(BPF.Failure) {
      try control.setUp(gif.name, isUp)
    } catch {
      gif.isUp = wasUp
      changed(gif)
      throw error
    }
    gif.isUp = isUp
    changed(gif)
  }

  /// What is published now is what workers go by when this returns.
  private func changed(_ gif: Gif) {
    gif.publish(values)
    settle()
  }

  private func setTunnel(_ gif: Gif, _ ends: TunnelEnds) throws(BPF.Failure) {
    if ends == gif.ends { return }
    guard let pair = TunnelPair(source: ends.source.address.asEnd, destination: ends.destination.address.asEnd)
    else { throw .invalid("addresses of two families") }
    for end in [pair.source, pair.destination] where end.isLinkLocal && end.scope == 0 {
      throw .invalid("\(end) is a link's: name the link behind it, as in \(end)%eth0")
    }
    if gifs.values.contains(where: { $0 !== gif && $0.pair == pair }) {
      throw .system(errno: EADDRNOTAVAIL, call: "another tunnel has these addresses")
    }
    setEnds(gif, ends)
    if !shared.routing.resolver.ask(pair.source).isLocal {
      options.onLog(.warning, "\(gif.name): the tunnel's source \(pair.source) is no address of this system")
    }
  }

  /// The table first when the pair is new, last when there is none: a packet is judged by one pair or the other.
  private func setEnds(_ gif: Gif, _ ends: TunnelEnds?) {
    guard ends != gif.ends else { return }
    gif.ends = ends
    gif.trouble.clear()
    gif.publish(values)
    publishTable()
    settle()
    gif.routes.flush()
  }

  private func addAddress(_ gif: Gif, _ address: InterfaceAddress, _ replaces: Bool) throws(BPF.Failure) {
    let old = try control.addresses(of: gif.index)
    let first = old.first { $0.address.family == address.address.family && !$0.address.isLinkLocal }
    // The same address with another prefix or other end is the same address to BSD.
    let same = old.first { $0.address.unscoped == address.address.unscoped && $0 != address }
    // Up first: an IPv6 address that is given to a device that is down may stay tentative.
    let wasUp = gif.isUp
    if !wasUp { try setUp(gif, true) }
    do throws(BPF.Failure) {
      for gone in Set([replaces ? first : nil, same].compactMap { $0 }) where gone != address {
        try control.change(gone, of: gif.index, isAdded: false)
      }
      try control.change(address, of: gif.index, isAdded: true)
    } catch {
      if !wasUp { try? setUp(gif, false) }
      throw error
    }
  }

  // MARK: Telling

  /// - Throws: ENXIO for an interface that there is not, EOPNOTSUPP for one that is no tunnel.
  package func status(of name: String) throws(InterfaceFailure) -> InterfaceStatus {
    try lock.withLock { () throws(InterfaceFailure) in
      let gif = try find(name, "SIOCGIFFLAGS")
      var status = InterfaceStatus(name: gif.name, flags: gif.flags, mtu: gif.mtu)
      status.tunnel = gif.ends
      do throws(BPF.Failure) {
        status.addresses = try control.addresses(of: gif.index)
      } catch {
        throw InterfaceFailure(error, "SIOCGIFADDR")
      }
      let counts = gif.counters.now
      status.counters.inputPackets = counts.receivedPackets
      status.counters.inputBytes = counts.receivedBytes
      status.counters.inputErrors = counts.refused
      status.counters.inputDrops = counts.inputDrops
      status.counters.outputPackets = counts.sentPackets
      status.counters.outputBytes = counts.sentBytes
      status.counters.outputErrors = counts.outputErrors
      status.lastError = gif.trouble.text
      return status
    }
  }

  // MARK: Settings

  package var settings: TunnelSettings { lock.withLock { values } }

  /// Sets one of ``TunnelSettings/all``; packets that enter a tunnel afterwards go by it.
  /// - Throws: ENOENT for a name that there is not, EINVAL for a value outside the range.
  package func set(_ name: String, to value: Int) throws(InterfaceFailure) {
    try lock.withLock { () throws(InterfaceFailure) in
      try values.set(name, to: value)
      for gif in gifs.values { gif.publish(values) }
      settle()
    }
  }

  /// What was received for no tunnel, or for one that did not take it. (NOGIF)
  package var strayPackets: UInt64 { shared.strays.load(ordering: .relaxed) }
}

extension BPF.Failure {
  /// Beside the number, for people.
  fileprivate var text: String {
    switch self {
    case .invalid(let text), .system(_, let text): text
    default: ""
    }
  }
}
