// One gif interface: its device, its tap point, and what workers have to know of it.
// Made, changed and destroyed by the engine under its lock; workers look at what is constant or published.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

/// A tunnel interface that carries IPv4 and IPv6 in IPv4 or IPv6. (`struct gif_softc`)
final class Gif: @unchecked Sendable {
  /// Smallest, default and largest MTU. (GIF_MTU_MIN, GIF_MTU, GIF_MTU_MAX)
  static let mtuRange: ClosedRange<UInt32> = 1280...8192
  static let defaultMTU: UInt32 = 1280
  /// Tunnels that a packet may have passed before. (max_gif_nesting)
  static let mostNesting = 1

  let name: String
  /// Place in the engine's table; another one has it when this one is gone.
  let number: Int
  /// The system's number.
  let index: UInt32
  let queues: [TunDevice]
  /// Those of the queues.
  let inlets: [TunDevice.Inlet]
  let ifnet: BPF.Ifnet
  let interface: BPF.Interface
  /// Valid while `ifnet` is.
  let point: TapPoint
  let driver: GifDriver
  let routes: RouteCache
  let counters = TunnelCounters()
  let trouble = Trouble()
  /// What workers go by. (`struct gif_variant`)
  let variant: Published<GifSettings>

  // Guarded by the engine's lock.
  var isUp = false
  var links: InterfaceFlags = []
  var isUnnumbered = false
  var ends: TunnelEnds?
  var mtu = Gif.defaultMTU

  /// - Parameter queues: of a device of this name that was made for it.
  init(
    _ name: String, number: Int, index: UInt32, queues: [TunDevice], routes: RouteCache, driver: GifDriver
  ) throws(BPF.Failure) {
    self.name = name
    self.number = number
    self.index = index
    self.queues = queues
    inlets = queues.map(\.inlet)
    self.routes = routes
    self.driver = driver
    variant = Published(GifSettings())
    ifnet = BPF.Ifnet(name: name, index: index, driver: driver)
    interface = try ifnet.attach(linkType: 0, headerLength: 4)
    point = interface.pointOfDriver
  }

  /// BSD's flags. The engine's lock is held.
  var flags: InterfaceFlags {
    var flags: InterfaceFlags = [.pointToPoint, .multicast]
    flags.formUnion(links)
    if isUp { flags.insert(.up) }
    if ends != nil { flags.insert(.running) }
    if isUnnumbered { flags.insert(.unnumbered) }
    return flags
  }

  /// The pair of the outer headers; link-local addresses with their link. The engine's lock is held.
  var pair: TunnelPair? {
    ends.flatMap { TunnelPair(source: $0.source.address.asEnd, destination: $0.destination.address.asEnd) }
  }

  /// Workers go by what is set now, from their next pass on. The engine's lock is held.
  func publish(_ values: TunnelSettings) {
    var new = GifSettings()
    new.isUp = isUp
    new.pair = pair
    new.mtu = Int(mtu)
    new.ecn = links.contains(.link1) ? .passed : .cleared
    new.filtersIngress = !links.contains(.link2)
    new.ttl = values.gifTTL
    new.hopLimit = values.gifHopLimit
    new.usesPathMTU = values.gifUsesPathMTU
    new.coalesces = values.gifCoalesces
    if new != variant.value { variant.publish(new) }
  }
}
