// Makes ipsec interfaces and what carries their packets. (`ipsec_cloner`)
// Made with the engine; called under its lock.
import SwBPFBPF
import SwBPFInterfaces
import SwBPFKern
import SwBPFPFKey

final class IPsecCloner: Cloner {
  let kind = InterfaceKind.ipsec
  let layer = TunDevice.Layer.ip
  let shared: IPsecShared
  private let injectors: IPsecInjectors

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    injectors = try IPsecInjectors(shared)
  }

  func make(_ parts: TunnelParts) throws(BPF.Failure) -> Tunnel {
    try IPsec(parts, driver: IPsecDriver(injectors), shared)
  }
  func output(queue: Int) throws(BPF.Failure) -> any OutputBody { try IPsecOutputBody(shared, queue: queue) }
  func shutdown() { shared.pulse.stop() }
  func input() throws(BPF.Failure) -> any InputBody { try IPsecInputBody(shared) }
}
