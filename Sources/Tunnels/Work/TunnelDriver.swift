// What the bpf layer asks of a tunnel interface.
// Called by requests and writers, any thread.
import Glibc
import SwBPFBPF
import SwBPFKern

/// A tunnel needs no socket opened for its readers: its routines tap whatever passes. Kinds say what is written and sent.
class TunnelDriver: BPF.Driver, @unchecked Sendable {
  /// nil before the interface is whole and after it is destroyed.
  final let tunnel = Published<Tunnel?>(nil)

  final func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  final func mayNarrow(_ interface: BPF.Ifnet) {}
  final func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
  /// What is tapped has just been sent or received.
  final var retireTime: Int64 { 0 }

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState { throw .departed }
  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) { throw .departed }
}
