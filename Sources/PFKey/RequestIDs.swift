// RequestIDs: gives out reqids. The engine's, under its lock.

/// A counter of 16 bits above those that are given by hand. (`key_newreqid`)
struct RequestIDs {
  private var last: UInt16 = RequestID.greatestManual + 1
  /// How many requests of live policies have a reqid.
  private var uses: [UInt16: Int] = [:]

  /// The next one that no policy has: 16385 at first, after 65535 comes 16384. Nil when all are in use.
  mutating func next() -> UInt16? {
    for _ in RequestID.greatestManual..<UInt16.max {
      last = last == .max ? RequestID.greatestManual + 1 : last + 1
      if uses[last] == nil { return last }
    }
    return nil
  }

  /// Whether so many policies more can have one each.
  func haveFree(_ count: Int) -> Bool {
    let all = Int(UInt16.max - RequestID.greatestManual)
    let taken = uses.count < all - count ? 0 : uses.keys.count { $0 > RequestID.greatestManual }
    return all - taken >= count
  }

  mutating func take(_ requests: [PolicyRequest]) {
    for request in requests where request.reqid != 0 { uses[request.reqid, default: 0] += 1 }
  }

  mutating func give(_ requests: [PolicyRequest]) {
    for request in requests {
      guard let count = uses[request.reqid] else { continue }
      uses[request.reqid] = count > 1 ? count - 1 : nil
    }
  }

  mutating func giveAll() { uses = [:] }
}
