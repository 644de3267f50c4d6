// Membership in a set of constants by one multiplication and one comparison. Control paths.

/// A table in which each key has a place of its own: the upper bits of key times multiplier.
struct PerfectHash {
  let multiplier: UInt32
  /// The index is the product shifted right by this.
  let shift: UInt32
  /// A key is in the set when the slot at its index holds it. Slots that no key has hold a key of another place.
  let slots: [UInt32]

  /// Most keys of one table; for more the search would take too long and the table too much cache.
  static let largest = 100

  /// - Parameter keys: 2 to ``largest``, each once.
  init?(_ keys: [UInt32]) {
    guard keys.count >= 2, keys.count <= PerfectHash.largest else { return nil }
    var bits = UInt32(64 - (UInt64(keys.count) &- 1).leadingZeroBitCount)
    var taken: [UInt32] = []
    var round: UInt32 = 0
    var multiplier: UInt32 = 0x9e37_79b1
    while bits <= 12 {
      if taken.count < 1 << bits { taken = [UInt32](repeating: 0, count: 1 << bits) }
      for _ in 0..<32 {
        round += 1
        multiplier = multiplier &* 0x9e37_79b9 &+ 0x7f4a_7c16 | 1
        if PerfectHash.fits(keys, multiplier, 32 - bits, &taken, round) {
          var slots = [UInt32](repeating: keys[0], count: 1 << bits)
          let first = Int((keys[0] &* multiplier) >> (32 - bits))
          // The first key's own place is the only one where finding it is right; it holds it.
          for key in keys { slots[Int((key &* multiplier) >> (32 - bits))] = key }
          assert(slots[first] == keys[0])
          self.multiplier = multiplier
          self.shift = 32 - bits
          self.slots = slots
          return
        }
      }
      bits += 1
    }
    return nil
  }

  private static func fits(
    _ keys: [UInt32], _ multiplier: UInt32, _ shift: UInt32, _ taken: inout [UInt32], _ round: UInt32
  ) -> Bool {
    for key in keys {
      let index = Int((key &* multiplier) >> shift)
      if taken[index] == round { return false }
      taken[index] = round
    }
    return true
  }
}
