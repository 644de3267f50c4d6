// What all workers of an engine look at.
// Made with the engine; any thread.
import SwBPFBPF
import SwBPFKern
import SwBPFPackets
import Synchronization

/// The engine as its workers see it: nothing here waits for a request.
final class TunnelShared: Sendable {
  let routing: Routing
  /// The CPUs of this engine's workers.
  let memory: PerCPUMemory
  let table = Published(GifTable([]))
  let onLog: @Sendable (TunnelEngine.Severity, String) -> Void
  let injectors: GifInjectors
  /// Received packets that no tunnel took. (NOGIF)
  let strays = Atomic<UInt64>(0)
  /// Of the last outer packet that was cut into fragments. Starts anywhere.
  private let identification = Atomic<UInt32>(UInt32.random(in: 1...UInt32.max))

  init(
    _ routing: Routing, memory: PerCPUMemory, onLog: @escaping @Sendable (TunnelEngine.Severity, String) -> Void
  ) throws(BPF.Failure) {
    self.routing = routing
    self.memory = memory
    self.onLog = onLog
    injectors = try GifInjectors()
    injectors.serve(self)
  }

  /// A number for the fragments of one packet; its low 16 bits are not 0.
  func nextIdentification() -> UInt32 {
    while true {
      let number = identification.wrappingAdd(1, ordering: .relaxed).newValue
      if number & 0xffff != 0 { return number }
    }
  }
}

/// The tunnels of one moment.
final class GifTable: Sendable {
  let gifs: [Gif?]
  private let pairs: PairTable
  private let numbers: [UInt32: Int]

  /// - Parameter gifs: by number. What they are set to now is what counts.
  init(_ gifs: [Gif?]) {
    self.gifs = gifs
    pairs = PairTable(gifs.map { $0?.variant.value.pair })
    var numbers: [UInt32: Int] = [:]
    for case let gif? in gifs { numbers[gif.index] = gif.number }
    self.numbers = numbers
  }

  /// The number of the tunnel with this pair.
  @inline(__always)
  func number(of pair: TunnelPair) -> Int? { pairs.number(of: pair) }

  /// The tunnel with this interface index.
  func gif(index: UInt32) -> Gif? { numbers[index].flatMap { gifs[$0] } }

  /// Follows the way of a packet from tunnel to tunnel. (`if_tunnel_check_nesting`)
  /// - Parameter route: that of the first tunnel.
  /// - Returns: the tunnel that would be one too many, and how many it had passed by then; nil when there is none.
  @inline(never)
  func nesting(_ route: RouteAnswer) -> (gif: Gif, count: Int)? {
    var route = route
    var count = 0
    while route.exists, let next = gif(index: route.interface) {
      count += 1
      if count > Gif.mostNesting { return (next, count) }
      guard let pair = next.variant.value.pair else { return nil }
      route = next.routes.lookup(pair.destination, from: pair.source)
    }
    return nil
  }
}
