// What a stress run is asked to do. Made by the command, read by everything here.

import SwBPFKern

/// What storm threads do to a peer, or to an interface, between attaching and detaching it.
package enum StressOperation: String, CaseIterable, Sendable {
  /// Attach and detach: always part of a run.
  case attach
  /// BIOCSETIF to another interface while attached.
  case move
  /// Replaces the program, with a flush and without.
  case program
  /// See-sent and direction.
  case direction
  case promiscuous
  /// Another buffer size, and its refusal while attached.
  case resize
  case flush
  case read
  case poll
  /// Sends a frame through the peer.
  case inject
  /// Takes an interface down and up.
  case down
  /// Deletes an interface with its peers and makes it again.
  case delete

  /// Disturbs the interface, or puts frames on it: not on a user's own.
  package var needsOwnInterface: Bool { self == .inject || self == .down || self == .delete }
}

/// One stress run.
package struct StressPlan: Sendable, Equatable {
  package enum Place: Sendable, Equatable {
    /// Cables made for the run, in the namespace of the calling thread, with a sender.
    case own
    /// Live traffic of an interface; nothing is sent.
    case live(String)
  }

  package var place = Place.own
  /// Peers that come and go, of all threads together.
  package var peers = 16
  package var threads = 2
  /// Ends after so many seconds, or so many cycles; whatever comes first.
  package var seconds: Double? = 10
  package var cycles: UInt64?
  /// Frames per second of the sender; nil: as fast as it can.
  package var rate: Int? = 100_000
  package var mix = Set(StressOperation.allCases)
  package var seed: UInt64 = 1
  /// Runs the old design's model beside.
  package var runsModel = false
  /// For tests: the sender ends by itself after so many frames.
  package var senderDiesAfter: UInt64?

  package init() {}

  package static let peerRange = 1...4096
  package static let threadRange = 1...64
  package static let rateRange = 100...10_000_000
}

/// A run that cannot begin.
package enum StressFailure: Error, Sendable, Equatable {
  /// No namespace of our own can be made.
  case noNamespace(errno: CInt)
  /// A step of the preparation failed.
  case system(errno: CInt, call: String)
}

extension Thread {
  /// A thread of a run.
  convenience init(stress name: String, _ body: @escaping @Sendable () -> Void) throws(StressFailure) {
    do throws(Shortage) { try self.init(starting: name, body) } catch {
      throw .system(errno: error.errno, call: "starting a thread")
    }
  }
}

/// Numbers that a seed determines. (SplitMix64)
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// True once in so many times.
  package mutating func once(in times: UInt64) -> Bool { next() % times == 0 }
  package mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
