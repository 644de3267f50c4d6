// The tunnels of one moment, and how packets find theirs.
// Made by requests, looked into by workers; never changed once it is made.
import SwBPFPackets

/// The engine's tunnels by their numbers, and by what received packets know of them.
final class TunnelTable: Sendable {
  let tunnels: [Tunnel?]
  /// By the same numbers.
  let gifs: [Gif?]
  let l2tps: [L2TP?]
  let ipsecs: [IPsec?]
  let ipsecTable: IPsecTable
  private let kinds: [Int?]
  private let pairs: PairTable
  private let sessions: SessionTable
  /// Of tunnels of all kinds.
  private let allPairs: PairTable
  private let numbers: [UInt32: Int]

  /// - Parameters:
  ///   - tunnels: by number. What they are set to now is what counts.
  ///   - kinds: the place of each one's kind among the engine's.
  init(_ tunnels: [Tunnel?], kinds: [Int?]) {
    self.tunnels = tunnels
    self.kinds = kinds
    gifs = tunnels.map { $0 as? Gif }
    l2tps = tunnels.map { $0 as? L2TP }
    ipsecs = tunnels.map { $0 as? IPsec }
    ipsecTable = IPsecTable(ipsecs)
    pairs = PairTable(gifs.map { $0?.publishedPair })
    sessions = SessionTable(l2tps.map { $0?.variant.value.session?.local })
    allPairs = PairTable(tunnels.map { $0?.publishedPair })
    var numbers: [UInt32: Int] = [:]
    for case let tunnel? in tunnels { numbers[tunnel.index] = tunnel.number }
    self.numbers = numbers
  }

  /// Where the kind of a tunnel stands among the engine's.
  func kind(of number: Int) -> Int? { number < kinds.count ? kinds[number] : nil }

  /// The number of the gif with this pair.
  @inline(__always)
  func number(of pair: TunnelPair) -> Int? { pairs.number(of: pair) }

  /// The number of the l2tp with this local session id.
  @inline(__always)
  func number(of session: UInt32) -> Int? { sessions.number(of: session) }

  /// Whether a tunnel of this engine sends with this pair.
  @inline(__always)
  func sends(_ pair: TunnelPair) -> Bool { allPairs.number(of: pair) != nil }

  /// The tunnel with this interface index.
  func tunnel(index: UInt32) -> Tunnel? { numbers[index].flatMap { tunnels[$0] } }

  /// Follows the way of a packet from tunnel to tunnel. (`if_tunnel_check_nesting`)
  /// - Parameter route: that of the first tunnel.
  /// - Returns: the tunnel that would be one too many, and how many it had passed by then; nil when there is none.
  @inline(never)
  func nesting(_ route: RouteAnswer) -> (tunnel: Tunnel, count: Int)? {
    var route = route
    var count = 0
    while route.exists, let next = tunnel(index: route.interface) {
      count += 1
      if count > next.mostNesting { return (next, count) }
      guard let pair = next.publishedPair else { return nil }
      route = next.routes.lookup(pair.destination, from: pair.source)
    }
    return nil
  }
}
