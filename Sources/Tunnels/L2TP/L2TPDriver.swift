// Frames that a program writes to an l2tp's bpf device.
// Called by writers, any thread.
import Glibc
import SwBPFBPF
import SwBPFKern

final class L2TPDriver: TunnelDriver, @unchecked Sendable {
  private let injectors: L2TPInjectors

  init(_ injectors: L2TPInjectors) { self.injectors = injectors }

  override func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    guard let l2tp = tunnel.value as? L2TP else { throw .departed }
    let settings = l2tp.variant.value
    return BPF.OutputState(
      isUp: settings.isUp, maximumPayload: settings.mtu, address: injectors.hardwareAddress(of: l2tp))
  }

  /// A frame goes out through the tunnel, not through the bridge that the interface is a port of.
  override func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    guard let l2tp = tunnel.value as? L2TP else { throw .departed }
    let error = injectors.send(frame, by: l2tp, unseen: unseen)
    if error != 0 { throw .system(errno: error, call: "l2tp_transmit") }
  }
}

/// Outputs for threads that have none of their own.
final class L2TPInjectors: @unchecked Sendable {
  private final class Holder {
    var output: L2TPOutput
    /// Writers come from any thread: nothing is left to be made by them.
    init(_ ipsec: IPsecShared) throws(BPF.Failure) {
      output = try L2TPOutput(try PolicyOutput(ipsec, capacity: 1, isReady: true))
    }
  }

  private let outputs: Pool<Holder>
  /// Only its descriptor is used, by any thread.
  private let control: InterfaceControl
  private weak let shared: TunnelShared?

  /// In the network namespace of the calling thread.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared, count: Int = 2) throws(BPF.Failure) {
    self.shared = shared
    control = try InterfaceControl()
    var holders: [Holder] = []
    for _ in 0..<count { holders.append(try Holder(ipsec)) }
    outputs = Pool(holders)
  }

  func hardwareAddress(of l2tp: L2TP) -> [UInt8] { control.hardwareAddress(of: l2tp.index) }

  /// Carries an Ethernet frame. Waits while others do so, for some microseconds.
  /// - Returns: 0, or what the output says.
  func send(_ frame: [UInt8], by l2tp: L2TP, unseen: Bool) -> CInt {
    guard let shared else { return ENXIO }
    return outputs.with { holder in
      holder.output.send(frame[...], l2tp, l2tp.variant.value, shared, shared.table.value, isTapped: !unseen)
    }
  }
}
