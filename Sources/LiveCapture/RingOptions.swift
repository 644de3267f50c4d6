// How rings are made.

/// The ring between the kernel and one engine.
public struct RingOptions: Sendable {
  /// Bytes of the whole ring; nil chooses 8 MiB, or 64 MiB for interfaces with very large super-packets.
  public var size: Int?
  /// Choose the large ring at once.
  public var prefersLarge = false
  /// How long a frame may wait in a block that is not full, ms; nil chooses 10, or 1 for a reader in immediate mode.
  public var retire: Int?
  /// The kernel's frames are not copied but stay in the ring for that long after the last peer left, ns.
  package var linger: Int64 = 500_000_000
  /// A ring that is larger or faster than its peers need stays so for that long, ns.
  package var calm: Int64 = 1_000_000_000

  public init() {}

  /// Block size and number of blocks. (32 of 256 KiB; 64 of 1 MiB)
  /// - Parameter wish: bytes that some peer wants at least; 0: none.
  func geometry(largestPacket: UInt32, atLeast wish: Int = 0) -> (blockSize: UInt32, blocks: UInt32) {
    let small: UInt32 = 256 << 10
    let large: UInt32 = 1 << 20
    let needsLarge = largestPacket > small - 4096
    let usual: (blockSize: UInt32, blocks: UInt32) = needsLarge || prefersLarge ? (large, 64) : (small, 32)
    let usualSize = Int(usual.blockSize) * Int(usual.blocks)
    if size == nil && wish <= usualSize { return usual }
    let size = max(size ?? usualSize, wish)
    var block = needsLarge || size >= 32 * Int(large) ? large : small
    while Int(block) * 4 > size && block > 64 << 10 { block /= 2 }
    return (block, UInt32(clamping: max(2, size / Int(block))))
  }
}

/// What the kernel counted at one ring since it was opened; 64-bit.
public struct RingStatistics: Sendable, Equatable {
  /// Frames that the kernel put into the ring.
  public var accepted: UInt64 = 0
  /// Frames lost because the ring was full.
  public var dropped: UInt64 = 0
  /// Times that the ring became full.
  public var freezes: UInt64 = 0
  /// Frames that swbpf took out of the ring.
  public var processed: UInt64 = 0
  /// The longest pass over one block, ns, with what the scheduler took from the thread meanwhile.
  public var longestPass: Int64 = 0
  /// The kernel refuses frames that no reader wants, or has done so: readers' `offered`, `hidden` and `refused` lack them.
  public var isNarrowed = false
  /// Times that the kernel was told anew what to let through.
  public var filterChanges: UInt64 = 0
  /// Times that another ring took the place of one that ran.
  public var exchanges: UInt64 = 0

  public init() {}
}
