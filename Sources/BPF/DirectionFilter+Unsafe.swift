// OpenBSD's direction filter: a mask of the ways that are hidden. (BIOCGDIRFILT, BIOCSDIRFILT)
// Requests; any thread. The tap reads the raw value once per pass.

/// The ways that a peer sees: BSD's three directions, and neither.
struct SeenWays: Equatable {
  /// `BPF.Direction`'s raw value; 3 when both ways are hidden.
  let rawValue: UInt32

  static let neither = SeenWays(rawValue: 3)

  init(rawValue: UInt32) { self.rawValue = rawValue }
  init(_ direction: BPF.Direction) { rawValue = direction.rawValue }

  /// - Parameter mask: 1 hides what is received, 2 what is sent; other bits say nothing.
  init(hiding mask: UInt32) {
    switch mask & 3 {
    case 0: self.init(.inOut)
    case 1: self.init(.out)
    case 2: self.init(.in)
    default: self = .neither
    }
  }

  var seesSent: Bool { rawValue == BPF.Direction.inOut.rawValue || rawValue == BPF.Direction.out.rawValue }
  var seesReceived: Bool { rawValue == BPF.Direction.inOut.rawValue || rawValue == BPF.Direction.in.rawValue }
  /// Whether every frame of the others is one of these.
  func covers(_ other: SeenWays) -> Bool { hidden & ~other.hidden == 0 }

  /// As the mask has it.
  var hidden: UInt32 { (seesReceived ? 0 : 1) | (seesSent ? 0 : 2) }
}

extension BPF.Descriptor {
  /// What is hidden: 1 received frames, 2 sent ones, 3 both. (BIOCGDIRFILT)
  public var directionFilter: UInt32 { seenWays.hidden }

  /// Hides ways, from the next frame on; other bits are ignored. Nothing is flushed. (BIOCSDIRFILT)
  /// - Throws: the driver's error when it cannot let more through.
  public func setDirectionFilter(_ mask: UInt32) throws { try setSeenWays(SeenWays(hiding: mask)) }

  var seenWays: SeenWays { unsafe SeenWays(rawValue: buffers.pointee.direction.load(ordering: .relaxed)) }
}
