// Sequence numbers of TCP conversations, for relative printing. Owned by a LinePrinter.

/// Both ends of a conversation, in the order that gives both directions the same key.
struct ConversationKey: Equatable {
  var lowHigh: UInt64 = 0
  var lowLow: UInt64 = 0
  var highHigh: UInt64 = 0
  var highLow: UInt64 = 0
  var ports: UInt32
  /// 4 or 6: the two kinds never meet.
  var version: UInt32
}

/// A bounded table of conversations.
///
/// tcpdump keeps every conversation for ever. This one has 4096 sets of eight: a ninth conversation of a set replaces
/// the one that was quiet for longest, whose next segment then starts anew, as tcpdump prints a conversation it has not
/// seen before.
@safe
struct Conversations: ~Copyable {
  private struct Entry {
    var key: ConversationKey
    var sequence: UInt32
    var acknowledgement: UInt32
    var lastUse: UInt32
  }

  private static let ways = 8
  private static let sets = 4096

  private let entries: UnsafeMutablePointer<Entry>
  private var uses: UInt32 = 0

  init() {
    // SAFETY: freed in deinit, initialised whole before anything reads it. Version 0 is an empty entry.
    let count = Self.ways * Self.sets
    let memory = UnsafeMutablePointer<Entry>.allocate(capacity: count)
    let empty = Entry(key: ConversationKey(ports: 0, version: 0), sequence: 0, acknowledgement: 0, lastUse: 0)
    unsafe memory.initialize(repeating: empty, count: count)
    unsafe entries = memory
  }

  deinit {
    unsafe entries.deallocate()
  }

  /// Makes `sequence` and `acknowledgement` relative, unless the segment begins a conversation.
  ///
  /// - Parameter reversed: the segment goes against the order of the key.
  /// - Parameter begins: SYN is set.
  /// - Returns: the conversation's first numbers, which SACK blocks are relative to.
  mutating func follow(
    _ key: ConversationKey, reversed: Bool, begins: Bool, sequence: inout UInt32, acknowledgement: inout UInt32
  ) -> (sequence: UInt32, acknowledgement: UInt32) {
    uses &+= 1
    // SAFETY: slot gives an entry of the table, which lives as long as self.
    let entry = unsafe slot(for: key)
    unsafe entry.pointee.lastUse = uses
    let isKnown = unsafe entry.pointee.key == key
    if !isKnown || begins {
      unsafe entry.pointee.key = key
      unsafe entry.pointee.sequence = reversed ? acknowledgement &- 1 : sequence
      unsafe entry.pointee.acknowledgement = reversed ? sequence : acknowledgement &- 1
      return unsafe (entry.pointee.sequence, entry.pointee.acknowledgement)
    }
    let first = unsafe (sequence: entry.pointee.sequence, acknowledgement: entry.pointee.acknowledgement)
    sequence &-= reversed ? first.acknowledgement : first.sequence
    acknowledgement &-= reversed ? first.sequence : first.acknowledgement
    return first
  }

  /// The entry of `key`, or the one that it may take.
  @inline(__always)
  private func slot(for key: ConversationKey) -> UnsafeMutablePointer<Entry> {
    var hash = (key.lowHigh ^ key.lowLow &* 0x9e37_79b9_7f4a_7c15) &* 0xbf58_476d_1ce4_e5b9
    hash ^= (key.highHigh ^ key.highLow &* 0x94d0_49bb_1331_11eb) ^ UInt64(key.ports) << 17
    hash = (hash ^ hash >> 31) &* 0x9e37_79b9_7f4a_7c15
    let set = Int(truncatingIfNeeded: hash >> 48) % Self.sets
    // SAFETY: set is below sets and way below ways, so the index stays inside the table.
    let first = unsafe entries + set * Self.ways
    var oldest = unsafe first
    for way in 0..<Self.ways {
      let entry = unsafe first + way
      if unsafe entry.pointee.key == key || entry.pointee.key.version == 0 { return unsafe entry }
      // Ages, not stamps: the counter may wrap.
      if unsafe uses &- entry.pointee.lastUse > uses &- oldest.pointee.lastUse { unsafe oldest = entry }
    }
    return unsafe oldest
  }
}
