// Which tunnel a received packet is for: the pair of its addresses, hashed.
// Built by requests, looked into by receivers; never changed once it is made.

/// Numbers of tunnels by their pairs. (`encap_attach` by address pair; gif allows one tunnel for a pair)
///
/// A table is made anew whenever a tunnel changes, and the old one freed when its readers have left.
/// - Cost: one or two cache lines, whether there is one tunnel or a thousand.
@safe package final class PairTable: Sendable {
  private struct Entry {
    var pair: TunnelPair
    /// Of the caller's list; -1 for a free place.
    var number: Int32
  }

  private nonisolated(unsafe) let entries: UnsafeMutablePointer<Entry>
  /// Places less 1: at least twice as many as pairs, a power of two.
  private let mask: Int
  private let seed: UInt64

  /// - Parameter pairs: of each tunnel by its number; nil for one without addresses. Of equal pairs the first counts.
  package init(_ pairs: [TunnelPair?]) {
    var size = 8
    while size < pairs.count * 2 { size *= 2 }
    mask = size - 1
    seed = UInt64.random(in: .min ... .max)
    // SAFETY: every place is initialised here and freed in deinit.
    unsafe entries = .allocate(capacity: size)
    unsafe entries.initialize(repeating: Entry(pair: .none, number: -1), count: size)
    for (number, pair) in pairs.enumerated() {
      guard let pair, self.number(of: pair) == nil else { continue }
      var place = start(pair)
      while unsafe entries[place].number >= 0 { place = (place + 1) & mask }
      unsafe entries[place] = Entry(pair: pair, number: Int32(number))
    }
  }

  deinit { unsafe entries.deallocate() }

  /// The number of the tunnel with this pair.
  @inline(__always)
  package func number(of pair: TunnelPair) -> Int? {
    var place = start(pair)
    while true {
      // SAFETY: the mask keeps the place inside; some place is free.
      let entry = unsafe entries[place]
      if entry.number < 0 { return nil }
      if entry.pair == pair { return Int(entry.number) }
      place = (place + 1) & mask
    }
  }

  @inline(__always)
  private func start(_ pair: TunnelPair) -> Int {
    var hash = mix(seed, pair.source.high)
    hash = mix(hash, pair.source.low)
    hash = mix(hash, pair.destination.high)
    hash = mix(hash, pair.destination.low)
    return Int(truncatingIfNeeded: hash) & mask
  }

  @inline(__always)
  private func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return product.high ^ product.low
  }
}
