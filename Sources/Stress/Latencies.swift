// How long something took, as a distribution. A storm thread writes its own; readers add them up.

/// Counts of durations in buckets that are 1/16 wide at most.
package struct Latencies: Sendable, Equatable, CustomStringConvertible {
  private static let parts = 16
  private var buckets = [UInt64](repeating: 0, count: 60 * parts)
  package private(set) var count: UInt64 = 0
  /// The longest, ns.
  package private(set) var longest: Int64 = 0

  package init() {}

  /// - Parameter duration: ns.
  package mutating func add(_ duration: Int64) {
    buckets[Latencies.bucket(UInt64(max(0, duration)))] += 1
    count += 1
    longest = max(longest, duration)
  }

  package mutating func add(_ other: Latencies) {
    for index in buckets.indices { buckets[index] += other.buckets[index] }
    count += other.count
    longest = max(longest, other.longest)
  }

  package var description: String { "\(count), half within \(permille(500)) ns, at most \(longest)" }

  /// The duration, ns, that so many thousandths did not exceed; within 1/16.
  package func permille(_ share: UInt64) -> Int64 {
    if count == 0 { return 0 }
    let rank = max(1, (count * share + 999) / 1000)
    var sum: UInt64 = 0
    for (index, inBucket) in buckets.enumerated() {
      sum += inBucket
      if sum >= rank { return min(longest, Latencies.upperBound(index)) }
    }
    return longest
  }

  private static func bucket(_ value: UInt64) -> Int {
    if value < UInt64(parts) { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return min(59 * parts + parts - 1, (exponent - 3) * parts + Int((value >> UInt64(exponent - 4)) & 15))
  }

  private static func upperBound(_ bucket: Int) -> Int64 {
    if bucket < parts { return Int64(bucket) }
    let exponent = bucket / parts + 3
    return (Int64(16 + bucket % parts + 1) << Int64(exponent - 4)) - 1
  }
}
