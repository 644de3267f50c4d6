// What a program writes to a gif's bpf device.
// Called by writers, any thread.
import Glibc
import SwBPFBPF

final class GifDriver: TunnelDriver, @unchecked Sendable {
  private let injectors: GifInjectors

  init(_ injectors: GifInjectors) { self.injectors = injectors }

  override func outputState(of interface: BPF.Ifnet) throws(BPF.Failure) -> BPF.OutputState {
    guard let gif = tunnel.value as? Gif else { throw .departed }
    let settings = gif.variant.value
    return BPF.OutputState(isUp: settings.isUp, maximumPayload: settings.mtu, address: [])
  }

  /// A frame goes out through the tunnel, behind its family word.
  override func send(_ frame: [UInt8], from interface: BPF.Ifnet, unseen: Bool) throws(BPF.Failure) {
    guard let gif = tunnel.value as? Gif else { throw .departed }
    let error = injectors.send(frame, by: gif, unseen: unseen)
    if error != 0 { throw .system(errno: error, call: "gif_output") }
  }
}
