// Makes l2tp interfaces and what carries their packets. (`l2tp_cloner`)
// Made with the engine; called under its lock.
import SwBPFBPF
import SwBPFInterfaces

final class L2TPCloner: Cloner {
  let kind = InterfaceKind.l2tp
  let layer = TunDevice.Layer.ethernet
  private let shared: TunnelShared
  private let ipsec: IPsecShared
  private let injectors: L2TPInjectors

  /// In the network namespace of the calling thread.
  /// - Throws: EPERM without CAP_NET_RAW.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared) throws(BPF.Failure) {
    self.shared = shared
    self.ipsec = ipsec
    injectors = try L2TPInjectors(shared, ipsec)
  }

  func make(_ parts: TunnelParts) throws(BPF.Failure) -> Tunnel { try L2TP(parts, driver: L2TPDriver(injectors)) }
  func output(queue: Int) throws(BPF.Failure) -> any OutputBody { try L2TPOutputBody(shared, ipsec, queue: queue) }
  func input() throws(BPF.Failure) -> any InputBody { try L2TPInputBody(shared, ipsec) }
}
