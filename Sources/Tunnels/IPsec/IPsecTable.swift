// Which ipsec interface a received packet is for: the pair of its addresses, and its ports. (`ipsecif4_encap_func`)
// Made by requests, looked into by workers; never changed once it is made.
import SwBPFPackets

/// Several interfaces may have one pair and different ports.
final class IPsecTable: Sendable {
  private struct Entry: Sendable {
    let number: Int
    let ports: NATPorts
  }

  private let pairs: PairTable
  private let entries: [[Entry]]

  /// - Parameter tunnels: by number. What they are set to now is what counts.
  init(_ tunnels: [IPsec?]) {
    var order: [TunnelPair] = []
    var byPair: [TunnelPair: [Entry]] = [:]
    for case let tunnel? in tunnels {
      let settings = tunnel.variant.value
      guard let pair = settings.pair else { continue }
      if byPair[pair] == nil { order.append(pair) }
      byPair[pair, default: []].append(Entry(number: tunnel.number, ports: settings.ports))
    }
    pairs = PairTable(order)
    entries = order.map { byPair[$0] ?? [] }
  }

  /// Whether an interface has this pair.
  @inline(__always)
  func has(_ pair: TunnelPair) -> Bool { pairs.number(of: pair) != nil }

  /// The number of any interface with this pair.
  func first(of pair: TunnelPair) -> Int? { pairs.number(of: pair).flatMap { entries[$0].first?.number } }

  /// The number of the interface.
  /// - Parameter ports: those of the UDP header; none for ESP without one. An interface takes its own only.
  func number(of pair: TunnelPair, _ ports: NATPorts) -> Int? {
    guard let place = pairs.number(of: pair) else { return nil }
    for entry in entries[place] where entry.ports == ports { return entry.number }
    return nil
  }
}
