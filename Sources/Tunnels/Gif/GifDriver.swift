// What the bpf layer asks of a gif interface.
// Called by requests and writers, any thread.
import Glibc
import SwBPFBPF
import SwBPFKern

/// A tunnel needs no socket opened for its readers: its routines tap whatever passes.
final class GifDriver: BPF.Driver {
  /// nil before the interface is whole and after it is destroyed.
  let gif = Published<Gif?>(nil)
  private let injectors: GifInjectors

  init(_ injectors: GifInjectors) { self.injectors = injectors }

  func widen(_ interface: BPF.Ifnet, to demand: BPF.Demand) throws(BPF.Failure) {}
  func mayNarrow(_ interface: BPF.Ifnet) {}
  func setPromiscuous(_ interface: BPF.Ifnet, _ on: Bool) throws(BPF.Failure) {}
  /// What is tapped has just been sent or received.
  var retireTime: Int64 { 0 }

  func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    guard let gif = gif.value else { throw .departed }
    let settings = gif.variant.value
    return BPF.OutputState(isUp: settings.isUp, maximumPayload: settings.mtu, address: [])
  }

  /// A frame goes out through the tunnel, behind its family word.
  func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    guard let gif = gif.value else { throw .departed }
    let error = injectors.send(frame, by: gif, unseen: unseen)
    if error != 0 { throw .system(errno: error, call: "gif_output") }
  }
}
