// What the messages of bpf descriptors hold. The numbers stay.

package enum RemoteTag {
  /// A connection's number of its descriptor.
  package static let descriptor: UInt16 = 32
  package static let slotSize: UInt16 = 33
  package static let slots: UInt16 = 34
  /// 1: records have nanoseconds.
  package static let nanoseconds: UInt16 = 35
  package static let linkType: UInt16 = 36
  /// A number of BSD's, or a ``RemoteRequest``.
  package static let number: UInt16 = 37
  package static let argument: UInt16 = 38
  /// What the argument points to.
  package static let memory: UInt16 = 39
  package static let counters: UInt16 = 40
  package static let direction: UInt16 = 41
  package static let frame: UInt16 = 42
  /// How long a frame may be on its way to the tap, ns.
  package static let delay: UInt16 = 43
  /// A program: instructions of 8 bytes, as BSD and Linux have them; absent: none.
  package static let program: UInt16 = 44
  /// 1: what is stored is discarded.
  package static let flushes: UInt16 = 45
  /// Of the kernel's ring behind the interface, since the descriptor was attached: frames lost, times it was full, and 1 where
  /// the kernel refuses what nobody wants. 8 bytes each.
  package static let ring: UInt16 = 46
  /// Tags of every request.
  package static let all: Set<UInt16> = Set(32...46).union([MessageTag.name])
}

/// Requests that BSD has no number for.
package enum RemoteRequest: UInt32, Sendable {
  /// Name, link type, direction, counters.
  case state = 1
  /// Gives the interface up; what is stored stays to be read.
  case detach = 2
  /// Takes a program that was compiled from an expression. It may ask for what the tap knows of a frame.
  case program = 3
  case direction = 4
}
