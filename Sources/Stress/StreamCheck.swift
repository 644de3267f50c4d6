// The checks of numbered frames: pure values, so that tests can show them a witness that loses one.

/// What one peer saw of one stream of numbered frames.
package struct StreamCheck: Sendable, Equatable {
  /// A frame that came again, or too late.
  package struct Fault: Error, Sendable, Equatable {
    package let number: UInt64
    package let expected: UInt64
  }

  package private(set) var seen: UInt64 = 0
  /// Numbers left out between those that were seen.
  package private(set) var missing: UInt64 = 0
  /// The first number that has not been seen, nor passed.
  package private(set) var next: UInt64?
  private var mayJump = false

  /// - Parameter first: where the stream begins; nil: with whatever comes first.
  package init(from first: UInt64? = nil) { next = first }

  /// Sees one frame. - Returns: what is wrong with it.
  package mutating func see(_ number: UInt64) -> Fault? {
    if let next {
      if number < next { return Fault(number: number, expected: next) }
      if !mayJump { missing += number - next }
    }
    mayJump = false
    next = number + 1
    seen += 1
    return nil
  }

  /// What was stored was thrown away: frames may be left out before the next one.
  package mutating func jump() { mayJump = true }
}

/// What became of frames that were sent and that a peer which stayed did not see.
package struct Losses: Sendable, Equatable {
  /// Sent, and dropped by the cable before any tap.
  package var wire: UInt64 = 0
  /// Dropped by the kernel because the ring was full.
  package var ring: UInt64 = 0
  /// Dropped here because every slot of the peer was full.
  package var slots: UInt64 = 0
  /// Sent while the interface was down, at most.
  package var outage: UInt64 = 0
  /// Refused by the system when it may have shown them to taps already, at most.
  package var unsure: UInt64 = 0

  package init() {}
}

/// The balance of one peer that stayed, at a pause of the sender.
package struct Balance: Sendable, Equatable {
  package var name = ""
  /// Frames sent that it asked for.
  package var sent: UInt64 = 0
  package var seen: UInt64 = 0
  /// It asked for both directions, so that every loss of the ring is one of its own.
  package var seesAll = false
  /// It saw frames of others: the kernel's losses may be such.
  package var foreign: UInt64 = 0
  package var losses = Losses()

  package init() {}

  /// What does not add up.
  package var fault: String? {
    let most = losses.wire + losses.ring + losses.slots + losses.outage + losses.unsure
    if seen > sent + losses.unsure { return "\(name): \(seen) frames seen of \(sent) sent" }
    let missing = sent - min(seen, sent)
    if missing > most {
      return "\(name): \(missing) of \(sent) frames are missing, and only \(most) have a named loss \(losses)"
    }
    let least = foreign > 0 || losses.unsure > 0 ? 0 : losses.slots + (seesAll ? losses.wire + losses.ring : 0)
    if missing < least { return "\(name): \(missing) frames are missing, but \(least) are counted as lost \(losses)" }
    return nil
  }
}

/// Two peers that stay on live traffic: from the second one's first frame on they must see the same.
package struct TwinCheck: Sendable {
  private var queues: ([UInt64], [UInt64]) = ([], [])
  private var heads = (0, 0)
  private var isAligned = false
  package private(set) var compared: UInt64 = 0

  package init() {}

  /// - Parameters:
  ///   - marks: what tells frames apart, in order.
  ///   - excused: one of the two has counted losses of its own.
  /// - Returns: what is wrong.
  package mutating func see(_ marks: [UInt64], second: Bool, excused: Bool) -> String? {
    if second { queues.1 += marks } else { queues.0 += marks }
    if !isAligned {
      guard let first = queues.1.first else { return nil }
      guard let start = queues.0[heads.0...].firstIndex(of: first) else { return nil }
      heads.0 = start
      isAligned = true
    }
    defer { trim() }
    while heads.0 < queues.0.count && heads.1 < queues.1.count {
      if queues.0[heads.0] == queues.1[heads.1] {
        heads.0 += 1
        heads.1 += 1
        compared += 1
        continue
      }
      if !excused { return "after \(compared) equal frames two peers of one interface saw different ones" }
      if let place = queues.0[heads.0...].firstIndex(of: queues.1[heads.1]) {
        heads.0 = place
      } else {
        heads.1 += 1
      }
    }
    return nil
  }

  private mutating func trim() {
    if heads.0 > 4096 {
      queues.0.removeFirst(heads.0)
      heads.0 = 0
    }
    if heads.1 > 4096 {
      queues.1.removeFirst(heads.1)
      heads.1 = 0
    }
  }
}
