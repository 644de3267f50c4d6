// One tunnel interface of any kind: its device, its tap point, and what the engine has to know of it.
// Made, changed and destroyed by the engine under its lock; workers look at what is constant or published.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

/// What a new interface is made of.
struct TunnelParts {
  let name: String
  /// Place in the engine's table; another one has it when this one is gone.
  let number: Int
  /// The system's number.
  let index: UInt32
  /// Of a device of this name that was made for it.
  let queues: [TunDevice]
  let routes: RouteCache
}

/// What all kinds of tunnel interfaces have. (`struct ifnet` of gif, l2tp, ipsecif)
class Tunnel: @unchecked Sendable {
  /// Smallest, default and largest MTU, the same for every kind. (GIF_MTU_MIN, GIF_MTU, GIF_MTU_MAX)
  static let mtuRange: ClosedRange<UInt32> = 1280...8192
  static let defaultMTU: UInt32 = 1280

  final let name: String
  final let number: Int
  final let index: UInt32
  final let queues: [TunDevice]
  /// Those of the queues.
  final let inlets: [TunDevice.Inlet]
  final let ifnet: BPF.Ifnet
  final let interface: BPF.Interface
  /// Valid while `ifnet` is.
  final let point: TapPoint
  final let driver: TunnelDriver
  final let routes: RouteCache
  final let counters = TunnelCounters()
  final let trouble = Trouble()

  // Guarded by the engine's lock.
  final var isUp = false
  final var links: InterfaceFlags = []
  final var isUnnumbered = false
  final var ends: TunnelEnds?
  final var mtu = Tunnel.defaultMTU

  /// - Parameters:
  ///   - linkType: DLT_ number of what is tapped.
  ///   - headerLength: bytes of its link header.
  init(_ parts: TunnelParts, driver: TunnelDriver, linkType: Int32, headerLength: UInt32) throws(BPF.Failure) {
    (name, number, index) = (parts.name, parts.number, parts.index)
    (queues, routes) = (parts.queues, parts.routes)
    inlets = queues.map(\.inlet)
    self.driver = driver
    ifnet = BPF.Ifnet(name: parts.name, index: parts.index, driver: driver)
    interface = try ifnet.attach(linkType: linkType, headerLength: headerLength)
    point = interface.pointOfDriver
  }

  /// The pair of the outer headers; link-local addresses with their link. The engine's lock is held.
  final var pair: TunnelPair? {
    ends.flatMap { TunnelPair(source: $0.source.address.asEnd, destination: $0.destination.address.asEnd) }
  }

  /// BSD's flags. The engine's lock is held.
  final var flags: InterfaceFlags {
    var flags = constantFlags.union(links)
    if isUp { flags.insert(.up) }
    if ends != nil { flags.insert(.running) }
    if isUnnumbered { flags.insert(.unnumbered) }
    return flags
  }

  // MARK: What kinds say

  var constantFlags: InterfaceFlags { [.pointToPoint, .multicast] }

  /// Tunnels that a packet may have passed before it enters this one. (`max_gif_nesting`, MAX_L2TP_NEST)
  var mostNesting: Int { 1 }

  /// The pair that workers go by now. Any thread.
  var publishedPair: TunnelPair? { nil }

  /// Workers go by what is set now, from their next pass on. The engine's lock is held.
  func publish(_ values: TunnelSettings) {}

  /// What the kind does by itself. The engine's lock is held.
  /// - Returns: false for what all kinds have in common.
  func perform(_ operation: InterfaceOperation, in engine: TunnelEngine) throws(BPF.Failure) -> Bool { false }

  /// Whether it may have these ends beside the engine's other tunnels. The engine's lock is held.
  func check(_ pair: TunnelPair, in engine: TunnelEngine) throws(BPF.Failure) {}

  /// Adds what only this kind has. The engine's lock is held.
  func tell(_ status: inout InterfaceStatus) {}

  /// It is not in the engine's tables any more, but workers may not know yet. The engine's lock is held.
  func willEnd(in engine: TunnelEngine) {}
}
