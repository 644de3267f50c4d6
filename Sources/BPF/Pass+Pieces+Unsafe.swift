// Taps of packets that lie in pieces: chains, and packets with a header that is nowhere else. (`bpf_mtap`, `bpf_mtap2`)
// Called by drivers that have no contiguous frame: tunnels, and users' own interfaces.
import SwBPFFilterMachine

/// Room where a pass joins pieces; frames stay until their part has ended.
@safe struct JoinBuffer: ~Copyable {
  private let memory: UnsafeMutableRawPointer
  private(set) var used = 0
  /// A part never needs more than this many bytes at once: what is longer ends the part before.
  static let size = 256 << 10

  init() { unsafe memory = .allocate(byteCount: JoinBuffer.size, alignment: 16) }

  deinit { unsafe memory.deallocate() }

  mutating func clear() { used = 0 }

  func fits(_ count: Int) -> Bool { used + count <= JoinBuffer.size }

  /// Takes `count` bytes, which fit.
  mutating func take(_ count: Int) -> UnsafeMutableRawPointer {
    let place = unsafe memory + used
    // Frames begin at addresses that a program's loads like.
    used = min(JoinBuffer.size, (used + count + 15) & ~15)
    return unsafe place
  }
}

extension TapReader {
  /// Offers a packet that lies in pieces as one frame: the same bytes as if it were contiguous. (`bpf_mtap`)
  ///
  /// The pieces may change when this returns. A packet without bytes is ignored; one of more than 256 KiB is cut there.
  /// - Parameter stamp: wall clock, ns.
  package mutating func tap(
    _ pieces: [UnsafeRawBufferPointer], _ way: BPF.Way, stamp: Int64, metadata: FrameMetadata = FrameMetadata()
  ) {
    var length = 0
    for index in unsafe pieces.indices { length += unsafe pieces[index].count }
    if length == 0 { return }
    let captured = min(length, JoinBuffer.size)
    if !joined.fits(captured) {
      endPart()
      joined.clear()
    }
    let place = unsafe joined.take(captured)
    var offset = 0
    for index in unsafe pieces.indices {
      let count = unsafe min(pieces[index].count, captured - offset)
      guard count > 0, let from = unsafe pieces[index].baseAddress else { continue }
      // SAFETY: the pieces up to here have `offset` bytes, and with these at most the `captured` taken.
      unsafe (place + offset).copyMemory(from: from, byteCount: count)
      offset += count
    }
    unsafe tap(
      TapFrame(
        base: place, captured: UInt32(captured), length: UInt32(clamping: length),
        seconds: UInt32(truncatingIfNeeded: stamp / 1_000_000_000),
        nanoseconds: UInt32(truncatingIfNeeded: stamp % 1_000_000_000), metadata: metadata), way)
  }

  /// Offers a packet behind its address family in host order, as a tap point of DLT_NULL shows it. (`bpf_mtap_af`)
  /// - Parameter family: AF_INET or AF_INET6 as BSD programs expect them: 2 and 24.
  package mutating func tap(
    family: UInt32, _ packet: UnsafeRawBufferPointer, _ way: BPF.Way, stamp: Int64,
    metadata: FrameMetadata = FrameMetadata()
  ) {
    if unsafe packet.isEmpty { return }
    unsafe withUnsafeBytes(of: family) { unsafe tap([$0, packet], way, stamp: stamp, metadata: metadata) }
  }
}
