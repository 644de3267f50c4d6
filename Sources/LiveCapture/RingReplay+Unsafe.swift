// The ring thread's passes over a ring that somebody lays out in plain memory: what is measured without a kernel.
// Called by benchmarks only.
internal import CPcapShim
import SwBPFBPF

/// A ring without a socket. Whoever owns the memory fills its blocks as the kernel would, each with TP_STATUS_USER last.
/// - Threads: one at a time.
@safe package struct RingReplay: ~Copyable {
  private var loop: RingLoop
  private let target: FrameTarget

  /// - Parameters:
  ///   - memory: `blocks` blocks of `blockSize` bytes; it must stay as long as this value.
  ///   - point: valid while its interface is.
  @unsafe package init(memory: UnsafeMutableRawPointer, blockSize: UInt32, blocks: UInt32, to point: TapPoint) {
    let address = UInt64(UInt(bitPattern: memory))
    let ring = swpcap_ring(
      map: address, map_length: UInt64(blockSize) * UInt64(blocks), block_size: blockSize, block_count: blocks)
    loop = RingLoop(socket: -1, ring: ring, control: RingControl())
    target = .one(point)
  }

  /// Takes every block that is filled; each is given back, and is one pass.
  package mutating func takeBlocks() {
    while loop.takeBlock(target, keeping: .all) {}
  }
}
