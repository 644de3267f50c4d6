// Makes gif interfaces and what carries their packets. (`gif_cloner`)
// Made with the engine; called under its lock.
import SwBPFBPF
import SwBPFInterfaces

final class GifCloner: Cloner {
  let kind = InterfaceKind.gif
  let layer = TunDevice.Layer.ip
  private let shared: TunnelShared
  private let ipsec: IPsecShared
  private let injectors: GifInjectors

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    self.ipsec = ipsec
    injectors = try GifInjectors(ipsec)
    injectors.serve(shared)
  }

  func make(_ parts: TunnelParts) throws(BPF.Failure) -> Tunnel { try Gif(parts, driver: GifDriver(injectors)) }
  func output(queue: Int) throws(BPF.Failure) -> any OutputBody { try GifOutputWorker(shared, ipsec, queue: queue) }
  func input() throws(BPF.Failure) -> any InputBody { try GifInputWorker(shared, ipsec) }
}
