// Makes gif interfaces and what carries their packets. (`gif_cloner`)
// Made with the engine; called under its lock.
import SwBPFBPF
import SwBPFInterfaces

final class GifCloner: Cloner {
  let kind = InterfaceKind.gif
  let layer = TunDevice.Layer.ip
  private let shared: TunnelShared
  private let injectors: GifInjectors

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: TunnelShared) throws(BPF.Failure) {
    self.shared = shared
    injectors = try GifInjectors()
    injectors.serve(shared)
  }

  func make(_ parts: TunnelParts) throws(BPF.Failure) -> Tunnel { try Gif(parts, driver: GifDriver(injectors)) }
  func output(queue: Int) throws(BPF.Failure) -> any OutputBody { try GifOutputWorker(shared, queue: queue) }
  func input() throws(BPF.Failure) -> any InputBody { try GifInputWorker(shared) }
}
