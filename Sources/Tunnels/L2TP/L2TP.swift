// One l2tp interface: Ethernet frames in L2TPv3 over IP.
// Made, changed and destroyed by the engine under its lock; workers look at what is constant or published.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFPackets

/// A pseudo wire between two hosts, meant to be a port of a bridge. (`struct l2tp_softc`)
final class L2TP: Tunnel, @unchecked Sendable {
  /// What workers go by: addresses, ids and cookies of one moment. (`struct l2tp_variant`)
  let variant = Published(L2TPSettings())

  // Guarded by the engine's lock.
  private var session: L2TPSession?
  private var cookies: L2TPCookies?

  init(_ parts: TunnelParts, driver: L2TPDriver) throws(BPF.Failure) {
    try super.init(parts, driver: driver, linkType: 1, headerLength: UInt32(EthernetFrame.headerLength))
  }

  override var constantFlags: InterfaceFlags { [.pointToPoint, .simplex, .multicast] }
  override var mostNesting: Int { 0 }
  override var publishedPair: TunnelPair? { variant.value.pair }

  override func publish(_ values: TunnelSettings) {
    var new = L2TPSettings()
    new.isUp = isUp
    new.pair = pair
    new.session = session
    new.cookies = cookies
    new.mtu = Int(mtu)
    new.takesAnySource = values.l2tpTakesAnySource
    new.coalesces = values.l2tpCoalesces
    if new != variant.value { variant.publish(new) }
  }

  override func perform(_ operation: InterfaceOperation, in engine: TunnelEngine) throws(BPF.Failure) -> Bool {
    switch operation {
    case .session(let ids): try setSession(ids, engine)
    case .deleteSession: session = nil
    case .cookie(let new): try setCookies(new)
    case .deleteCookie: cookies = nil
    default: return false
    }
    publish(engine.settingsNow)
    engine.publishTable()
    engine.settle()
    return true
  }

  /// (SIOCSL2TPSESSION, SIOCSL2TPSTATE)
  private func setSession(_ ids: L2TPSession, _ engine: TunnelEngine) throws(BPF.Failure) {
    guard ids.local != 0, ids.remote != 0 else { throw .invalid("a session id is not 0") }
    // Its own one, too: it is deleted first.
    if engine.tunnels.values.contains(where: { ($0 as? L2TP)?.session?.local == ids.local }) {
      engine.options.onLog(.warning, "\(name): duplicate session id \(ids.local)")
      throw .invalid("duplicate session id")
    }
    session = ids
    trouble.clear()
  }

  /// (SIOCSL2TPCOOKIE)
  private func setCookies(_ new: L2TPCookies) throws(BPF.Failure) {
    for (length, value) in [(new.localLength, new.local), (new.remoteLength, new.remote)] {
      guard length == 4 || length == 8 else { throw .invalid("a cookie has 4 or 8 bytes") }
      guard value != 0 else { throw .invalid("a cookie is not 0") }
      guard length == 8 || value <= UInt32.max else { throw .invalid("a cookie of 4 bytes is at most \(UInt32.max)") }
    }
    cookies = new
  }

  override func tell(_ status: inout InterfaceStatus) {
    status.session = session
    status.cookies = cookies
    status.linkState = session == nil ? .down : .up
  }
}
