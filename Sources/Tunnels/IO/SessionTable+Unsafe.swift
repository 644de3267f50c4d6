// Which tunnel a received packet is for: its session id, hashed.
// Built by requests, looked into by receivers; never changed once it is made.

/// Numbers of tunnels by their local session ids. (`l2tp_lookup_session_ref`)
///
/// - Cost: a cache line or two, whether there is one tunnel or a thousand.
@safe package final class SessionTable: Sendable {
  private struct Entry {
    var id: UInt32
    /// Of the caller's list; -1 for a free place.
    var number: Int32
  }

  private nonisolated(unsafe) let entries: UnsafeMutablePointer<Entry>
  /// Places less 1: at least twice as many as ids, a power of two.
  private let mask: Int
  private let seed: UInt64

  /// - Parameter ids: of each tunnel by its number; nil for one without a session. Of equal ids the first counts.
  package init(_ ids: [UInt32?]) {
    var size = 8
    while size < ids.count * 2 { size *= 2 }
    mask = size - 1
    seed = UInt64.random(in: .min ... .max)
    // SAFETY: every place is initialised here and freed in deinit.
    unsafe entries = .allocate(capacity: size)
    unsafe entries.initialize(repeating: Entry(id: 0, number: -1), count: size)
    for (number, id) in ids.enumerated() {
      guard let id, self.number(of: id) == nil else { continue }
      var place = start(id)
      while unsafe entries[place].number >= 0 { place = (place + 1) & mask }
      unsafe entries[place] = Entry(id: id, number: Int32(number))
    }
  }

  deinit { unsafe entries.deallocate() }

  /// The number of the tunnel with this local id.
  @inline(__always)
  package func number(of id: UInt32) -> Int? {
    var place = start(id)
    while true {
      // SAFETY: the mask keeps the place inside; some place is free.
      let entry = unsafe entries[place]
      if entry.number < 0 { return nil }
      if entry.id == id { return Int(entry.number) }
      place = (place + 1) & mask
    }
  }

  @inline(__always)
  private func start(_ id: UInt32) -> Int {
    let product = (seed ^ UInt64(id)).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return Int(truncatingIfNeeded: product.high ^ product.low) & mask
  }
}
