// One gif interface.
// Made, changed and destroyed by the engine under its lock; workers look at what is constant or published.
import Glibc
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPackets

/// A tunnel interface that carries IPv4 and IPv6 in IPv4 or IPv6. (`struct gif_softc`)
final class Gif: Tunnel, @unchecked Sendable {
  /// What workers go by. (`struct gif_variant`)
  let variant = Published(GifSettings())

  init(_ parts: TunnelParts, driver: GifDriver) throws(BPF.Failure) {
    try super.init(parts, driver: driver, linkType: 0, headerLength: 4)
  }

  override var publishedPair: TunnelPair? { variant.value.pair }

  override func publish(_ values: TunnelSettings) {
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

  /// No two gifs have one pair: packets find theirs by it.
  override func check(_ pair: TunnelPair, in engine: TunnelEngine) throws(BPF.Failure) {
    if engine.tunnels.values.contains(where: { $0 !== self && $0 is Gif && $0.pair == pair }) {
      throw .system(errno: EADDRNOTAVAIL, call: "another tunnel has these addresses")
    }
  }
}
