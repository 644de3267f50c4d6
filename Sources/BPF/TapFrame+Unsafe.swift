// A frame on its way through a tap.
import SwBPFFilterMachine

/// One frame as a driver hands it to the tap. The address is valid during the pass only.
@safe package struct TapFrame {
  /// The first byte of the link header.
  package var base: UnsafeRawPointer
  /// Bytes present.
  package var captured: UInt32
  /// Bytes on the wire, a VLAN tag included.
  package var length: UInt32
  /// The kernel's stamp, wall clock.
  package var seconds: UInt32
  package var nanoseconds: UInt32
  /// What programs of expressions and cooked records need to know beside the bytes.
  package var metadata: FrameMetadata
  /// As seen by the interface, from the caller. Never derived from the frame.
  package var way: BPF.Way

  package init(
    base: UnsafeRawPointer, captured: UInt32, length: UInt32, seconds: UInt32, nanoseconds: UInt32,
    metadata: FrameMetadata, way: BPF.Way = .received
  ) {
    unsafe self.base = unsafe base
    self.captured = captured
    self.length = length
    self.seconds = seconds
    self.nanoseconds = nanoseconds
    self.metadata = metadata
    self.way = way
  }

  /// The stamp in nanoseconds.
  @inline(__always) var stamp: Int64 { Int64(seconds) &* 1_000_000_000 &+ Int64(nanoseconds) }
}
