// Records on their way into a savefile, one behind the other. Owned by one SavefileWriter.
import Glibc

/// Memory for whole records; it begins a page, and is there from the first record on.
@safe struct RecordBuffer: ~Copyable {
  /// Bytes that are collected before they should be written. Only a single larger record is more.
  static let usualSize = 256 * 1024
  /// Of a record's header.
  static let headerSize = 16

  private var base: UnsafeMutableRawPointer?
  private var capacity = 0
  private(set) var count = 0

  init() { unsafe base = nil }

  deinit { unsafe base?.deallocate() }

  /// Whether a record with so many bytes of a frame should wait until what is here has been written.
  @inline(__always)
  func isFull(for captured: Int) -> Bool {
    count > 0 && count + RecordBuffer.headerSize + captured > RecordBuffer.usualSize
  }

  /// Adds one record; the fields are those of the file, in the machine's order.
  @inline(__always)
  mutating func append(seconds: UInt32, fraction: UInt32, length: UInt32, bytes: RawSpan) {
    let size = RecordBuffer.headerSize + bytes.byteCount
    if count + size > capacity { grow(by: size) }
    guard let base = unsafe base else { return }
    // SAFETY: there is room for `size` bytes behind the first `count`; grow() has seen to it.
    let place = unsafe base + count
    unsafe place.storeBytes(of: seconds, as: UInt32.self)
    unsafe place.storeBytes(of: fraction, toByteOffset: 4, as: UInt32.self)
    unsafe place.storeBytes(of: UInt32(truncatingIfNeeded: bytes.byteCount), toByteOffset: 8, as: UInt32.self)
    unsafe place.storeBytes(of: length, toByteOffset: 12, as: UInt32.self)
    unsafe bytes.withUnsafeBytes { frame in
      if let address = frame.baseAddress {
        unsafe memcpy(place + RecordBuffer.headerSize, address, frame.count)
      }
    }
    count += size
  }

  @inline(never)
  private mutating func grow(by size: Int) {
    let wanted = max(RecordBuffer.usualSize, count + size)
    let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 4096)
    if let base = unsafe base {
      // SAFETY: both have room for `count` bytes.
      unsafe larger.copyMemory(from: base, byteCount: count)
      unsafe base.deallocate()
    }
    unsafe base = unsafe larger
    capacity = wanted
  }

  /// The records, for the closure.
  func withBytes<E: Error>(_ body: (RawSpan) throws(E) -> Void) throws(E) {
    guard let base = unsafe base else { return }
    // SAFETY: `count` bytes were written there, and self is borrowed for the call.
    try unsafe body(RawSpan(_unsafeStart: base, byteCount: count))
  }

  mutating func removeAll() { count = 0 }
}
